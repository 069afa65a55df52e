"""A gateway's worth of store work in a process of its own, for tests that kill it.

Usage: ``python -m tests.integration.store.churn WORK URL``. Each line of its output is a fact that
it would have answered to a client: from then on it must hold, whatever happens to the process.
"""

import asyncio
import os
import sys
from itertools import count

from gateway.store import keys, revocations, rotation, sessions
from gateway.store.engine import Store, StoreLimits
from gateway.store.keys import KeyBox, NewKey
from gateway.store.migrate import open_store
from gateway.store.revocations import Revocation, RevocationKind
from gateway.store.rotation import Rotated
from gateway.store.sessions import EndReason
from tests.kit.stores import DAY_S, NOW_S, session

_FAMILIES = 4
_LIMITS = StoreLimits(deadline_s=60.0)  # five of these start at once, on a machine that may be busy


def _say(*words: str) -> None:
    sys.stdout.write(" ".join(words) + "\n")
    sys.stdout.flush()


async def _rotate(store: Store, family: int) -> None:
    """Log in, refresh for ever; each line names the token that the client now holds."""
    token = f"family-{family}-0"
    async with store.write() as tx:
        await sessions.start(tx, session(f"s-{family}"), token)
    for number in count(1):
        _say("token", str(family), token)
        successor = f"family-{family}-{number}"
        async with store.write() as tx:
            outcome = await rotation.rotate(tx, token, successor, idle_s=DAY_S, now_s=NOW_S)
        if not isinstance(outcome, Rotated):
            raise TypeError(outcome)
        token = successor


async def _log_out(store: Store) -> None:
    """Log in and out for ever; each line names a session that was answered to have ended."""
    for number in count():
        name = f"out-{number}"
        async with store.write() as tx:
            await sessions.start(tx, session(name), f"token-{name}")
        async with store.write() as tx:
            await sessions.end(tx, name, reason=EndReason.LOGOUT, now_s=NOW_S)
            revoked = Revocation(kind=RevocationKind.SESSION, key=name, expires_at_s=NOW_S + 1440)
            await revocations.add(tx, [revoked])
        _say("ended", name)


async def _work(work: str, url: str) -> None:
    async with await open_store(url, _LIMITS) as store:
        if work == "key":
            box, own = KeyBox(), NewKey(f"made-by-{os.getpid()}", "ES256", b"pem")
            key = await keys.ensure_current(store, "ES256", lambda: own, box=box, now_s=NOW_S)
            _say("key", key.kid)
        else:
            await asyncio.gather(_log_out(store), *(_rotate(store, n) for n in range(_FAMILIES)))


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
