"""The commands: the gateway's one face towards the people who run it.

Nothing is decided here. A command reads the file, asks the floors below and shows what they say:
tables and colour on a terminal, plain aligned text in a pipe, JSON where ``--json`` asks for it.
Exit codes are 0, 1 (a check failed) and 2 (bad usage or configuration).
"""
