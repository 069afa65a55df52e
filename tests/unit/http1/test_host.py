"""The authority: one host, or nothing."""

import pytest

from gateway.errors import ProtocolError, Reason
from gateway.http1.host import parse_host


@pytest.mark.parametrize(
    ("value", "host"),
    [
        pytest.param(b"gw.test", b"gw.test", id="plain"),
        pytest.param(b"GW.Test", b"gw.test", id="upper-case"),
        pytest.param(b"gw.test.", b"gw.test", id="root-dot"),
        pytest.param(b"gw.test.:80", b"gw.test", id="root-dot-and-port"),
        pytest.param(b".", b".", id="root-alone"),
        pytest.param(b"gw.test:8080", b"gw.test", id="port"),
        pytest.param(b"127.0.0.1:65535", b"127.0.0.1", id="ipv4"),
        pytest.param(b"[::1]:80", b"[::1]", id="ipv6"),
        pytest.param(b"[2001:DB8::1]", b"[2001:db8::1]", id="ipv6-upper-case"),
        pytest.param(b"[::ffff:127.0.0.1]", b"[::ffff:127.0.0.1]", id="ipv6-mapped"),
        pytest.param(b"a" * 255, b"a" * 255, id="longest"),
    ],
)
def test_a_host_is_read_as_routes_compare_it(value: bytes, host: bytes) -> None:
    """RFC 9110 section 7.2: the name in lower case, without port and root dot."""
    assert host == parse_host(value)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="HOST-03-empty"),
        pytest.param(b"gw.test, evil", id="HOST-04-list"),
        pytest.param(b"u@gw.test", id="HOST-05-user"),
        pytest.param(b"gw.test/admin?", id="HOST-06-path"),
        pytest.param(b"gw.test#x", id="HOST-06-fragment"),
        pytest.param(b"gw.test\\x", id="HOST-06-backslash"),
        pytest.param(b"gw.test:", id="HOST-07-empty-port"),
        pytest.param(b"gw.test:99999", id="HOST-07-large-port"),
        pytest.param(b"gw.test:8a", id="HOST-07-hex-port"),
        pytest.param(b"gw.test:80:80", id="HOST-07-two-ports"),
        pytest.param(b"[::1", id="HOST-10-open-bracket"),
        pytest.param(b"[::1]x", id="HOST-10-behind-bracket"),
        pytest.param(b"[v1.x]", id="HOST-10-future"),
        pytest.param(b"[1::2::3]", id="not-an-address"),
        pytest.param(b"[fe80::1%eth0]", id="zone"),
        pytest.param(b'x"; evil', id="HOST-15-quote"),
        pytest.param(b"gw%2etest", id="escape"),
        pytest.param(b"gw.test\n", id="line-feed"),
        pytest.param(b"caf\xc3\xa9.test", id="not-ascii"),
        pytest.param(b"a" * 256, id="too-long"),
        pytest.param(b"a." * 15_000, id="walked-label-by-label"),
    ],
)
def test_what_is_not_one_host_is_refused(value: bytes) -> None:
    """CVE-2026-48710: a Host that two readers split differently is 400."""
    with pytest.raises(ProtocolError) as caught:
        parse_host(value)

    assert caught.value.reason is Reason.BAD_REQUEST
