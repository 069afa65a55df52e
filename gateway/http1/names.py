"""Field names: which kind each is, and which spellings some service would read as the same name.

The one rule to keep in mind: a name is judged by every spelling that *any* service behind the
gateway might fold it to, not only by RFC 9110's case-insensitivity.
"""

import re
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Final


class FieldKind(Enum):
    """What the gateway does with a request field of that name."""

    PASS = auto()  # goes to the service as it came
    DROP = auto()  # hop-by-hop, reserved or oddly spelled: never reaches the service
    HOST = auto()
    CONNECTION = auto()
    CONTENT_LENGTH = auto()
    TRANSFER_ENCODING = auto()
    UPGRADE = auto()
    EXPECT = auto()
    FORWARDING = auto()  # believed only from a trusted proxy
    REQUEST_ID = auto()  # kept only from a trusted proxy
    CREDENTIAL = auto()  # a field in which some route looks for its credential
    COOKIE = auto()  # only where a credential may sit in a cookie, else PASS
    TRACE_PARENT = auto()  # passes where it is well-formed
    TRACE_STATE = auto()  # passes with the former


# Looking a member up on its class takes 0.2 µs in CPython 3.11, a module's name a tenth of that.
PASS: Final = FieldKind.PASS
DROP: Final = FieldKind.DROP

# RFC 9110 section 7.6.1 names the hop-by-hop fields; HTTP2-Settings is RFC 7540 section 3.2.1.
# The method overrides would let a GET that the policy allowed become a DELETE in the service.
STANDARD_KINDS: Final[Mapping[bytes, FieldKind]] = {
    b"host": FieldKind.HOST,
    b"connection": FieldKind.CONNECTION,
    b"content-length": FieldKind.CONTENT_LENGTH,
    b"transfer-encoding": FieldKind.TRANSFER_ENCODING,
    b"upgrade": FieldKind.UPGRADE,
    b"expect": FieldKind.EXPECT,
    b"x-request-id": FieldKind.REQUEST_ID,
    b"forwarded": FieldKind.FORWARDING,
    b"x-real-ip": FieldKind.FORWARDING,
    b"x-rewrite-url": FieldKind.FORWARDING,
    b"traceparent": FieldKind.TRACE_PARENT,
    b"tracestate": FieldKind.TRACE_STATE,
    **dict.fromkeys(
        (
            b"keep-alive",
            b"proxy",  # CGI makes HTTP_PROXY of it (CVE-2016-5385)
            b"proxy-connection",
            b"proxy-authenticate",
            b"proxy-authorization",
            b"te",
            b"trailer",
            b"http2-settings",
            b"x-http-method-override",
            b"x-http-method",
            b"x-method-override",
        ),
        FieldKind.DROP,
    ),
}
_FORWARDING_PREFIXES: Final = (b"x-forwarded-", b"x-original-")

_PLAIN_NAME: Final = re.compile(rb"[A-Za-z0-9\-]+")
_NOT_PLAIN: Final = re.compile(rb"[^a-z0-9\-]")

MEMO_ENTRIES: Final = (
    2048  # distinct spellings remembered per snapshot; real clients use some dozens
)
MEMO_NAME_BYTES: Final = 64  # longer names are judged each time, so that the memo stays below 1 MiB


def fold(name: bytes) -> bytes:
    """Return the one form of all spellings that some service may read as the same name.

    CGI, WSGI and Rack turn ``-`` into ``_``; PHP turns further punctuation into ``_`` as well.

    Source: RFC 3875 section 4.1.18 for CGI; CVE-2025-64484 and CVE-2026-54763 for what comes of it.
    """
    return _NOT_PLAIN.sub(b"-", name.lower())


class NameTable(dict[bytes, FieldKind]):
    """Maps any field name, spelled as received, to its kind; compiled once per snapshot.

    A dictionary that judges a spelling when it is first asked for and then remembers it, so that
    the look-up on the hot path is one operation in C.

    Args:
        reserved: Names that only the gateway may set (identity headers), in any spelling.
        credentials: Names of fields in which a credential may sit.
        cookies: Whether a credential may sit in a cookie.
        keep_odd_names: Pass names with characters outside ``[A-Za-z0-9-]`` on, unless they fold to
        a
            name that means something here.
    """

    __slots__ = ("_keep_odd_names", "_kinds")

    def __init__(
        self,
        *,
        reserved: Iterable[bytes] = (),
        credentials: Iterable[bytes] = (),
        cookies: bool = False,
        keep_odd_names: bool = False,
    ) -> None:
        super().__init__()
        self._kinds = dict(STANDARD_KINDS)
        self._kinds.update((fold(name), FieldKind.CREDENTIAL) for name in credentials)
        self._kinds.update((fold(name), FieldKind.DROP) for name in reserved)
        if cookies:
            self._kinds[b"cookie"] = FieldKind.COOKIE
        self._keep_odd_names = keep_odd_names

    def __missing__(self, name: bytes) -> FieldKind:
        kind = self._judge(name)
        if len(name) <= MEMO_NAME_BYTES and len(self) < MEMO_ENTRIES:
            self[name] = kind
        return kind

    def _judge(self, name: bytes) -> FieldKind:
        folded = fold(name)
        known = self._kinds.get(folded)
        if _PLAIN_NAME.fullmatch(name) is None:
            odd_may_pass = self._keep_odd_names and known is None
            return FieldKind.PASS if odd_may_pass and not _is_forwarding(folded) else FieldKind.DROP
        if known is not None:
            return known
        return FieldKind.FORWARDING if _is_forwarding(folded) else FieldKind.PASS


def _is_forwarding(folded: bytes) -> bool:
    return folded.startswith(_FORWARDING_PREFIXES)
