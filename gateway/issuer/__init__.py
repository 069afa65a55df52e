"""The tokens' life: who may log in, with which password, and what they get for it.

Here live the users of the configuration file, passwords, the signing key and the minting of access
tokens. Nothing here reads the clock (``now_s`` comes in as an argument) or knows of HTTP; verifying
a token is the policy's work (``gateway.policy.tokens``), never done twice. One module signs
(``mint``), one says who may hash when (``passwords``), one makes keys on the disk (``key_file``).
"""
