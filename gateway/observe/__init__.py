"""What is told of requests after they have ended: a line in the access log, and numbers.

Nothing here decides anything, and nothing here may hold a request up: a log that cannot be written
loses lines, and counts them. The rule to keep in mind: no text of a client becomes a label of a
metric, and none that may be secret (a query, a field's value, a token) is written at all.
"""
