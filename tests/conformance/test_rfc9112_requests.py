"""Malformed requests: refused the same however TCP cuts them; no byte of them reaches a service.

The rows are THREATS.md A4 (SMG-...) and DESIGN.md section 10. httptools lets some of them through
and refuses others; both stand here, so that an upgrade of it cannot loosen what it refuses.

Source: RFC 9112.
"""

import pytest

from tests.kit.gateway import GatewayProcess
from tests.kit.upstream import Upstream
from tests.kit.wire import Verdict, Wire, read_verdict, replay

HOST = b"Host: gw.test\r\n"
BAD = Verdict(400, "bad_request", closed=True)
TOO_LARGE = Verdict(413, "body_too_large", closed=True)
NOT_IMPLEMENTED = Verdict(501, "not_implemented", closed=True)
VERSION = Verdict(505, "http_version", closed=True)


def get(fields: bytes = b"", line: bytes = b"GET /public HTTP/1.1") -> bytes:
    """Return a request without a body to an open route."""
    return line + b"\r\n" + HOST + fields + b"\r\n"


def post(fields: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    """Return a request with a body to an open route."""
    return b"POST /public HTTP/%b\r\n%b%b\r\n%b" % (version, HOST, fields, body)


def coded(*fields: bytes) -> bytes:
    """Return a request whose transfer codings are *fields*, with a chunked body."""
    lines = b"".join(b"Transfer-Encoding:" + value + b"\r\n" for value in fields)
    return post(lines, b"5\r\nhello\r\n0\r\n\r\n")


def sized(*values: bytes) -> bytes:
    """Return a request whose content lengths are *values*, with five bytes of body."""
    return post(b"".join(b"Content-Length:" + value + b"\r\n" for value in values), b"hello")


# Refused on the head alone.
HEADS = [
    # -- the request line
    pytest.param(b"GET /public\r\n\r\n", BAD, id="SMG-27-http09"),
    pytest.param(get(line=b"GET /public HTTP/0.9"), VERSION, id="SMG-27-version-0.9"),
    pytest.param(get(line=b"GET /public HTTP/2.0"), VERSION, id="SMG-27-version-2.0"),
    pytest.param(get(line=b"GET /public HTTP/1.2"), BAD, id="version-1.2"),
    pytest.param(get(line=b"GET /public http/1.1"), BAD, id="version-lower-case"),
    pytest.param(get(line=b"GET  /public HTTP/1.1"), BAD, id="SMG-26-two-spaces"),
    pytest.param(get(line=b"GET /public  HTTP/1.1"), BAD, id="two-spaces-before-version"),
    pytest.param(get(line=b"GET /public HTTP/1.1 "), BAD, id="space-behind-version"),
    pytest.param(get(line=b"GET\t/public HTTP/1.1"), BAD, id="tab-in-request-line"),
    pytest.param(get(line=b" GET /public HTTP/1.1"), BAD, id="space-before-method"),
    pytest.param(get(line=b"G\x00T /public HTTP/1.1"), BAD, id="nul-in-method"),
    pytest.param(get(line=b"PRI * HTTP/2.0"), BAD, id="http2-preface"),
    pytest.param(get(line=b"GET /public RTSP/1.0"), BAD, id="rtsp"),
    pytest.param(get(line=b"SOURCE /public ICE/1.0"), BAD, id="ice"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", BAD, id="tls-client-hello"),
    pytest.param(b"GET /public HTTP/1.1\n" + HOST + b"\r\n", BAD, id="SMG-24-lf-in-request-line"),
    pytest.param(b"GET /public HTTP/1.1\r" + HOST + b"\r\n", BAD, id="SMG-24-cr-in-request-line"),
    pytest.param(b"\n" + get(), BAD, id="lf-before-request-line"),
    pytest.param(b"\r\n\n" + get(), BAD, id="lf-behind-empty-line"),
    pytest.param(b"\r" + get(), BAD, id="cr-before-request-line"),
    # -- fields
    pytest.param(get(b"X-A: a\nX-B: b\r\n"), BAD, id="SMG-24-lf-in-fields"),
    pytest.param(get(b"X-A: a\rX-B: b\r\n"), BAD, id="SMG-24-cr-in-value"),
    pytest.param(get(b"X-A: a\x00b\r\n"), BAD, id="SMG-24-nul-in-value"),
    pytest.param(get(b"X-A: a\x01b\r\n"), BAD, id="SMG-24-control-in-value"),
    pytest.param(get(b"X-A: a\x7fb\r\n"), BAD, id="SMG-24-del-in-value"),
    pytest.param(get(b": a\r\n"), BAD, id="SMG-24-empty-name"),
    pytest.param(get(b"X-A\r\n"), BAD, id="SMG-24-no-colon"),
    pytest.param(get(b"X-\x80: a\r\n"), BAD, id="SMG-24-high-byte-in-name"),
    pytest.param(get(b"X A: a\r\n"), BAD, id="space-in-name"),
    pytest.param(get(b"X-A : a\r\n"), BAD, id="space-before-colon"),
    pytest.param(get(b"X-A\t: a\r\n"), BAD, id="tab-before-colon"),
    pytest.param(get(b"X-A: a\r\n b\r\n"), BAD, id="obs-fold"),
    pytest.param(get(b"X-A: a\r\n\tb\r\n"), BAD, id="obs-fold-tab"),
    pytest.param(b"GET /public HTTP/1.1\r\n " + HOST + b"\r\n", BAD, id="space-before-first-field"),
    pytest.param(b"GET /public HTTP/1.1\r\n" + HOST + b"\rX", BAD, id="SMG-24-cr-x-at-the-end"),
    pytest.param(b"GET /public HTTP/1.1\r\n" + HOST + b"\n", BAD, id="lf-at-the-end"),
    # -- length
    pytest.param(sized(b" 5", b" 6"), BAD, id="SMG-03-two-lengths"),
    pytest.param(sized(b" 5", b" 5"), BAD, id="SMG-03-equal-lengths"),
    pytest.param(sized(b" 5, 5"), BAD, id="SMG-03-list-of-lengths"),
    pytest.param(sized(b" +5"), BAD, id="SMG-04-plus"),
    pytest.param(sized(b" -1"), BAD, id="SMG-04-minus"),
    pytest.param(sized(b" 0x5"), BAD, id="SMG-04-hex"),
    pytest.param(sized(b" 5_0"), BAD, id="SMG-04-underscore"),
    pytest.param(sized(b" 5 5"), BAD, id="SMG-04-space-inside"),
    pytest.param(sized(b" 1e1"), BAD, id="SMG-04-exponent"),
    pytest.param(sized(b" \xd9\xa5"), BAD, id="SMG-04-arabic-digit"),
    pytest.param(sized(b""), BAD, id="SMG-04-empty"),
    pytest.param(sized(b" 18446744073709551616"), BAD, id="length-of-2-to-64"),
    pytest.param(sized(b" 9223372036854775807"), TOO_LARGE, id="length-of-2-to-63-less-1"),
    pytest.param(sized(b" 18446744073709551615"), TOO_LARGE, id="SMG-06-length-of-2-to-64-less-1"),
    # -- transfer coding
    pytest.param(
        post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
        BAD,
        id="SMG-01-cl-te",
    ),
    pytest.param(
        post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n"),
        BAD,
        id="SMG-02-te-cl",
    ),
    pytest.param(coded(b" gzip, chunked"), NOT_IMPLEMENTED, id="SMG-07-gzip-chunked"),
    pytest.param(coded(b" identity", b" chunked"), BAD, id="SMG-08-identity-then-chunked"),
    pytest.param(coded(b" ,chunked"), BAD, id="SMG-09-empty-member"),
    pytest.param(coded(b" chunked;q=1"), BAD, id="SMG-09-parameter"),
    pytest.param(coded(b' "chunked"'), BAD, id="SMG-09-quoted"),
    pytest.param(coded(b" chunked, chunked"), BAD, id="SMG-10-chunked-twice"),
    pytest.param(coded(b" chunked", b" chunked"), BAD, id="SMG-10-two-fields"),
    pytest.param(coded(b" chunked, identity"), BAD, id="SMG-10-identity-last"),
    pytest.param(coded(b" chunked, gzip"), BAD, id="gzip-last"),
    pytest.param(coded(b" xchunked"), BAD, id="xchunked"),
    pytest.param(coded(b" \x0bchunked"), BAD, id="SMG-12-vertical-tab"),
    pytest.param(coded(b"\r\n chunked"), BAD, id="SMG-12-obs-fold"),
    pytest.param(post(b"Transfer-Encoding : chunked\r\n"), BAD, id="SMG-12-space-before-colon"),
    pytest.param(post(b"\tTransfer-Encoding: chunked\r\n"), BAD, id="SMG-12-tab-before-name"),
    pytest.param(
        post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"1.0"), BAD, id="SMG-13-te-in-1.0"
    ),
    pytest.param(
        post(b"Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n", b"1.0"),
        BAD,
        id="SMG-13-te-in-1.0-kept-alive",
    ),
    # -- upgrade
    pytest.param(
        post(b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", b"hello"),
        BAD,
        id="SMG-39-websocket-with-length",
    ),
    pytest.param(
        post(b"Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n"),
        BAD,
        id="SMG-39-websocket-with-coding",
    ),
]

CHUNKED = b"Transfer-Encoding: chunked\r\n"

# Refused in the body: the head was good, so a service may have seen it, but never an end.
BODIES = [
    pytest.param(b"5;ext\nhello\r\n0\r\n\r\n", BAD, id="SMG-14-lf-behind-extension"),
    pytest.param(b"5;a\rb\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-14-cr-in-extension"),
    pytest.param(b"5;a\x01\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-14-control-in-extension"),
    pytest.param(b"5;\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-14-empty-extension"),
    pytest.param(b"0x5\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-16-prefix"),
    pytest.param(b"+5\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-16-plus"),
    pytest.param(b"-5\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-16-minus"),
    pytest.param(b" 5\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-16-space-before"),
    pytest.param(b"5 \r\nhello\r\n0\r\n\r\n", BAD, id="SMG-16-space-behind"),
    pytest.param(b"00000000000000005\r\nhello\r\n0\r\n\r\n", BAD, id="SMG-16-17-digits"),
    pytest.param(b"\r\nhello\r\n0\r\n\r\n", BAD, id="no-size"),
    pytest.param(b"ffffffffffffffff\r\nhello", TOO_LARGE, id="SMG-17-2-to-64-less-1"),
    pytest.param(b"a00001\r\nhello", TOO_LARGE, id="one-byte-more-than-the-route-takes"),
    pytest.param(b"5\nhello\r\n0\r\n\r\n", BAD, id="SMG-19-lf-behind-size"),
    pytest.param(b"5\r\nhello\n0\r\n\r\n", BAD, id="SMG-19-lf-behind-data"),
    pytest.param(b"5\r\nhello\r\n0\n\r\n", BAD, id="SMG-19-lf-behind-last-size"),
    pytest.param(b"5\r\nhello\r\n0\r\n\n", BAD, id="SMG-19-lf-at-the-end"),
    pytest.param(b"5\r\nhelloXX0\r\n\r\n", BAD, id="SMG-20-longer-than-its-size"),
    pytest.param(b"5\r\nhello0\r\n\r\n", BAD, id="no-crlf-behind-data"),
    pytest.param(b"0\r\nContent-Length: 50\r\n\r\n", BAD, id="SMG-21-trailer-length"),
    pytest.param(b"0\r\nTransfer-Encoding: x\r\n\r\n", BAD, id="SMG-21-trailer-coding"),
    pytest.param(b"0\r\nX-A : a\r\n\r\n", BAD, id="trailer-space-before-colon"),
    pytest.param(b"0\r\nX-A: a\r\n b\r\n\r\n", BAD, id="trailer-obs-fold"),
    pytest.param(b"0\r\nX-A: a\x00\r\n\r\n", BAD, id="trailer-nul"),
    pytest.param(b"0\r\nX-A\r\n\r\n", BAD, id="trailer-no-colon"),
]

# Too long to be cut at each offset.
LONG = [
    pytest.param(get(line=b"GET " + b" " * 100_000 + b"/public HTTP/1.1"), id="SMG-26-spaces"),
    pytest.param(b"\r\n" * 50_000 + get(), id="SMG-25-empty-lines"),
    pytest.param(post(CHUNKED, b"5;" + b"a" * 1_000_000), id="SMG-15-extension"),
    pytest.param(
        post(CHUNKED, (b"1;" + b"a" * 1000 + b"\r\na\r\n") * 10_000 + b"0\r\n\r\n"),
        id="SMG-15-extensions",
    ),
    pytest.param(post(CHUNKED, b"0" * 1_000_000 + b"5\r\nhello\r\n0\r\n\r\n"), id="SMG-18-zeros"),
    pytest.param(post(CHUNKED, b"0\r\n" + b"X-A: a\r\n" * 125_000 + b"\r\n"), id="SMG-23-trailers"),
]


@pytest.mark.parametrize(("request_bytes", "verdict"), HEADS)
def test_a_malformed_head_is_refused_however_it_is_cut(
    gateway: GatewayProcess, upstream: Upstream, request_bytes: bytes, verdict: Verdict
) -> None:
    """SMG-58: the answer depends on the bytes, never on their cuts; the service sees nothing."""
    verdicts = replay(gateway.port, request_bytes)

    assert verdicts == {verdict}
    assert upstream.byte_count == 0


@pytest.mark.parametrize(("body", "verdict"), BODIES)
def test_a_malformed_body_is_refused_however_it_is_cut(
    gateway: GatewayProcess, upstream: Upstream, body: bytes, verdict: Verdict
) -> None:
    """RFC 9112 section 7.1: a body with a second reading is not finished toward the service."""
    verdicts = replay(gateway.port, post(CHUNKED, body))

    assert verdicts == {verdict}
    assert not any(request.complete for request in upstream.requests)


@pytest.mark.parametrize("request_bytes", LONG)
def test_what_has_no_end_is_cut_off(
    gateway: GatewayProcess, upstream: Upstream, request_bytes: bytes
) -> None:
    """A head, a chunk's size and trailers have an end within their limits, or are refused."""
    with Wire(gateway.port) as wire:
        wire.send(request_bytes)
        verdict = read_verdict(wire)

    assert verdict.status in (400, 414, 431)
    assert verdict.closed
    assert not any(request.complete for request in upstream.requests)


HEAD_REFUSED = [
    pytest.param(get(line=b"HEAD /public//x HTTP/1.1"), (400, "", True), id="path"),
    pytest.param(get(line=b"HEAD /public HTTP/2.0"), (505, "", True), id="version"),
    pytest.param(b"HEAD /public HTTP/1.1\r\n\r\n", (400, "", True), id="no-host"),
    pytest.param(get(b"X-A : a\r\n", line=b"HEAD /public HTTP/1.1"), (400, "", True), id="field"),
    pytest.param(get(line=b"HEAD /p HTTP/1.1"), (401, "", False), id="no-token"),
    pytest.param(get(line=b"HEAD /none HTTP/1.1"), (404, "", False), id="no-route"),
]


@pytest.mark.parametrize(("request_bytes", "verdict"), HEAD_REFUSED)
def test_a_refusal_of_head_has_no_body(
    gateway: GatewayProcess,
    upstream: Upstream,
    request_bytes: bytes,
    verdict: tuple[int, str, bool],
) -> None:
    """RFC 9110 section 9.3.2: no content in answer to HEAD, not even behind the last answer."""
    verdicts = replay(gateway.port, request_bytes, method=b"HEAD")

    assert verdicts == {verdict}
    assert upstream.byte_count == 0


def test_an_http10_request_needs_no_host(gateway: GatewayProcess, upstream: Upstream) -> None:
    """RFC 9112 section 3.2 asks for Host from 1.1 on; the service is sent its own authority."""
    verdicts = replay(gateway.port, b"GET /public HTTP/1.0\r\n\r\n")

    assert verdicts == {Verdict(200, "", closed=True)}
    assert {tuple(r.header(b"host")) for r in upstream.requests} == {(upstream.authority.encode(),)}


GOOD = [
    pytest.param(sized(b" 5"), id="length"),
    pytest.param(sized(b" 005"), id="SMG-05-leading-zeros"),
    pytest.param(sized(b" 5 "), id="SMG-05-trailing-space"),
    pytest.param(b"\r\n\r\n" + sized(b" 5"), id="SMG-25-two-empty-lines"),
    pytest.param(coded(b" chunked"), id="chunked"),
    pytest.param(coded(b" Chunked "), id="chunked-capital"),
    pytest.param(post(CHUNKED, b"2;a=b\r\nhe\r\n03\r\nllo\r\n0;x\r\n\r\n"), id="extensions"),
    pytest.param(post(CHUNKED, b"5\r\nhello\r\n0\r\nX-User: admin\r\n\r\n"), id="HDR-14-trailer"),
    pytest.param(post(CHUNKED, b"5\r\nhello\r\n0\r\nHost: evil\r\n\r\n"), id="SMG-22-trailer-host"),
    pytest.param(
        post(CHUNKED, b"5\r\nhello\r\n0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"),
        id="SMG-22-trailer-upgrade",
    ),
    pytest.param(
        post(b"Transfer_Encoding: chunked\r\nContent-Length: 5\r\n", b"hello"),
        id="SMG-11-underscore",
    ),
    pytest.param(
        post(b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n", b"hello"),
        id="SMG-36-upgrade-offer",
    ),
    pytest.param(
        post(b"Connection: Upgrade\r\nUpgrade: foo\r\n" + CHUNKED, b"5\r\nhello\r\n0\r\n\r\n"),
        id="SMG-38-upgrade-offer-chunked",
    ),
]


@pytest.mark.parametrize("request_bytes", GOOD)
def test_a_good_request_arrives_framed_anew_however_it_is_cut(
    gateway: GatewayProcess, upstream: Upstream, request_bytes: bytes
) -> None:
    """The service gets one reading of the message: the body, one framing, no trailer, no offer."""
    verdicts = replay(gateway.port, request_bytes, method=b"POST")

    assert verdicts == {Verdict(200, "", closed=False)}
    assert {request.body for request in upstream.requests} == {b"hello"}
    framings = {
        (*request.header(b"content-length"), *request.header(b"transfer-encoding"))
        for request in upstream.requests
    }
    assert framings in ({(b"5",)}, {(b"chunked",)})
    seen = {name for request in upstream.requests for name in request.names}
    assert seen.isdisjoint((b"x-user", b"upgrade", b"connection", b"http2-settings"))
    assert not any(b"_" in name for name in seen)
