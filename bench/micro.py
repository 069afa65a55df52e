"""What single steps of the hot path cost: ``python -m bench.micro``.

Each row is the median of several timed repetitions, and the fastest of them, in microseconds. They
say where a change of the hot path has its effect; whether it counts, ``bench.compare`` says.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from statistics import median
from timeit import Timer
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.exchange import make_exchange
from bench.tokens import AUDIENCE, ISSUER, Signer, mint
from gateway.errors import Reason
from gateway.http1.fields import parse_fields
from gateway.http1.names import NameTable
from gateway.http1.response import parse_response_head
from gateway.policy.checked import CheckedCredentials
from gateway.policy.claim_headers import ClaimHeader, HeaderPlan
from gateway.policy.decide import decide
from gateway.policy.model import (
    CredentialPlace,
    Endpoint,
    Forward,
    Limits,
    PlaceKind,
    Request,
    Route,
    Snapshot,
    Upstream,
)
from gateway.policy.problem import problem_body
from gateway.policy.revoked import NoRevocations
from gateway.policy.routing import Pattern, Router
from gateway.policy.signature import VerificationKey
from gateway.policy.tokens import Issuer, TokenVerifier, VerifiedToken
from gateway.proxy.heads import ResponseHeadReader, read_request_head

REPETITIONS: Final = 9
NOW_S: Final = 1_800_000_000.0
SECRET: Final = "a secret that is used by these measurements only"  # noqa: S105 (guards nothing)

PLACES: Final = (
    CredentialPlace(PlaceKind.SCHEME, b"authorization", b"bearer"),
    CredentialPlace(PlaceKind.RAW, b"access-token"),
)
CLAIM_HEADERS: Final = (
    ClaimHeader("X-User-Id", "sub"),
    ClaimHeader("X-User-Name", "username"),
    ClaimHeader("X-User-Roles", "roles"),
    ClaimHeader("X-User-Plan", "org.plan", default="free"),
)
LIMITS: Final = Limits()

# What a browser sends besides Host and Authorization.
_BROWSER_FIELDS: Final = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    b"Accept: application/json, text/plain, */*",
    b"Accept-Language: en-GB,en;q=0.7,fr;q=0.3",
    b"Accept-Encoding: gzip, deflate, br, zstd",
    b"Connection: keep-alive",
    b"Referer: https://app.example.com/products",
    b"Origin: https://app.example.com",
    b"Cookie: theme=dark; consent=yes; visitor=1f0c2f6e7a4b4f0f9e0d",
    b"DNT: 1",
    b"Sec-Fetch-Dest: empty",
    b"Sec-Fetch-Mode: cors",
    b"Sec-Fetch-Site: same-site",
    b"Cache-Control: no-cache",
    b"Pragma: no-cache",
)
_RESPONSE_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Fri, 15 Jan 2027 08:00:00 GMT\r\n"
    b"Content-Type: application/json\r\nContent-Length: 75\r\nConnection: keep-alive\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One measured step of the hot path."""

    name: str
    call: Callable[[], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Algorithm:
    """A signer and the key that verifies what it signs."""

    signer: Signer
    public: bytes

    @property
    def issuer(self) -> Issuer:
        """The gateway's own issuer, with this key alone."""
        key = VerificationKey("bench", self.signer.algorithm, self.public)
        return Issuer(name=ISSUER, audiences=frozenset((AUDIENCE,)), keys=(key,))


def main() -> int:
    """Measure every step whose name has the words of the command line; return the exit status."""
    words = sys.argv[1:]
    steps = [step for step in list_steps() if all(word in step.name for word in words)]
    print("| step | median | fastest |")
    print("|---|--:|--:|")
    for step in steps:
        costs_us = measure_us(step.call)
        print(f"| {step.name} | {median(costs_us):.2f} us | {min(costs_us):.2f} us |")
    return 0


def measure_us(call: Callable[[], object]) -> list[float]:
    """Return what one call costs, in microseconds, once per repetition."""
    timer = Timer(call)
    number = max(1, timer.autorange()[0] // 4)
    return [seconds * 1e6 / number for seconds in timer.repeat(REPETITIONS, number)]


def list_steps() -> list[Step]:
    """Return the steps, ready to be called."""
    return [
        *_head_steps(),
        *_decide_steps(),
        *_verify_steps(),
        *_answer_steps(),
        *_exchange_steps(),
    ]


def make_head(fields: int, token: str) -> bytes:
    """Return a request head with Host, Authorization and what is missing to so many *fields*."""
    lines = (
        b"GET /api/products/1 HTTP/1.1",
        b"Host: api.example.com",
        b"Authorization: Bearer " + token.encode("ascii"),
        *_BROWSER_FIELDS[: fields - 2],
    )
    return b"\r\n".join((*lines, b"", b""))


def make_snapshot(issuer: Issuer) -> Snapshot:
    """Return a configuration with one protected route, as in DESIGN.md section 2."""
    upstream = Upstream(name="products", endpoints=(Endpoint("127.0.0.1", 9000),))
    route = Route(
        name="products",
        path="/api/products/**",
        upstream=upstream,
        places=PLACES,
        headers=HeaderPlan(CLAIM_HEADERS),
        strip_prefix=b"/api",
    )
    return Snapshot(
        router=Router([(Pattern((b"api", b"products", b"**")), route)]),
        names=NameTable(
            reserved=[header.name.encode("ascii") for header in CLAIM_HEADERS],
            credentials=[place.name for place in PLACES],
        ),
        verifier=TokenVerifier((issuer,)),
        checked=CheckedCredentials(b"a key of the benchmark"),
        places=PLACES,
        routes=(route,),
        upstreams=(upstream,),
        methods=frozenset((b"GET", b"HEAD")),
    )


def _head_steps() -> list[Step]:
    algorithm = _hs256()
    snapshot = make_snapshot(algorithm.issuer)
    steps = []
    for fields in (2, 16):
        head = make_head(fields, mint(algorithm.signer, NOW_S))
        section = head.partition(b"\r\n")[2]
        sort = partial(parse_fields, section, snapshot.names, max_fields=LIMITS.fields)
        parse = partial(snapshot.parser.parse, head)
        read = partial(read_request_head, head, snapshot)
        steps += [
            Step(f"head, {fields} fields: sort, not remembered", sort),
            Step(f"head, {fields} fields: parse", parse),
            Step(f"head, {fields} fields: validate and parse", read),
        ]
    return steps


def _decide_steps() -> list[Step]:
    algorithm = _hs256()
    snapshot = make_snapshot(algorithm.issuer)
    steps = []
    for fields in (2, 16):
        head = read_request_head(make_head(fields, mint(algorithm.signer, NOW_S)), snapshot)
        request = Request(head, peer="127.0.0.1", secure=False, request_id=b"0" * 26)
        revocations = NoRevocations()
        if not isinstance(decide(snapshot, request, NOW_S, revocations), Forward):
            raise TypeError("the measured request would not be forwarded")
        call = partial(decide, snapshot, request, NOW_S, revocations)
        steps.append(Step(f"decide, {fields} fields, warm token", call))
    token = snapshot.verifier.verify(mint(algorithm.signer, NOW_S).encode("ascii"), NOW_S)
    render = partial(HeaderPlan(CLAIM_HEADERS).render, token.claims)
    return [*steps, Step("claim headers, new token", render)]


def _verify_steps() -> list[Step]:
    steps = []
    for algorithm in (_hs256(), _es256(), _rs256()):
        token = mint(algorithm.signer, NOW_S).encode("ascii")
        call = partial(_verify_cold, algorithm.issuer, token)
        steps.append(Step(f"verify, {algorithm.signer.algorithm}, cold token", call))
    return steps


def _verify_cold(issuer: Issuer, token: bytes) -> VerifiedToken:
    # A new verifier remembers nothing; making one costs half a microsecond.
    return TokenVerifier((issuer,)).verify(token, NOW_S)


def _answer_steps() -> list[Step]:
    parse = partial(parse_response_head, _RESPONSE_HEAD, max_fields=LIMITS.fields)
    read = partial(ResponseHeadReader(LIMITS).feed, _RESPONSE_HEAD)
    refuse = partial(problem_body, Reason.TOKEN_EXPIRED, "", "0" * 26)
    return [
        Step("response head: parse, not remembered", parse),
        Step("response head: validate and parse", read),
        Step("problem body", refuse),
    ]


def _exchange_steps() -> list[Step]:
    algorithm = _hs256()
    response = _RESPONSE_HEAD + b"x" * 75
    steps = []
    for fields in (2, 16):
        head = make_head(fields, mint(algorithm.signer, NOW_S))
        call = make_exchange(make_snapshot(algorithm.issuer), head, response, NOW_S)
        steps.append(Step(f"exchange without sockets, {fields} fields, warm token", call))
    return steps


def _hs256() -> Algorithm:
    secret = SECRET.encode("ascii")
    return Algorithm(signer=Signer(algorithm="HS256", key=secret), public=secret)


def _es256() -> Algorithm:
    key = ec.generate_private_key(ec.SECP256R1())
    return Algorithm(signer=Signer(algorithm="ES256", key=key), public=_public_pem(key))


def _rs256() -> Algorithm:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Algorithm(signer=Signer(algorithm="RS256", key=key), public=_public_pem(key))


def _public_pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


if __name__ == "__main__":
    sys.exit(main())
