"""Cookies: none is lost, and none is read in two ways."""

import pytest

from gateway.http1.cookies import split_cookies


@pytest.mark.parametrize(
    ("lines", "cookies"),
    [
        pytest.param([b"Cookie: a=b"], [(b"a", b"b", b"a=b")], id="one"),
        pytest.param(
            [b"Cookie:a=b;c=d", b"cookie: e=f"],
            [(b"a", b"b", b"a=b"), (b"c", b"d", b"c=d"), (b"e", b"f", b"e=f")],
            id="several-lines",
        ),
        pytest.param([b"Cookie: ;; \t;"], [], id="nothing"),
        pytest.param([b"Cookie: a=b=c"], [(b"a", b"b=c", b"a=b=c")], id="second-equals-sign"),
        pytest.param([b'Cookie: a="b"'], [(b"a", b"b", b'a="b"')], id="quoted"),
        pytest.param([b"Cookie: a"], [(b"a", b"", b"a")], id="no-value"),
        pytest.param([b"Cookie: =a"], [(b"", b"a", b"=a")], id="no-name"),
        pytest.param([b"Cookie: s =x"], [(b"s", b"x", b"s =x")], id="space-behind-name"),
        pytest.param(
            [b"Cookie: bad[name]=1; \xff=\xfe; s=good"],
            [
                (b"bad[name]", b"1", b"bad[name]=1"),
                (b"\xff", b"\xfe", b"\xff=\xfe"),
                (b"s", b"good", b"s=good"),
            ],
            id="malformed-beside-good",
        ),
        pytest.param(
            [b"Cookie: s=a; s=b"], [(b"s", b"a", b"s=a"), (b"s", b"b", b"s=b")], id="same-twice"
        ),
    ],
)
def test_every_cookie_is_found(
    lines: list[bytes], cookies: list[tuple[bytes, bytes, bytes]]
) -> None:
    """RFC 6265 section 5.4: pairs are separated by ``;``, the first ``=`` ends a name."""
    assert cookies == split_cookies(lines)
