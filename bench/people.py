"""Those who log in, or try to: their names, where they are kept, and one login of theirs.

The throttle counts by name and address, by name (30 failures are free) and by address (60): who is
to fail often without being told to wait needs many names and an address for each try.
"""

import asyncio
import http.client
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.rig import RigError
from gateway.issuer.passwords import hash_password
from gateway.store import users
from gateway.store.migrate import open_store
from gateway.store.users import StoredUser

PASSWORD: Final = "the-password-of-all-of-them"  # noqa: S105 (of people who do not exist)
WRONG: Final = "not-the-password-of-anybody"
ANSWER_S: Final = 30.0  # until a login must have been answered, with many others beside it


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one login."""

    status: int
    retry_after_s: int
    took_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who there is. All names have one length, and one password hash will do for all."""

    in_file: Sequence[str]
    in_store: Sequence[str]
    absent: Sequence[str]
    password_hash: str

    @classmethod
    def make(cls, count: int) -> "People":
        """Return so many of each kind."""
        return cls(
            in_file=[f"in-file-{number:04}" for number in range(count)],
            in_store=[f"stored--{number:04}" for number in range(count)],
            absent=[f"nobody--{number:04}" for number in range(count)],
            password_hash=hash_password(PASSWORD),
        )

    def file_users(self) -> str:
        """Return ``users`` of a configuration."""
        return json.dumps(
            [{"username": name, "password_hash": self.password_hash} for name in self.in_file]
        )

    def keep(self, store: Path) -> None:
        """Put those of the store into it."""
        asyncio.run(self._keep(store))

    async def _keep(self, path: Path) -> None:
        now_s = time.time()
        async with await open_store(f"sqlite:///{path}") as store, store.write() as tx:
            for name in self.in_store:
                user = StoredUser(
                    id=name,
                    username=name,
                    canonical_username=name,
                    password_hash=self.password_hash,
                    created_at_s=now_s,
                    updated_at_s=now_s,
                )
                await users.add(tx, user)


class LoginClient:
    """One connection on which people log in, one after the other; ``close`` it."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)

    def log_in(self, username: str, password: str, address: str) -> Answer:
        """Try to log in, as if from *address*.

        Raises:
            RigError: There was no answer.
        """
        body = json.dumps({"username": username, "password": password})
        fields = {"Content-Type": "application/json", "X-Forwarded-For": address}
        begun_s = time.perf_counter()
        try:
            self._connection.request("POST", "/authenticate", body=body, headers=fields)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException) as error:
            raise RigError(f"a login got no answer: {error!r}") from error
        took_s = time.perf_counter() - begun_s
        return Answer(response.status, int(response.headers.get("Retry-After", "0")), took_s)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def address_of(number: int) -> str:
    """Return the address of one try; each number has its own."""
    return f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
