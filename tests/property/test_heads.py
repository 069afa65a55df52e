"""The head that the service is sent, against a plain list-of-headers reference (DESIGN.md 5)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import Final

from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.errors import Reason
from gateway.policy.claim_headers import ClaimHeader, HeaderPlan
from gateway.policy.model import Auth, Forward, Snapshot
from gateway.policy.peers import TrustedProxies
from tests.kit.policy import (
    COOKIE,
    PEER,
    PLACES,
    REQUEST_ID,
    answer,
    fields_of,
    head,
    reason_of,
    route,
)
from tests.kit.policy import snapshot as compile_routes
from tests.kit.reference import (
    Circumstances,
    Expected,
    Fields,
    Rules,
    expected_fields,
    folded,
    is_forwarding,
)
from tests.kit.tokens import mint

TOKEN: Final = mint()
PLAN: Final = HeaderPlan((ClaimHeader("X-User", "sub"), ClaimHeader("X-User-Email", "email")))
RESERVED: Final = frozenset((b"x-user", b"x-user-email"))

_BASE_NAMES: Final = (
    b"X-User X-User-Email X-Users Accept Accept-Encoding X-Tenant Cookie Connection Keep-Alive TE "
    b"Trailer Upgrade HTTP2-Settings Proxy-Connection Proxy-Authorization Proxy-Authenticate "
    b"Forwarded X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto X-Forwarded-User X-Real-Ip "
    b"X-Original-URL X-Rewrite-Url X-Request-Id Authorization access-token Content-Type "
    b"X-HTTP-Method-Override Range X-Forwardedfor X-Userx"
).split()
_SPELLINGS: Final[tuple[Callable[[bytes], bytes], ...]] = (
    lambda name: name,
    bytes.lower,
    bytes.upper,
    bytes.swapcase,
    lambda name: name.replace(b"-", b"_"),
    lambda name: name.replace(b"-", b"_", 1),
    lambda name: name.replace(b"-", b"."),
    lambda name: name.replace(b"-", b"~"),
    lambda name: name.replace(b"-", b"!", 1),
)
_VALUES: Final = st.one_of(
    st.sampled_from([b"", b"admin", b"a, b", b"x; y=z", b"\xc3\xa9", b"a\tb"]),
    st.binary(max_size=12).map(lambda raw: bytes(b for b in raw if b > 0x20 and b != 0x7F)),
)
_OPTIONS: Final = st.lists(
    st.sampled_from([b"close", b"keep-alive", b"upgrade", b"", *_BASE_NAMES]), max_size=4
).map(b" , ".join)
_COOKIES: Final = st.lists(
    st.sampled_from([b"a=b", b"session_=x", b"theme=dark", b"", b"c", b"=d", b"e=f=g", b"sid=1"]),
    max_size=4,
).map(b"; ".join)
_SCHEMES: Final = st.sampled_from([b"Digest a=b", b"Basic YTpi", b"Negotiate"])
_WHITE: Final = st.sampled_from([b"", b" ", b"\t", b" \t "])


@st.composite
def _fields(draw: st.DrawFn) -> tuple[bytes, bytes]:
    name = draw(st.sampled_from(_SPELLINGS))(draw(st.sampled_from(_BASE_NAMES)))
    match name.lower():
        case b"connection":
            return name, draw(_OPTIONS)
        case b"cookie":
            return name, draw(_COOKIES)
        case b"authorization" | b"access-token":
            return b"Authorization", draw(_SCHEMES)
        case b"upgrade":
            return name, b"h2c"
        case b"x-request-id":
            return name, b"id-of-the-client"
        case _:
            return name, draw(_VALUES)


_PRESENTED: Final[dict[str, tuple[bytes, bytes]]] = {
    "header": (b"Authorization", b"Bearer " + TOKEN),
    "raw": (b"access-token", TOKEN),
    "cookie": (b"Cookie", b"a=b; session=" + TOKEN + b";c=d"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One configuration and one request."""

    received: Fields
    token_in: str | None = None
    auth: Auth = Auth.OPTIONAL
    cookie: bool = False
    forward_credential: bool = False
    keep_odd_names: bool = False
    trusted: bool = False
    white: bytes = b" "

    @property
    def snapshot(self) -> Snapshot:
        """The configuration."""
        only = route(
            "/**",
            auth=self.auth,
            headers=PLAN,
            places=(*PLACES, COOKIE) if self.cookie else PLACES,
            forward_credential=self.forward_credential,
        )
        proxies = TrustedProxies([ip_network(PEER)] if self.trusted else [])
        return compile_routes(only, keep_odd_names=self.keep_odd_names, trusted_proxies=proxies)

    @property
    def head(self) -> bytes:
        """The request."""
        lines = [n + b":" + self.white + v + self.white for n, v in self.received]
        return head("/x?y", *lines)

    @property
    def expected(self) -> Expected:
        """What the service must be sent."""
        rules = Rules(
            reserved=RESERVED,
            credential_fields=frozenset((b"authorization", b"access-token")),
            cookie=b"session" if self.cookie else None,
            forward_credential=self.forward_credential,
            keep_odd_names=self.keep_odd_names,
        )
        verified = self.token_in and (self.cookie or self.token_in != "cookie")
        known = Circumstances(
            peer=PEER.encode("ascii"),
            scheme=b"http",
            host=b"gw.test",
            request_id=REQUEST_ID,
            trusted=self.trusted,
            identity=[(b"X-User", b"alice")] if verified and self.auth is not Auth.NONE else [],
        )
        return expected_fields(self.received, rules, known)


