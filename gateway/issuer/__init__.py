"""The tokens' life: who may log in, with which password, and what they get for it.

One thing a module. Letting in: ``login`` (with ``accounts``, ``throttle``, ``passwords``), which
begins sessions through ``grants``; ``mint`` signs. Ending: ``sessions`` and ``user_admin``, both
through ``revoker``. What a worker knows: ``revocation_table`` and ``revocations``; ``key_ring``; and
``sync``, which keeps both in step with the store. Nothing here reads the clock (the time comes in as
an argument) or knows of HTTP; verifying a token is the policy's work (``gateway.policy.tokens``),
never done twice.
"""
