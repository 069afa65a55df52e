"""Warnings: what is allowed and probably not meant."""

from pathlib import Path

import pytest

from gateway.config.compile import compile_snapshot, find_warnings
from gateway.config.weakness import is_guessable
from tests.unit.config.conftest import BASE, Read

BCRYPT = "$2b$04$abcdefghijklmnopqrstuu5Z8Q0Zk2pQFkGfYc2sO1j4mYBgT8rG2"
RANDOM = "q8Zr0vXn3JtLw5Pe7Ky1Bf9Hd2Mc4Gs6"


def route(path: str, rest: str = "") -> str:
    """Return a route with a name, on one line."""
    return f"- {{name: 'n{path}{len(rest)}', path: '{path}', upstream: products{rest}}}\n"


PUBLIC = ", auth: none"

WARNINGS = [
    pytest.param(
        "",
        [
            "0: : there are no routes: every request gets 404",
            "3: upstreams.products: no route leads to the upstream 'products'",
        ],
        id="nothing",
    ),
    pytest.param(
        f"users:\n- username: a\n  password_hash: {BCRYPT}\nroutes:\n" + route("/x"),
        [
            (
                "7: users[0].password_hash: this hash is weaker than argon2id with our "
                "parameters; make a new one with 'gateway hash-password'"
            )
        ],
        id="weak-hash",
    ),
    pytest.param(
        "routes:\n- {path: /x, upstream: products}",
        ["6: routes[0]: the route has no name for logs and metrics"],
        id="no-name",
    ),
    pytest.param(
        "credentials: [{cookie: c}, {query: t}]\nroutes:\n" + route("/x"),
        [
            (
                "5: credentials[1]: a token in the query parameter t ends up in logs and browser "
                "histories"
            )
        ],
        id="query",
    ),
    pytest.param(
        "routes:\n" + route("/x", PUBLIC + ", claim_headers: {X-A: sub}"),
        [
            (
                "6: routes[0].claim_headers: with 'auth: none' no claim is known, so that these "
                "headers are never set"
            )
        ],
        id="headers-without-auth",
    ),
    pytest.param(
        "routes:\n" + route("/a/**") + route("/a/b", PUBLIC),
        ["7: routes[1].path: this public route lies below the protected /a/** of line 6"],
        id="public-below-protected",
    ),
    pytest.param(
        "routes:\n" + route("/a/b/**") + route("/**", PUBLIC) + route("/a/**"),
        [
            "6: routes[0].path: this protected route lies below the public /** of line 7",
            "8: routes[2].path: this protected route lies below the public /** of line 7",
        ],
        id="protected-below-public",
    ),
    pytest.param(
        "routes:\n"
        + route("/a/**", ", methods: [GET]")
        + route("/a/**", PUBLIC + ", methods: [PUT]"),
        [
            "6: routes[0].path: this protected route lies below the public /a/** of line 7",
            "7: routes[1].path: this public route lies below the protected /a/** of line 6",
        ],
        id="same-path",
    ),
    pytest.param(
        "routes:\n"
        + route("/a/**", ", hosts: [a.test]")
        + route("/a/b", PUBLIC + ", hosts: [b.test]"),
        [],
        id="other-host",
    ),
    pytest.param("routes:\n" + route("/a") + route("/a/b", PUBLIC), [], id="no-prefix"),
]


@pytest.mark.parametrize(("more", "expected"), WARNINGS)
def test_what_is_doubtful_gives_a_warning(more: str, expected: list[str], read_more: Read) -> None:
    """DESIGN.md section 7, ``check``; each with its line."""
    config = read_more(more)
    warnings = find_warnings(config, compile_snapshot(config, ()))

    assert sorted(f"{w.place.line}: {w.place.path}: {w.text}" for w in warnings) == sorted(expected)


GUESSABLE = [
    "a" * 32,
    "abc" * 12,
    "0123456789" * 4,
    "correct-horse-my-secret-battery-x9",
    "Changeme!" + RANDOM,
    "1a2b3c4d" * 4,
    "x" + "y" * 31,
]


@pytest.mark.parametrize("secret", GUESSABLE)
def test_a_long_secret_can_be_weak(secret: str) -> None:
    """Enough bytes are not enough: repetition and words are tried first."""
    assert is_guessable(secret)


