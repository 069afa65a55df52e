"""The walk checks what it tells, and prints lines that can be pasted."""

import json
import shlex

import httpx
import pytest

from gateway.cli.demo_steps import STEPS, Answer, Step, Told
from gateway.cli.demo_walk import Walk, curl_line, describe_answer

LOGIN = Step(
    title="log in",
    method="POST",
    path="/login",
    json={"name": "it's me"},
    status=200,
    keeps={"TOKEN": "token"},
)
ASK = Step(
    title="ask",
    path="/ask",
    headers=(("Authorization", "Bearer $TOKEN"), ("X-Plain", "a b")),
    status=200,
    told=(Told("the token came back", lambda a: a.member("authorization") == "Bearer t-1"),),
)


def answer(request: httpx.Request) -> httpx.Response:
    """Give a token at ``/login``; tell what was sent elsewhere; break at ``/broken``."""
    if request.url.path == "/broken":
        raise httpx.ReadError("broken")
    if request.url.path == "/login":
        return httpx.Response(200, json={"token": "t-1"})
    return httpx.Response(200, json={"authorization": request.headers.get("authorization")})


def walk(*steps: Step) -> bool:
    """Take *steps* against the service above."""
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        return Walk(client, "http://gw.test").run(steps)


def test_a_kept_variable_is_sent_later(capsys: pytest.CaptureFixture[str]) -> None:
    """What a step keeps is printed as an assignment and filled into later steps."""
    assert walk(LOGIN, ASK)
    assert "$ TOKEN=t-1\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(Step(title="", path="/ask", status=404), id="status"),
        pytest.param(
            Step(title="", path="/", status=200, told=(Told("no", lambda _: False),)), id="told"
        ),
        pytest.param(Step(title="", path="/broken", status=200), id="no-answer"),
    ],
)
def test_what_is_not_as_told_fails_the_walk(step: Step, capsys: pytest.CaptureFixture[str]) -> None:
    """The walk goes on, so that all is seen, and fails."""
    assert not walk(step, LOGIN)
    printed = capsys.readouterr().out
    assert "NOT AS TOLD" in printed or "failed: broken" in printed
    assert "TOKEN=t-1" in printed


def test_curl_lines_survive_a_shell() -> None:
    """Quotes are kept, variables stay variables."""
    assert shlex.split(curl_line("http://gw.test", LOGIN)) == [
        "curl", "-i", "http://gw.test/login",
        "-H", "Content-Type: application/json", "-d", '{"name": "it\'s me"}',
    ]  # fmt: skip
    assert curl_line("http://gw.test", ASK).endswith(
        """-H "Authorization: Bearer $TOKEN" -H 'X-Plain: a b'"""
    )
    delete = Step(title="", method="DELETE", path="/x", status=204)
    assert curl_line("http://gw.test", delete) == "curl -i -X DELETE http://gw.test/x"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_no_variable_is_asked_for_before_it_is_kept(step: Step) -> None:
    """A story told in order; no double quote would need an escape in the shell."""
    kept = {name for earlier in STEPS[: STEPS.index(step)] for name in earlier.keeps}
    for _, value in step.headers:
        if "$" in value:
            assert value.partition("$")[2] in kept
            assert '"' not in value


def test_answers_are_cut_short_and_made_safe() -> None:
    """Long bodies and long lines are cut; control characters are shown."""
    body = [f"{number}\x1b" + "x" * 200 for number in range(50)]
    lines = describe_answer(Answer(200, {"content-type": "a", "date": "b"}, body), body)

    assert lines[:2] == ["HTTP/1.1 200 OK", "content-type: a"]
    assert lines[-1] == f"... {52 - (len(lines) - 3)} more lines"
    assert max(map(len, lines)) == 100
    assert describe_answer(Answer(599, {}, None), None) == ["HTTP/1.1 599"]
    assert describe_answer(Answer(200, {}, "a\x1b"), "a\x1b") == ["HTTP/1.1 200 OK", "a\\x1b"]


def test_echo_is_searched_by_name() -> None:
    """All values of a field that the service saw, in order."""
    echo = Answer(200, {}, json.loads('{"headers": [["a", "1"], ["b", "2"], ["a", "3"]]}'))

    assert echo.service_saw("a") == ["1", "3"]
    assert Answer(200, {}, "text").service_saw("a") == []
