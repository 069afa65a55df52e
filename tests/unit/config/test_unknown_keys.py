"""Cures for keys that do not belong where they stand."""

import pytest

from gateway.config.nodes import Path
from gateway.config.unknown_keys import find_cure

CURES: list[tuple[Path, str, str]] = [
    ((), "route", "did you mean 'routes'?"),
    ((), "traces", "did you mean 'tracing'?"),
    ((), "sample", "it belongs under 'tracing'"),
    ((), "reddis", "did you mean 'redis'?"),
    (("tokens",), "isuer", "did you mean 'issuer'?"),
    (("admin",), "tokne", "did you mean 'token'?"),
    (("tokens",), "token", "it belongs under 'admin'"),
    ((), "store_silence", "it belongs under 'limits'"),
    (("upstreams", "a"), "retrys", "did you mean 'retries'?"),
    (("upstreams", "a"), "weight", "it belongs under 'upstreams.<name>.endpoints[]'"),
    (("upstreams", "a", "endpoints", 0), "weigh", "did you mean 'weight'?"),
    (("upstreams", "a", "health"), "interwal", "did you mean 'interval'?"),
    (("routes", 3), "websockets", "did you mean 'websocket'?"),
    (("credentials", 0), "knid", "did you mean 'kind'?"),
    ((), "issuer", "it belongs under 'tokens'"),
    ((), "password_hash", "it belongs under 'users[]'"),
    ((), "endpoints", "it belongs under 'upstreams.<name>'"),
    (("tokens",), "scopes", "it belongs under 'users[]'"),
    (("routes", 0), "issuer", "it belongs under 'tokens'"),
    (("routes", 0), "listen", "it belongs at the top level"),
    (("limits",), "max_body", "it belongs under 'routes[]'"),
    (("routes", 0, "require"), "role", "did you mean 'roles'?"),
    (("claim_headers", "X-A"), "qqq", "known keys: claim, default, format"),
    (("routes", 0, "claim_headers", "X-A"), "clam", "did you mean 'claim'?"),
    (("users", 0), "pasword_hash", "did you mean 'password_hash'?"),
]


@pytest.mark.parametrize(("parent", "key", "cure"), CURES)
def test_the_cure_names_the_likely_key_or_its_home(parent: Path, key: str, cure: str) -> None:
    """A key of the design that is yet to come, one of another section, or a slip."""
    assert find_cure(parent, key) == cure


def test_only_sections_have_unknown_keys() -> None:
    """Where any key is taken, none is unknown; to ask is a bug of ours."""
    with pytest.raises(KeyError):
        find_cure(("upstreams",), "x")
