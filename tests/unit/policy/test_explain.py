"""``gateway explain`` tells of the decision that ``decide`` makes, and never shows a credential."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import ProtocolError, Reason
from gateway.policy.checked import ApiKey, CredentialKind
from gateway.policy.decide import decide
from gateway.policy.explain import explain, explain_malformed
from gateway.policy.model import (
    CredentialPlace,
    Decision,
    Forward,
    PlaceKind,
    Respond,
    Serve,
)
from gateway.policy.revoked import NoRevocations, Revocations
from tests.kit.explained import SNAPSHOT, VALID, explained
from tests.kit.policy import PEER, Told, head, request, route, snapshot
from tests.kit.tokens import NOW_S, mint


def same(one: Decision, other: Decision) -> bool:
    """Whether two decisions say the same; they are compared by identity otherwise."""
    match one, other:
        case Forward(), Forward():
            return (one.route, one.request_line, one.fields) == (
                other.route, other.request_line, other.fields,
            )  # fmt: skip
        case Serve(), Serve():
            return (one.endpoint, one.refused) == (other.endpoint, other.refused)
        case Respond(), Respond():
            return (one.reason, one.status, one.detail, one.fields) == (
                other.reason, other.status, other.detail, other.fields,
            )  # fmt: skip
        case _:
            return False


@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "PURGE", "OPTIONS"]),
    path=st.sampled_from(
        ["/api/products", "/api/products/7", "/api/product%73", "/public", "/maybe", "/x",
         "/scoped/1", "/scoped", "/planned", "/whoami", "/authenticate", "/", "/logout",
         "/sessions/7", "/sessions/7/x", "/%73essions", "/whoami/", "/inside/7/x", "/limited"]
    ),
    host=st.sampled_from(["gw.test", "api.example.com", "API.example.com:80"]),
    token=st.sampled_from(
        [VALID, mint({"roles": ["admin"]}), mint({"jti": "gone"}), mint({"exp": NOW_S - 99}),
         b"", b"x", b"a.b"]
    ),
    where=st.lists(st.sampled_from(["bearer", "raw", "query", "cookie", "basic"]), max_size=2),
    length=st.sampled_from([None, 0, 11, 1000]),
    revocations=st.sampled_from([NoRevocations(), Told("gone"), Told("gone", stale=True)]),
    peer=st.sampled_from([PEER, "10.0.0.1"]),
    origin=st.sampled_from([None, b"https://app.test", b"https://other.test"]),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_explain_agrees_with_decide(
    *,
    method: str,
    path: str,
    host: str,
    token: bytes,
    where: list[str],
    length: int | None,
    revocations: Revocations,
    peer: str,
    origin: bytes | None,
) -> None:
    """Whatever the request: one decision, one story, and no token in it."""
    fields = []
    for place in where:
        if place == "query":
            path += "?access_token=" + token.decode()
        else:
            fields.append(
                {
                    "bearer": b"Authorization: Bearer %b",
                    "raw": b"access-token: %b",
                    "cookie": b"Cookie: a=b; session=%b",
                    "basic": b"Authorization: Basic %b",
                }[place]
                % token
            )
    if length is not None:
        fields.append(b"Content-Length: %d" % length)
    if origin is not None:
        fields += [b"Origin: " + origin, b"Access-Control-Request-Method: POST"]
    received = head(path, *fields, method=method, host=host)
    explanation = explained(received, revocations, peer=peer)
    decision = decide(SNAPSHOT, request(SNAPSHOT, received, peer=peer), NOW_S, revocations)

    assert same(decision, explanation.decision)
    refused = [check.reason for check in explanation.checks if not check.passed]
    reason = getattr(explanation.decision, "reason", None)
    assert refused == ([reason] if reason else [])
    taken = [verdict.name for verdict in explanation.routes if not verdict.why_not]
    assert taken == ([explanation.route] if explanation.route else [])
    told = json.dumps(explanation.as_dict())
    assert VALID.decode() not in told
    assert len(token) < 10 or token.decode() not in told


def test_places_tell_lengths_and_other_schemes() -> None:
    """A place says how long what it holds is, never what it is."""
    explanation = explained(head("/maybe", b"Authorization: Basic eA==", b"access-token: abc"))

    assert {p.place: (p.lengths_bytes, p.other_kind) for p in explanation.places} == {
        "header authorization (bearer)": ((), True),
        "header access-token": ((3,), False),
        "query parameter access_token": ((), False),
        "cookie session": ((), False),
    }


def test_a_malformed_head_is_a_refusal_too() -> None:
    """What the parser refuses is shown as the answer that the live gateway gives."""
    received = head("/a//b?access_token=" + VALID.decode())
    with pytest.raises(ProtocolError) as caught:
        request(SNAPSHOT, received)
    explanation = explain_malformed(SNAPSHOT, received, caught.value)

    assert isinstance(explanation.decision, Respond)
    assert explanation.decision.reason is Reason.AMBIGUOUS_PATH
    assert explanation.as_dict()["target"] == "/a//b?access_token=<redacted>"


PREFLIGHT = head(
    "/inside/7",
    b"Origin: https://app.test",
    b"Access-Control-Request-Method: POST",
    method="OPTIONS",
)


def test_a_preflight_is_told_of_with_its_answer() -> None:
    """The route is the one that takes the method asked for; the answer is the gateway's."""
    explanation = explained(PREFLIGHT, peer="10.0.0.1")
    told = explanation.as_dict()

    assert (told["decision"], told["status"], told["route"]) == ("respond", 204, "inside")
    assert [c.name for c in explanation.checks] == ["route", "address", "origin", "preflight"]
    assert {h["name"]: h["value"] for h in told["answer_headers"]} == {
        "Access-Control-Allow-Origin": "https://app.test",
        "Access-Control-Allow-Methods": "POST",
        "Access-Control-Allow-Headers": "Authorization",
        "Access-Control-Max-Age": "600",
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }


def test_what_is_to_be_looked_up_is_told() -> None:
    """Neither let in nor refused: the store says which; the key itself is not shown."""
    key = ApiKey("0" * 32, "f" * 64).compose().encode()
    place = CredentialPlace(PlaceKind.RAW, b"x-api-key", holds=CredentialKind.API_KEY)
    known = snapshot(route("/p", places=(place,)), places=(place,))
    received = head("/p", b"X-Api-Key: " + key)
    told = explain(known, request(known, received), NOW_S, NoRevocations(), received=received)

    assert told.outcome == "look up"
    assert told.checks[-1].detail == "An API key, to be looked up in the store."
    described = told.as_dict()
    assert (described["decision"], described["status"], described["reason"]) == (
        "look up",
        None,
        None,
    )
    assert key.decode() not in json.dumps(described)


def test_a_key_that_an_endpoint_does_not_take_is_no_bad_token() -> None:
    """What is judged of tokens is not told of it."""
    key = ApiKey("0" * 32, "f" * 64).compose().encode()
    place = CredentialPlace(PlaceKind.RAW, b"x-api-key", holds=CredentialKind.API_KEY)
    known = snapshot(route("/p", places=(place,)), places=(place,))
    received = head("/sessions", b"X-Api-Key: " + key)
    told = explain(known, request(known, received), NOW_S, NoRevocations(), received=received)

    assert [check.name for check in told.checks] == ["route", "credential", "token"]
    assert told.checks[-1].reason == "token_type"