@st.composite
def _requests(draw: st.DrawFn) -> Chosen:
    received = draw(st.lists(_fields(), max_size=14))
    token_in = draw(st.sampled_from([None, *_PRESENTED]))
    if token_in:
        name, value = _PRESENTED[token_in]
        received.insert(draw(st.integers(0, len(received))), (name, value))
    return Chosen(
        received=received,
        token_in=token_in,
        auth=draw(st.sampled_from(Auth)),
        cookie=draw(st.booleans()),
        forward_credential=draw(st.booleans()),
        keep_odd_names=draw(st.booleans()),
        trusted=draw(st.booleans()),
        white=draw(_WHITE),
    )


@given(_requests())
@example(Chosen(received=[(b"Connection", b"close, X-User"), (b"X_USER", b"admin")]))
def test_the_head_for_the_service_equals_the_reference(chosen: Chosen) -> None:
    """DESIGN.md section 5: strip hop-by-hop, reserved names and the credential, then set."""
    decision = answer(chosen.snapshot, chosen.head)

    if isinstance(decision, Forward):
        expected = [(name.lower(), value.strip(b" \t")) for name, value in chosen.expected.fields]
        assert expected == fields_of(decision)
    else:
        assert reason_of(decision) in (Reason.SEVERAL_CREDENTIALS, Reason.CREDENTIAL_MISSING)


@given(_requests())
def test_no_spelling_of_a_reserved_name_survives(chosen: Chosen) -> None:
    """DESIGN.md section 8, guarantee 1: a reserved field is the gateway's, or is not there."""
    decision = answer(chosen.snapshot, chosen.head)
    assume(isinstance(decision, Forward))
    identity = [(b"x-user", b"alice")] if isinstance(decision, Forward) and decision.token else []

    assert identity == [f for f in fields_of(decision) if folded(f[0]) in RESERVED]


@given(_requests(), st.lists(st.sampled_from(_BASE_NAMES), min_size=1, max_size=5))
def test_connection_only_takes_away_what_the_client_sent(
    chosen: Chosen, named: list[bytes]
) -> None:
    """CVE-2024-45410, GHSA-w9mr-28mw-j8hg: Connection never takes what the gateway sets."""
    received = [*chosen.received, (b"Connection", b", ".join(named))]
    without = answer(chosen.snapshot, chosen.head)
    decision = answer(chosen.snapshot, replace(chosen, received=received).head)
    assert reason_of(without) == reason_of(decision)  # nor what it decides on
    assume(isinstance(decision, Forward))
    before, after = fields_of(without), fields_of(decision)

    gone = {folded(name) for name in named}
    assert after == [
        (name, value)
        for name, value in before
        if (name, value) in after or folded(name) not in gone
    ]
    for set_here in (b"x-user", b"x-forwarded-for", b"x-request-id", b"host"):
        assert [f for f in before if f[0] == set_here] == [f for f in after if f[0] == set_here]


@given(_requests())
def test_a_stranger_is_never_believed(chosen: Chosen) -> None:
    """CVE-2026-33495: forwarding fields of a peer that is no trusted proxy do not arrive."""
    decision = answer(replace(chosen, trusted=False).snapshot, chosen.head)
    assume(isinstance(decision, Forward))

    set_here = [
        (b"x-forwarded-for", PEER.encode("ascii")),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"gw.test"),
        (b"x-request-id", REQUEST_ID),
    ]
    forwarding = [f for f in fields_of(decision) if is_forwarding(f[0]) or f[0] == b"x-request-id"]
    assert set_here == forwarding
