"""What the service must be sent, by a plain reference: lists of headers and one rule after another.

Written from DESIGN.md section 5 and not from the code, to be read and believed, not to be fast.
``tests/property/test_heads.py`` proves that the gateway's own edits come to the same.
"""

from dataclasses import dataclass, field
from typing import Final

Field = tuple[bytes, bytes]
Fields = list[Field]

# RFC 9110 section 7.6.1 and its kin; message framing is always made anew; Expect is answered here.
NEVER_PASSED: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"content-length",
        b"upgrade",
        b"http2-settings",
        b"expect",
        b"host",  # set anew
        b"x-request-id",
        # THREATS.md HDR-19: a method other than the one that was decided on
        b"x-http-method-override",
        b"x-http-method",
        b"x-method-override",
    )
)
_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The part of the configuration that a head depends on."""

    reserved: frozenset[bytes]  # lower case
    credential_fields: frozenset[bytes] = frozenset()  # lower case
    cookie: bytes | None = None  # the cookie that holds a credential
    forward_credential: bool = False
    keep_odd_names: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the gateway knows besides the head."""

    peer: bytes
    scheme: bytes
    host: bytes
    request_id: bytes
    trusted: bool = False
    identity: Fields = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Expected:
    """The fields that the service must get, in the order in which they must stand."""

    host: Fields
    passed: Fields  # in the client's order
    credentials: Fields  # of other schemes, or because the route forwards them; their own order
    cookies: Fields
    forwarding: Fields
    identity: Fields

    @property
    def fields(self) -> Fields:
        """All of them."""
        return [
            *self.host,
            *self.passed,
            *self.credentials,
            *self.cookies,
            *self.forwarding,
            *self.identity,
        ]


def expected_fields(received: Fields, rules: Rules, known: Circumstances) -> Expected:
    """Apply DESIGN.md section 5 to *received*, (name as sent, value) pairs, step by step."""
    plain = [(name, value) for name, value in received if is_plain(name)]
    odd_or_plain = received if rules.keep_odd_names else plain

    # Step 1: hop-by-hop fields. Connection cannot take away what the gateway decides on or sets.
    named = {folded(option) for option in _connection_options(plain)}
    decided_on = set(rules.credential_fields) | ({b"cookie"} if rules.cookie else set())
    fields = [
        (name, value)
        for name, value in odd_or_plain
        if _may_pass(name, decided_on)
        and (folded(name) not in named or folded(name) in decided_on or is_forwarding(name))
    ]
    # Step 2: every spelling of a reserved name; forwarding fields, unless the peer is trusted.
    fields = [(name, value) for name, value in fields if folded(name) not in rules.reserved]
    sent = [(name, value) for name, value in fields if is_forwarding(name)]
    fields = [(name, value) for name, value in fields if not is_forwarding(name)]
    # Step 3: the credential.
    credentials = [f for f in fields if f[0].lower() in rules.credential_fields]
    cookies = [f for f in fields if f[0].lower() == b"cookie" and rules.cookie]
    passed = [f for f in fields if f not in credentials and f not in cookies]
    if not rules.forward_credential:
        credentials = [f for f in credentials if not _is_credential(f)]
        cookies = _without_cookie(cookies, rules.cookie)
    # Steps 4 and 5: what the gateway sets.
    return Expected(
        [(b"Host", known.host)],
        passed,
        credentials,
        cookies,
        _forwarding(sent if known.trusted else [], received, known),
        known.identity,
    )


def folded(name: bytes) -> bytes:
    """Return what CGI, WSGI, Rack or PHP could take a name for."""
    return bytes(byte if byte in _PLAIN else ord("-") for byte in name).lower()


def is_plain(name: bytes) -> bool:
    """Whether a name has none of the characters that services fold."""
    return bool(name) and all(byte in _PLAIN for byte in name)


def is_forwarding(name: bytes) -> bool:
    """Whether only a trusted proxy may send a field of this name."""
    lower = folded(name)
    return lower.startswith((b"x-forwarded-", b"x-original-")) or lower in (
        b"forwarded",
        b"x-real-ip",
        b"x-rewrite-url",
    )


def _may_pass(name: bytes, decided_on: set[bytes]) -> bool:
    if folded(name) in NEVER_PASSED:
        return False
    return is_plain(name) or not (folded(name) in decided_on or is_forwarding(name))


def _connection_options(fields: Fields) -> list[bytes]:
    return [
        option.strip(b" \t")
        for name, value in fields
        if name.lower() == b"connection"
        for option in value.split(b",")
        if option.strip(b" \t")
    ]


def _is_credential(field: Field) -> bool:
    name, value = field
    return name.lower() != b"authorization" or value.split(b" ")[0].lower() == b"bearer"


def _without_cookie(cookies: Fields, wanted: bytes | None) -> Fields:
    pairs = [pair.strip(b" \t") for _, value in cookies for pair in value.split(b";")]
    kept = [pair for pair in pairs if pair and pair.split(b"=")[0].rstrip(b" \t") != wanted]
    return [(b"Cookie", b"; ".join(kept))] if kept else []


def _forwarding(sent: Fields, received: Fields, known: Circumstances) -> Fields:
    chain = [value for name, value in sent if name.lower() == b"x-forwarded-for"]
    fields = [(name, value) for name, value in sent if name.lower() != b"x-forwarded-for"]
    fields.append((b"X-Forwarded-For", b", ".join([*chain, known.peer])))
    names = {name.lower() for name, _ in sent}
    if b"x-forwarded-proto" not in names:
        fields.append((b"X-Forwarded-Proto", known.scheme))
    if b"x-forwarded-host" not in names:
        fields.append((b"X-Forwarded-Host", known.host))
    ids = [value for name, value in received if name.lower() == b"x-request-id"]
    kept = ids[-1] if known.trusted and ids else known.request_id
    return [*fields, (b"X-Request-Id", kept)]
