"""The head of a service's answer as a route changes it."""

from gateway.policy.answer_edits import edit_answer
from gateway.policy.cors import Cors
from tests.kit.policy import head, request, route, snapshot

HEAD = (
    b"HTTP/1.1 200 OK\r\nA: b\r\naccess-control-Allow-Origin: *\r\nVary: A\r\n"
    b"Access-Control-Max-Age: 9\r\nX-Access-Control-A: c\r\n"
)


def test_cors_has_one_owner() -> None:
    """What a service says of CORS itself is replaced; its Vary stays."""
    with_cors = route("/p", cors=Cors(origins=frozenset((b"https://app.test",))))
    fields = request(snapshot(with_cors), head("/p", b"Origin: https://app.test")).head.fields

    assert with_cors.edits_answers
    assert edit_answer(with_cors, fields, HEAD) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nVary: A\r\nX-Access-Control-A: c\r\n"
        b"Access-Control-Allow-Origin: https://app.test\r\nVary: Origin\r\n"
    )


def test_an_answer_is_not_looked_at_without_need() -> None:
    """Most routes change nothing."""
    assert not route("/p").edits_answers
