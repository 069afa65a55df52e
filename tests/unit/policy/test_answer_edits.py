"""The head of a service's answer as a route changes it."""

from gateway.policy.answer_edits import edit_answer
from gateway.policy.cors import Cors
from gateway.policy.model import FieldChanges
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


def test_fields_are_removed_then_set() -> None:
    """Every field of the name, in any spelling; the status line and the others stay."""
    changed = route(
        "/p",
        answer_changes=FieldChanges(
            frozenset((b"server", b"x-frame-options")), (b"X-Frame-Options: DENY",)
        ),
    )
    head_of_service = b"HTTP/1.1 404 Not Found\r\nServer: a\r\nx-frame-options: b\r\nC: d\r\n"
    fields = request(snapshot(changed), head("/p")).head.fields

    assert changed.edits_answers
    assert edit_answer(changed, fields, head_of_service) == (
        b"HTTP/1.1 404 Not Found\r\nC: d\r\nX-Frame-Options: DENY\r\n"
    )


def test_what_a_route_sets_cannot_stand_in_for_cors() -> None:
    """The gateway's own fields come last."""
    both = route(
        "/p", cors=Cors(any_origin=True), answer_changes=FieldChanges(frozenset((b"vary",)))
    )
    fields = request(snapshot(both), head("/p")).head.fields

    assert edit_answer(both, fields, HEAD) == (
        b"HTTP/1.1 200 OK\r\nA: b\r\nX-Access-Control-A: c\r\nAccess-Control-Allow-Origin: *\r\n"
    )
