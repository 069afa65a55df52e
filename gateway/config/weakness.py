"""What is allowed and probably not meant: weak secrets, gaps between routes, tokens in queries."""

import re
from collections.abc import Iterator
from typing import Final

from gateway.config.load import Config
from gateway.config.paths import REST, split_path
from gateway.config.secrets import ConfigWarning
from gateway.policy.model import Auth, PlaceKind, Route, Snapshot
from gateway.policy.password_hashes import needs_upgrade

_MIN_DISTINCT: Final = (
    10  # 32 random hexadecimal digits have 12 different ones or more, nearly always
)
_REPEATED: Final = re.compile(r"(.{1,16}?)\1+.{0,15}", re.DOTALL)
_WORDS: Final = (
    "secret", "password", "passwort", "changeme", "change-me", "change_me", "example", "gateway",
    "default", "insecure", "qwerty", "letmein", "012345", "123456", "abcdef",
)  # fmt: skip


def find_secret_warnings(config: Config) -> Iterator[ConfigWarning]:
    """Yield the secrets that are weak; they are never quoted."""
    settings = config.settings
    secrets = (
        (("tokens", "secret"), settings.tokens.secret),
        (("store_key",), settings.store_key),
        (("admin", "token"), settings.admin.token if settings.admin else None),
    )
    for path, secret in secrets:
        if secret is not None and is_guessable(secret.get_secret_value()):
            yield ConfigWarning(
                config.place(*path),
                "the secret is long enough but can be guessed; make one: openssl rand -hex 32",
            )


def find_store_warnings(config: Config) -> Iterator[ConfigWarning]:
    """Yield a warning where whoever may read a shared database could sign tokens."""
    settings = config.settings
    keeps_keys = settings.tokens.secret is None and settings.tokens.signing_key is None
    is_shared = not settings.store.get_secret_value().startswith("sqlite:")
    if keeps_keys and is_shared and settings.store_key is None:
        yield ConfigWarning(
            config.place("store"),
            "without 'store_key' the signing keys lie in this database in the clear",
        )


def find_upstream_warnings(config: Config) -> Iterator[ConfigWarning]:
    """Yield the upstreams that anyone could stand in for."""
    for name, upstream in config.settings.upstreams.items():
        if upstream.tls is not None and not upstream.tls.verify:
            yield ConfigWarning(
                config.place("upstreams", name, "tls", "verify"),
                "ANYONE on the way can be this service, read every request and answer it: its "
                "certificate is not verified; name its CA ('ca: file.pem') instead",
            )


def find_hash_warnings(config: Config) -> Iterator[ConfigWarning]:
    """Yield the users whose password is easier to find from its hash than it need be."""
    for index, user in enumerate(config.settings.users):
        if needs_upgrade(user.password_hash.get_secret_value()):
            yield ConfigWarning(
                config.place("users", index, "password_hash"),
                "this hash is weaker than argon2id with our parameters; "
                "make a new one with 'gateway hash-password'",
            )


def is_guessable(secret: str) -> bool:
    """Whether a secret of enough length is repetitive or has words that people choose."""
    lowered = secret.lower()
    return (
        len(set(secret)) < _MIN_DISTINCT
        or _REPEATED.fullmatch(secret) is not None
        or any(word in lowered for word in _WORDS)
    )


def find_route_warnings(config: Config, snapshot: Snapshot) -> Iterator[ConfigWarning]:
    """Yield what is doubtful about routes, upstreams and credentials."""
    for index, place in enumerate(snapshot.places):
        if place.kind is PlaceKind.QUERY:
            yield ConfigWarning(
                config.place("credentials", index),
                f"a token in the {place} ends up in logs and browser histories",
            )
    used = {route.upstream.name for route in snapshot.routes}
    for upstream in snapshot.upstreams:
        if upstream.name not in used:
            yield ConfigWarning(
                config.document.place("upstreams", upstream.name, key=True),
                f"no route leads to the upstream '{upstream.name}'",
            )
    if not snapshot.routes:
        yield ConfigWarning(config.place("routes"), "there are no routes: every request gets 404")
    wide = _WideRoutes(snapshot)
    for index, route in enumerate(snapshot.routes):
        yield from _judge_route(config, index, route)
        yield from wide.judge(config, index, route)


def _judge_route(config: Config, index: int, route: Route) -> Iterator[ConfigWarning]:
    settings = config.settings.routes[index]
    if settings.name is None:
        yield ConfigWarning(
            config.place("routes", index), "the route has no name for logs and metrics"
        )
    if route.auth is Auth.NONE and settings.claim_headers:
        yield ConfigWarning(
            config.place("routes", index, "claim_headers"),
            "with 'auth: none' no claim is known, so that these headers are never set",
        )


class _WideRoutes:
    """The routes that end in ``**``, by what stands before it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._by_prefix: dict[tuple[bytes, ...], list[tuple[int, Route]]] = {}
        for index, route in enumerate(snapshot.routes):
            segments = split_path(route.path)
            if segments[-1:] == (REST,):
                self._by_prefix.setdefault(segments[:-1], []).append((index, route))

    def judge(self, config: Config, index: int, route: Route) -> Iterator[ConfigWarning]:
        """Yield a warning where *route* lies below one that differs in being public."""
        segments = split_path(route.path)
        below = segments[:-1] if segments[-1:] == (REST,) else segments
        is_public = route.auth is Auth.NONE
        for length in range(len(below), -1, -1):
            for other_index, other in self._by_prefix.get(below[:length], ()):
                other_is_public = other.auth is Auth.NONE
                if other is route or is_public == other_is_public or not _meet(other, route):
                    continue
                line = config.place("routes", other_index).line
                kinds = ("public", "protected") if is_public else ("protected", "public")
                yield ConfigWarning(
                    config.place("routes", index, "path"),
                    f"this {kinds[0]} route lies below the {kinds[1]} {other.path} of line {line}",
                )
                return


def _meet(wide: Route, route: Route) -> bool:
    """Whether some host is of both."""
    return not wide.hosts or not route.hosts or not set(wide.hosts).isdisjoint(route.hosts)
