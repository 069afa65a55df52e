"""The tokens' life: who may log in, with which password, and what they get for it.

One thing a module. Letting in: ``login`` (with ``accounts``, ``throttle``, ``passwords``) begins
sessions through ``grants``, ``mint`` signs. Ending: ``sessions`` and ``user_admin``, both through
``revoker``. What a worker knows: ``revocation_table``, ``revocations`` and ``key_ring``; ``sync``
keeps them in step with the store. Nothing here reads the clock (the time comes in as an argument)
or knows of HTTP. Verifying a token is the policy's work (``gateway.policy.tokens``), never done
twice.
"""
