"""The keys of what only some routes have."""

import pytest

from tests.unit.config.conftest import Complain, Read

ROUTE = "routes:\n- path: /x/{id}/**\n  upstream: products\n"  # what is added begins on line 8
AT = "f:8: routes[0]."

FAULTS = [
    pytest.param(
        "  cors: {origins: ['*', 'https://a.test']}",
        AT + 'cors.origins: "*" is every origin -> remove it, or the others',
        id="any-and-one",
    ),
    pytest.param(
        "  cors: {origins: ['*'], credentials: true}",
        AT + "cors.origins: with credentials every page that somebody visits could act in their "
        "name -> name the origins",
        id="any-with-credentials",
    ),
    pytest.param(
        "  cors: {origins: ['null', 'https://a.test:443', 'http://a.test:80']}",
        AT + "cors.origins[0]: any page can make itself the origin 'null' -> name the page's own "
        "origin\n"
        + AT
        + "cors.origins[1]: 'https://a.test:443' names the port that browsers leave out -> write "
        "https://a.test\n"
        + AT
        + "cors.origins[2]: 'http://a.test:80' names the port that browsers leave out -> write "
        "http://a.test",
        id="never-sent",
    ),
    pytest.param(
        "  cors: {origins: ['https://*.a.test']}",
        AT + "cors.origins[0]: 'https://*.a.test' stands for many origins -> name each of them",
        id="wildcard",
    ),
    pytest.param(
        "  request_headers: {set: {Host: a, X-Forwarded-For: b}, remove: [Cookie, te]}",
        "\n".join(
            f"{AT}request_headers.{place}: '{name}' is the gateway's own affair: framing, routing, "
            "forwarding or credentials -> remove it"
            for place, name in (
                ("set.Host", "Host"),
                ("set.X-Forwarded-For", "X-Forwarded-For"),
                ("remove[0]", "Cookie"),
                ("remove[1]", "te"),
            )
        ),
        id="request-headers-of-ours",
    ),
    pytest.param(
        "  response_headers: {set: {Date: a}, remove: [transfer-encoding, X_A]}",
        AT
        + "response_headers.set.Date: 'Date' belongs to the framing of the answer -> remove it\n"
        + AT
        + "response_headers.remove[0]: 'transfer-encoding' belongs to the framing of the "
        "answer -> remove it\n"
        + AT
        + "response_headers.remove[1]: 'X_A' is not a header name -> use letters, digits and "
        "'-' only, for example X-User-Id",
        id="framing-of-answers",
    ),
    pytest.param(
        "  request_headers: {set: {X-A: 'caf\xe9', X-B: ' a', X-C: 1}}",
        AT + "request_headers.set.X-A: 'caf\xe9' cannot stand in a header -> use ASCII without "
        "spaces at either end\n"
        + AT
        + "request_headers.set.X-B: ' a' cannot stand in a header -> use ASCII without spaces "
        "at either end\n"
        + AT
        + 'request_headers.set.X-C: 1 is not text -> put it in quotes: "..."',
        id="header-values",
    ),
    pytest.param(
        "  request_headers: {}\n  response_headers: {set: {X-A: b}, remove: [x-a]}",
        AT + "request_headers: nothing is set and nothing is removed -> add 'set' or 'remove'\n"
        "f:9: routes[0].response_headers: 'x-a' stands here twice -> write it once, in one "
        "spelling",
        id="nothing-and-twice",
    ),
    pytest.param(
        "  rate_limit: {requests: 0, per: 999ms}",
        AT + "rate_limit.requests: 0 is not a count -> write a whole number from 1 on, without "
        "quotes\n"
        + AT
        + "rate_limit.per: '999ms' is shorter than a second -> count over a second or longer: "
        "1s\n" + AT + "rate_limit: the key 'key' is missing -> add 'key: ...'",
        id="rate-limit",
    ),
    pytest.param(
        "  cors: {}",
        AT + "cors: the key 'origins' is missing -> add 'origins: ...'",
        id="no-origins",
    ),
]


@pytest.mark.parametrize(("more", "expected"), FAULTS)
def test_what_is_wrong_with_a_feature(more: str, expected: str, complain_more: Complain) -> None:
    """What would open more than is meant, or can never match, is an error."""
    assert complain_more(ROUTE + more) == expected


@pytest.mark.parametrize(
    "origin",
    ["https://", "app.test", "https:app.test", "https://app.test/", "https://user@app.test",
     "https://app.test?x", "1a://b", "https://a b", "://a.test", "https://caf\xe9.test"],
)  # fmt: skip
def test_what_is_no_origin(origin: str, complain_more: Complain) -> None:
    """Nothing that a browser would never send."""
    said = complain_more(ROUTE + f"  cors: {{origins: ['{origin}']}}")

    assert said.startswith(f"{AT}cors.origins[0]: '{origin}' is not an origin -> write it as")


@pytest.mark.parametrize(
    ("origin", "read_as"),
    [
        ("https://App.test", "https://app.test"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("http://[::1]:80000", None),
        ("http://[::1]:3000", "http://[::1]:3000"),
        ("http://[::1]", "http://[::1]"),
        ("https://a.test:80", "https://a.test:80"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
    ],
)
def test_an_origin_is_read_as_browsers_write_it(
    origin: str, read_as: str | None, read_more: Read, complain_more: Complain
) -> None:
    """Lower case, brackets and ports as they are."""
    more = ROUTE + f"  cors: {{origins: ['{origin}']}}"
    if read_as is None:
        assert "is not an origin" in complain_more(more)
        return
    cors = read_more(more).settings.routes[0].cors

    assert cors is not None
    assert cors.origins == (read_as,)
