"""The composition root: builds everything from the configuration, reads the clock, runs uvicorn.

Nothing else in the package reads the time, opens a listener or knows of all the rooms.
"""

import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import uvicorn
from starlette.applications import Starlette

from gateway.config.addresses import Address
from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, load_config
from gateway.control.app import build_control
from gateway.errors import ConfigError
from gateway.issuer.key_file import load_or_create_key
from gateway.issuer.keys import SigningKey, UnfitKeyError, parse_signing_key, secret_key
from gateway.issuer.login import Login
from gateway.issuer.mint import Minter, TokenSettings
from gateway.issuer.passwords import PasswordChecker
from gateway.issuer.users import FileUsers, User
from gateway.proxy.downstream import Downstream
from gateway.proxy.sweeper import Sweeper
from gateway.proxy.worker import Worker

BACKLOG: Final = 2048  # connections that wait to be accepted; uvicorn's default, nginx: 511
KEY_FILE: Final = Path("var/signing-key.pem")  # until keys are kept in the store
DRAIN_S: Final = 30  # for what is in flight at SIGTERM; systemd gives 90 before it kills


_clock: Final = time.time  # noqa: TID251 (the one place that reads it)


def serve(path: Path) -> int:
    """Run the gateway with the configuration at *path* until SIGINT or SIGTERM; return 0.

    Raises:
        ConfigErrors: The configuration has faults.
        ConfigError: The signing key cannot be used, or an address cannot be listened on.
    """
    config = load_config(path, os.environ)
    _raise_descriptor_limit()
    key = build_key(config)
    snapshot = compile_snapshot(config, (key.verification_key(),))
    login_for = _login_builder(config, key)
    addresses = config.settings.listen
    sockets = [_listen(config, index, address) for index, address in enumerate(addresses)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[dict[str, Any]]:
        passwords = PasswordChecker()
        sweeper = Sweeper()
        worker = Worker(
            snapshot,
            build_control(login_for(passwords), [key], _clock),
            clock=_clock,
            date=lambda: server.server_state.default_headers,
            sweeper=sweeper,
        )
        sweeper.start()
        gc.collect()
        gc.freeze()  # what is here now lives as long as the process
        yield {"worker": worker}
        worker.close()
        passwords.close()

    server = _Server(_uvicorn_config(Starlette(lifespan=lifespan)))
    # uvicorn drains at these signals and then raises them again for whoever handled them before.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server.run(sockets)
    return 0


def _uvicorn_config(app: Starlette) -> uvicorn.Config:
    """Return how uvicorn hosts our protocol; *app* only gives it the process's life."""
    return uvicorn.Config(
        app,
        http=_accept,  # type: ignore[arg-type]  # called like the class that uvicorn asks for
        loop="uvloop",
        lifespan="on",
        ws="none",
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN_S,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


def build_key(config: Config) -> SigningKey:
    """Return the key that signs our tokens: the configured one, or the one that is kept in a file.

    Raises:
        ConfigError: It cannot be used, read or made.
    """
    tokens = config.settings.tokens
    try:
        if tokens.secret is not None:
            return secret_key(tokens.algorithm, tokens.secret.get_secret_value().encode())
        if tokens.signing_key is not None:
            pem = tokens.signing_key.get_secret_value().encode()
            return parse_signing_key(tokens.algorithm, pem)
    except UnfitKeyError as error:
        place = config.place("tokens", "secret" if tokens.secret else "signing_key")
        raise ConfigError(place, error.fault, error.cure) from None
    return load_or_create_key(tokens.algorithm, KEY_FILE)


class _Server(uvicorn.Server):
    """uvicorn, saying where it listens in one line that people and scripts can read."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            host, port = listener.getsockname()[:2]
            address = Address(host, port)
            print(f"gateway: listening on http://{address}", file=sys.stderr, flush=True)  # noqa: T201


def _accept(
    *,
    config: uvicorn.Config,  # noqa: ARG001 (what uvicorn passes to a protocol)
    server_state: Any,  # noqa: ANN401
    app_state: dict[str, Any],
    _loop: object = None,
) -> Downstream:
    """Make the protocol of one accepted connection."""
    return Downstream(app_state["worker"], server_state.connections)


def _login_builder(config: Config, key: SigningKey) -> Callable[[PasswordChecker], Login]:
    """Return what makes the login, once the threads for hashing are there.

    Raises:
        ConfigError: The users of the file cannot be told apart.
    """
    settings = config.settings
    tokens = settings.tokens
    try:
        users = FileUsers(
            User(
                id=user.id or "",
                username=user.username,
                password_hash=user.password_hash.get_secret_value(),
                roles=user.roles,
                scopes=user.scopes,
                attributes=user.attributes,
            )
            for user in settings.users
        )
    except ValueError as error:
        cure = "give each user a name and an id of its own"
        raise ConfigError(config.place("users"), str(error), cure) from None
    minter = Minter(
        key,
        TokenSettings(
            issuer=tokens.issuer,
            audience=tokens.audience,
            access_lifetime_s=tokens.access_lifetime,
            claims=tokens.claims,
        ),
    )
    return lambda passwords: Login(users, passwords, minter)


def _listen(config: Config, index: int, address: Address) -> socket.socket:
    """Bind a listener; uvicorn begins to listen once everything is ready."""
    try:
        return socket.create_server((address.host, address.port), family=_family(address))
    except OSError as error:
        raise ConfigError(
            config.place("listen", index),
            f"cannot listen on {address}: {error.strerror}",
            "stop what listens there (ss -ltnp shows it), or choose another port",
        ) from None


def _raise_descriptor_limit() -> None:
    """Take as many file descriptors as we may: 10,000 connections do not fit the usual 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS refuses an infinite one
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET
