"""What the gateway keeps: users, sessions, refresh tokens, revocations, keys, throttles; in SQL.

The rule to keep in mind: the store decides nothing. It keeps what it is given, in transactions that
happen whole or not at all, and tells what it found; lifetimes, waiting times and the time itself
come in as arguments. Nothing on a proxied request ever waits for it.

Read ``engine`` first (what a transaction is), then ``tables``; each other module is one thing kept.
A caller joins what must happen together in one transaction::

    async with store.write() as tx:
        session = await sessions.end(tx, session_id, reason=EndReason.LOGOUT, now_s=now_s)
        await revocations.add(tx, [...])  # the last statement: it takes the lock that all share
"""
