"""The kit's configuration and tokens; the process itself is tested by every table."""

import jwt

from tests.kit.gateway import AUDIENCE, SECRET, bearer, configuration, mint


def test_a_minted_token_is_an_access_token() -> None:
    """It has all that the gateway asks of a token of its own."""
    token = mint(sub="bob", email=None)

    claims = jwt.decode(token, SECRET, algorithms=["HS256"], audience=AUDIENCE)
    assert (claims["sub"], claims["email"]) == ("bob", None)
    assert jwt.get_unverified_header(token)["typ"] == "at+jwt"


def test_a_bearer_line_is_one_field_line() -> None:
    """It can be put between two other lines."""
    assert bearer().startswith(b"Authorization: Bearer ey")
    assert bearer().endswith(b"\r\n")


def test_changes_replace_keys_and_merge_into_the_upstream() -> None:
    """A test names only what it changes."""
    document = configuration(9, listen="x", upstream={"max_connections": 1})

    assert document["listen"] == "x"
    assert document["upstreams"]["raw"] == {
        "endpoints": ["http://127.0.0.1:9"],
        "max_connections": 1,
    }
