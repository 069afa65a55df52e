"""The token buckets that workers and hosts share, in Redis: the same buckets as in memory.

Redis fills and drains a bucket by a script, in one step and by its own clock. A request waits for
it no longer than ``DEADLINE_S``; after a failure nobody waits for ``PAUSE_S``, then one request
tries it again. Who is counted is hashed: no claim, address or token gets there.

The package ``limits`` counts in windows, which let twice the limit through where two of them meet;
``redis`` and a script of ten lines keep the meaning that the limit has in memory.

The rule to keep in mind: an answer counts only where it names the question. A connection whose
answer was not waited for is closed, never used again (CVE-2023-28858).
"""

import asyncio
import hashlib
import itertools
import json
import logging
import secrets
from typing import Any, Final

from gateway.policy.rate_limits import RateLimit

DEADLINE_S: Final = 0.1  # THREATS.md CACHE-10
PAUSE_S: Final = 1.0  # after a failure, before the next try
CONNECTIONS: Final = 32  # of each worker; a command takes a fraction of a millisecond
PREFIX: Final = "gateway:rate:"

# KEYS[1]: the bucket. ARGV: requests, seconds, and what names this question.
SCRIPT: Final = b"""
local most, per = tonumber(ARGV[1]), tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) + tonumber(clock[2]) / 1000000
local bucket = redis.call('HMGET', KEYS[1], 'left', 'at')
local left = most
if bucket[1] and bucket[2] then
  local past = math.max(0, now - tonumber(bucket[2]))
  left = math.min(most, tonumber(bucket[1]) + past * most / per)
end
if left < 1 then return {ARGV[3], string.format('%.6f', (1 - left) * per / most)} end
left = left - 1
redis.call('HSET', KEYS[1], 'left', string.format('%.9f', left), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil((most - left) * per / most * 1000) + 1000)
return {ARGV[3], '0'}
"""
_SHA: Final = hashlib.sha1(SCRIPT, usedforsecurity=False).hexdigest()  # as Redis names it

_log: Final = logging.getLogger(__name__)


class _UnfitAnswerError(ValueError):
    """Redis gave an answer that is none to this question."""


class SharedLimiter:
    """One worker's way to the shared buckets.

    Args:
        url: Of Redis, checked; it may hold a password, and is told to nobody.

    Attributes:
        unanswered: How often Redis could not say.
    """

    def __init__(self, url: str) -> None:
        from redis import exceptions  # noqa: PLC0415 (an extra, and slow to import)
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415
        from redis.asyncio.retry import Retry  # noqa: PLC0415
        from redis.backoff import NoBackoff  # noqa: PLC0415

        self._no_script = exceptions.NoScriptError
        # TimeoutError is an OSError; RuntimeError is what uvloop says of a closed transport.
        self._faults = (exceptions.RedisError, OSError, ValueError, RuntimeError)
        self._pool: BlockingConnectionPool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=DEADLINE_S,
            socket_timeout=None,  # one deadline is set for all of it
            socket_connect_timeout=None,
            retry=Retry(NoBackoff(), 0),
            protocol=2,
        )
        self._redis: Redis = Redis(connection_pool=self._pool)
        self.unanswered = 0
        self._nonce = secrets.token_hex(8)
        self._numbers = itertools.count()
        self._until_s: float | None = None  # nobody asks till then; None: Redis answers
        self._trying = False  # one request asks, alone until its outcome is known

    @property
    def is_up(self) -> bool:
        """Whether Redis has answered the last question."""
        return self._until_s is None

    async def take(self, route: str, limit: RateLimit, key: bytes) -> float | None:
        """Take one token.

        Args:
            route: The name of the route.
            limit: How many tokens a bucket has.
            key: Whose bucket.

        Returns:
            0, or how many seconds there will be none; None where Redis cannot say.
        """
        if not self._may_ask():
            self.unanswered += 1
            return None
        is_trial = self._trying = self._until_s is not None
        try:
            async with asyncio.timeout(DEADLINE_S):
                wait_s = await self._ask(bucket_name(route, limit, key), limit)
        except self._faults as error:
            self._on_failure(error)
            return None
        finally:
            if is_trial:
                self._trying = False
        self._on_success()
        return wait_s

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
        await self._pool.disconnect()

    async def _ask(self, name: str, limit: RateLimit) -> float:
        question = f"{self._nonce}-{next(self._numbers)}"
        rest = (1, name, limit.requests, limit.per_s, question)
        try:
            answer: Any = await self._redis.execute_command("EVALSHA", _SHA, *rest)  # type: ignore[no-untyped-call]
        except self._no_script:
            answer = await self._redis.execute_command("EVAL", SCRIPT, *rest)  # type: ignore[no-untyped-call]
        if not isinstance(answer, list) or answer[:1] != [question.encode()]:
            await self._pool.disconnect()  # whose answer is it? none of them is to be trusted
            raise _UnfitAnswerError
        return max(0.0, float(answer[1]))

    def _may_ask(self) -> bool:
        if self._until_s is None:
            return True
        return not self._trying and asyncio.get_running_loop().time() >= self._until_s

    def _on_failure(self, error: Exception) -> None:
        self.unanswered += 1
        if self._until_s is None:  # its text is not told: it could name what is in the URL
            text = "rate limits: Redis cannot be asked (%s); until it can, each worker counts alone"
            _log.error(text, type(error).__name__)
        self._until_s = asyncio.get_running_loop().time() + PAUSE_S

    def _on_success(self) -> None:
        if self._until_s is not None:
            self._until_s = None
            _log.warning("rate limits: Redis answers again")


def bucket_name(route: str, limit: RateLimit, key: bytes) -> str:
    """Return the name of a bucket: another one where the limit is another."""
    parts = [route, limit.requests, limit.per_s, limit.key, key.hex()]
    return PREFIX + hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()
