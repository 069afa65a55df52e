"""Bodies are read strictly: one media type, UTF-8, each name once, 64 KiB."""

import asyncio

import pytest
from starlette.requests import Request
from starlette.types import Message

from gateway.control.body import MAX_BODY_BYTES, MAX_FORM_FIELDS, read_members
from gateway.errors import ProtocolError, Reason
from tests.kit.issuing import PASSWORD
from tests.unit.control.asking import FORM, JSON, Control, check_problem, pieces

LOGIN = b'{"username":"aymen","password":"canary-password"}'
LOGIN_FORM = b"username=aymen&password=canary-password"


def test_the_password_of_these_bodies_is_the_right_one() -> None:
    """Else every refusal below would be one for its password."""
    assert PASSWORD.encode() in LOGIN
    assert PASSWORD.encode() in LOGIN_FORM


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("application/json", LOGIN, id="json"),
        pytest.param("Application/JSON; charset=UTF-8", LOGIN, id="json-charset"),
        pytest.param('application/json ;charset="utf-8"', LOGIN, id="json-quoted-charset"),
        pytest.param("application/json;v=1;", LOGIN, id="json-other-parameter"),
        pytest.param("application/x-www-form-urlencoded", LOGIN_FORM, id="form"),
        pytest.param("application/x-www-form-urlencoded;charset=utf8", LOGIN_FORM, id="charset"),
    ],
)
def test_json_and_forms_are_taken(control: Control, content_type: str, body: bytes) -> None:
    """RFC 9110 section 8.3.1: types are compared without case; only UTF-8 is a charset."""
    assert control.log_in(body, {"Content-Type": content_type}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X": "y"}, id="none"),
        pytest.param({"Content-Type": ""}, id="empty"),
        pytest.param({"Content-Type": "text/plain"}, id="text-plain"),
        pytest.param({"Content-Type": "text/json"}, id="text-json"),
        pytest.param({"Content-Type": "application/jsonp"}, id="longer"),
        pytest.param({"Content-Type": "application/problem+json"}, id="suffix"),
        pytest.param({"Content-Type": "multipart/form-data; boundary=x"}, id="multipart"),
        pytest.param({"Content-Type": "application/json; charset=utf-16"}, id="utf-16"),
        pytest.param({"Content-Type": "application/json, text/plain"}, id="two-in-one"),
        pytest.param({**JSON, "Content-Encoding": "gzip"}, id="gzip"),
        pytest.param({**JSON, "Content-Encoding": "identity, br"}, id="br"),
        pytest.param({**JSON, "Content-Encoding": "canary"}, id="unknown-coding"),
    ],
)
def test_any_other_type_or_coding_is_refused(control: Control, headers: dict[str, str]) -> None:
    """THREATS AUTH-12: a body is never guessed and never inflated."""
    check_problem(control.log_in(LOGIN, headers), 415, "unsupported_media_type")


def test_two_content_types_are_one_too_many(control: Control) -> None:
    """Which of them counts would be a guess."""
    twice = [("Content-Type", "application/json"), ("Content-Type", "application/json")]
    response = control.ask("POST", "/authenticate", content=LOGIN, headers=twice)

    check_problem(response, 415, "unsupported_media_type")


