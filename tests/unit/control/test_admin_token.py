"""The operator's token."""

import pytest
from starlette.requests import Request

from gateway.control.admin_token import AdminToken


def presented(*values: bytes) -> Request:
    """Return a request with these values of ``Authorization``."""
    return Request({"type": "http", "headers": [(b"authorization", value) for value in values]})


@pytest.mark.parametrize(
    ("values", "is_presented"),
    [
        pytest.param((b"Bearer secret",), True, id="right"),
        pytest.param((b"bearer secret",), True, id="any-case"),
        pytest.param((b"Bearer  secret",), False, id="two-spaces"),
        pytest.param((b"Bearer secret\xff",), False, id="odd-byte"),
        pytest.param((b"Bearer ",), False, id="empty"),
        pytest.param((b"Basic secret",), False, id="scheme"),
        pytest.param((b"Bearer secret", b"Bearer secret"), False, id="twice"),
        pytest.param((), False, id="none"),
    ],
)
def test_it_is_presented_once_and_whole(values: tuple[bytes, ...], is_presented: bool) -> None:  # noqa: FBT001
    """In ``Authorization: Bearer``, compared by digests of one length (THREATS OPS-21)."""
    assert AdminToken("secret").is_presented(presented(*values)) is is_presented


def test_where_there_is_none_nobody_has_it() -> None:
    """No text equals no token."""
    nobody = AdminToken(None)

    assert not nobody
    assert AdminToken("secret")
    assert not nobody.is_presented(presented(b"Bearer "))
    assert not nobody.is_presented(presented(b"Bearer None"))