@pytest.mark.parametrize("secret", [RANDOM, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd1"])
def test_a_random_secret_is_not_weak(secret: str) -> None:
    """Base64 and hexadecimal digits of random bytes pass."""
    assert not is_guessable(secret)


@pytest.mark.parametrize(("secret", "count"), [("abcd" * 8, 1), (RANDOM, 0)])
def test_a_weak_secret_gives_a_warning_that_does_not_quote_it(
    secret: str, count: int, read: Read
) -> None:
    """THREATS.md JWT-07 and OPS-19."""
    text = BASE.replace("audience:", f"algorithm: HS256, secret: '{secret}', audience:")
    config = read(text + "routes:\n" + route("/x"))
    warnings = find_warnings(config, compile_snapshot(config, ()))

    assert len(warnings) == count
    assert all(secret not in str(warning) for warning in warnings)


def test_a_secret_file_for_everyone_gives_a_warning(read: Read, tmp_path: Path) -> None:
    """THREATS.md OPS-06."""
    path = tmp_path / "secret"
    path.write_text(RANDOM)
    path.chmod(0o644)
    text = BASE.replace("audience:", f"algorithm: HS256, secret: '${{file:{path}}}', audience:")
    config = read(text + "routes:\n" + route("/x"))

    (warning,) = find_warnings(config, compile_snapshot(config, ()))
    assert (warning.place.line, warning.place.path) == (2, "tokens.secret")


POSTGRESQL = "store: postgresql://u:hunter2@h/d\n"
IN_THE_CLEAR = "without 'store_key' the signing keys lie in this database in the clear"
STORES = [
    pytest.param(POSTGRESQL, "", [f"5: store: {IN_THE_CLEAR}"], id="postgresql"),
    pytest.param(
        POSTGRESQL.replace("postgresql:", "postgres:"),
        "",
        [f"5: store: {IN_THE_CLEAR}"],
        id="postgres",
    ),
    pytest.param(POSTGRESQL + f"store_key: {RANDOM}\n", "", [], id="sealed"),
    pytest.param(POSTGRESQL, f"algorithm: HS256, secret: {RANDOM}", [], id="secret"),
    pytest.param(
        POSTGRESQL,
        'signing_key: "-----BEGIN PRIVATE KEY-----\\nMIGH\\n-----END PRIVATE KEY-----"',
        [],
        id="signing-key",
    ),
    pytest.param("store: sqlite:///var/x.db\n", "", [], id="sqlite"),
    pytest.param("workers: 8\nadmin: {listen: 'localhost:8081'}\n", "", [], id="admin-and-workers"),
    pytest.param(
        "store_key: " + "ab" * 16 + "\nadmin: {token: " + "cd" * 16 + "}\n",
        "",
        [
            f"{line}: {path}: the secret is long enough but can be guessed; make one: openssl rand "
            "-hex 32"
            for line, path in ((5, "store_key"), (6, "admin.token"))
        ],
        id="guessable",
    ),
]


@pytest.mark.parametrize(("more", "tokens", "expected"), STORES)
def test_keys_in_the_clear_in_a_shared_database_give_a_warning(
    more: str, tokens: str, expected: list[str], read: Read
) -> None:
    """Where the gateway makes its keys itself, and whoever reads the database could sign."""
    text = BASE.replace("audience:", f"{tokens}, audience:") if tokens else BASE
    config = read(text + more + "routes:\n" + route("/x"))
    warnings = find_warnings(config, compile_snapshot(config, ()))

    assert [f"{w.place.line}: {w.place.path}: {w.text}" for w in warnings] == expected


def test_a_service_that_is_not_verified_is_warned_of(read: Read) -> None:
    """Loudly, and at its line; not where it is verified."""
    config = read(
        "version: 1\ntokens: {issuer: i, audience: a}\nupstreams:\n"
        "  a: {endpoints: ['https://a'], tls: {verify: false}}\n"
        "  b: {endpoints: ['https://a'], tls: {verify: true}}\n"
        "  c: {endpoints: ['https://a']}\n"
    )
    warnings = [w for w in find_warnings(config, compile_snapshot(config, ())) if "tls" in str(w)]

    assert [warning.place.line for warning in warnings] == [4]
    assert "ANYONE" in warnings[0].text