def test_identity_is_no_coding(control: Control) -> None:
    """RFC 9110 section 12.5.3: ``identity`` says that there is none."""
    assert control.log_in(LOGIN, {**JSON, "Content-Encoding": "Identity"}).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"null", id="null"),
        pytest.param(b'["aymen","canary-password"]', id="array"),
        pytest.param(b'"canary"', id="string"),
        pytest.param(LOGIN[:-1], id="cut"),
        pytest.param(LOGIN + b"x", id="more-after-it"),
        pytest.param(LOGIN[:-1] + b',"password":"canary-password"}', id="twice"),
        pytest.param(LOGIN[:-1] + b',"x":{"a":1,"a":1}}', id="twice-inside"),
        pytest.param(LOGIN[:-1] + b',"x":NaN}', id="nan"),
        pytest.param(LOGIN[:-1] + b',"x":' + b"9" * 5000 + b"}", id="huge-integer"),
        pytest.param(LOGIN[:-1] + b',"x":"\\ud800"}', id="lone-surrogate"),
        pytest.param(LOGIN[:-1] + b',"x":"\xff"}', id="not-utf-8"),
        pytest.param(b"\xef\xbb\xbf" + LOGIN, id="bom"),
        pytest.param(LOGIN.decode().encode("utf-16"), id="utf-16"),
        pytest.param(LOGIN[:-1] + b',"x":' + b"[" * 30_000 + b"]" * 30_000 + b"}", id="deep"),
        pytest.param(LOGIN_FORM, id="form"),
    ],
)
def test_what_is_not_one_json_object_is_refused(control: Control, body: bytes) -> None:
    """THREATS AUTH-10: one object, in UTF-8, each member once; nothing of it is quoted."""
    check_problem(control.log_in(body), 400, "bad_request")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(LOGIN_FORM + b"&password=canary-password", id="twice"),
        pytest.param(LOGIN_FORM + b"&x=1&x=2", id="another-twice"),
        pytest.param(b"username=aymen&pass%77ord=canary-password&password=x", id="twice-escaped"),
        pytest.param(LOGIN_FORM + b"&", id="empty-field"),
        pytest.param(LOGIN_FORM + b"&x", id="no-value"),
        pytest.param(LOGIN_FORM + b"&x=%", id="bare-percent"),
        pytest.param(LOGIN_FORM + b"&x=%zz", id="bad-escape"),
        pytest.param(LOGIN_FORM + b"&x=%ff", id="escape-not-utf-8"),
        pytest.param(LOGIN_FORM + b"&x=%ed%a0%80", id="escaped-surrogate"),
        pytest.param(LOGIN_FORM + b"&x=\xff", id="not-utf-8"),
        pytest.param(LOGIN_FORM + b"%00", id="nul"),
        pytest.param(b"username=&password=canary-password", id="empty-username"),
        pytest.param(b"username=aymen&password=", id="empty-password"),
        pytest.param(b"username=aymen;password=canary-password", id="semicolon"),
        pytest.param(LOGIN_FORM + b"".join(b"&f%d=" % n for n in range(99)), id="many-fields"),
        pytest.param(LOGIN, id="json"),
    ],
)
def test_what_is_not_one_form_is_refused(control: Control, body: bytes) -> None:
    """THREATS AUTH-07, AUTH-10: each field once, well escaped, in UTF-8, at most 100."""
    check_problem(control.log_in(body, FORM), 400, "bad_request")


def members_of(body: bytes, headers: dict[str, str], *messages: Message) -> dict[str, object]:
    """Read a body as an endpoint does; *messages* come in place of the body where there are any."""
    script = list(messages) or [{"type": "http.request", "body": body, "more_body": False}]
    fields = [(k.lower().encode(), v.encode()) for k, v in headers.items()]

    async def receive() -> Message:
        return script.pop(0)

    request = Request({"type": "http", "headers": fields}, receive)
    return dict(asyncio.run(read_members(request)))


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b"x=a+b%2Bc", "a b+c", id="plus"),
        pytest.param(b"x=%C3%A9", "\u00e9", id="escaped-utf-8"),
        pytest.param("x=\u00e9".encode(), "\u00e9", id="utf-8-as-curl-sends-it"),
        pytest.param(b"x=a=b", "a=b", id="equals-sign"),
        pytest.param(b"x=%2541", "%41", id="decoded-once"),
        pytest.param(b"x=a;b", "a;b", id="semicolon"),
    ],
)
def test_a_form_is_decoded_once(body: bytes, value: str) -> None:
    """URL standard section 5.1, but strict where it would repair."""
    assert members_of(body, FORM) == {"x": value}


def test_as_many_fields_as_may_be() -> None:
    """The bound is 100 fields, not 99."""
    body = b"&".join(b"f%d=" % n for n in range(MAX_FORM_FIELDS))

    assert len(members_of(body, FORM)) == MAX_FORM_FIELDS


def test_a_body_is_whole_however_it_comes(control: Control) -> None:
    """The answer depends on the bytes, never on how TCP cut them."""
    chunks = pieces(*(LOGIN[i : i + 1] for i in range(len(LOGIN))), b"")
    response = control.ask("POST", "/authenticate", content=chunks, headers=JSON)

    assert response.status_code == 200


def test_a_body_may_have_64_kib_and_no_more(control: Control) -> None:
    """DESIGN.md section 3; the data plane stops there too, and neither relies on the other."""
    padded = LOGIN.ljust(MAX_BODY_BYTES)

    assert control.log_in(padded).status_code == 200
    check_problem(control.log_in(padded + b" "), 413, "body_too_large")


def test_reading_stops_at_the_bound() -> None:
    """What comes after the byte too many is not even asked for."""
    message: Message = {"type": "http.request", "body": b" " * 60_000, "more_body": True}

    with pytest.raises(ProtocolError) as caught:
        members_of(b"", JSON, message, message)  # a third ``receive`` would be an IndexError
    assert caught.value.reason is Reason.BODY_TOO_LARGE


def test_a_client_that_leaves_is_no_fault_of_ours() -> None:
    """A body that is cut off is a refusal like others, and no error in the log."""
    with pytest.raises(ProtocolError) as caught:
        members_of(b"", JSON, {"type": "http.disconnect"})
    assert caught.value.reason is Reason.BAD_REQUEST
