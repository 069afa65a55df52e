"""``gateway explain``."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.explain import compose_head
from tests.kit.commands import invoke
from tests.kit.gateway import configuration, mint, write_configuration
from tests.kit.keyless import write_keyless


@pytest.fixture
def path(tmp_path: Path) -> str:
    """The configuration of the threat tables."""
    return str(write_configuration(tmp_path, configuration(9)))


def explain(path: str, *arguments: str) -> dict[str, Any]:
    """Return the explanation as JSON; the command succeeds whatever the decision is."""
    result = invoke("explain", *arguments, "--config", path, "--json")
    assert (result.returncode, result.stderr) == (0, "")
    explanation: dict[str, Any] = json.loads(result.stdout)
    return explanation


def test_a_request_that_is_forwarded(path: str) -> None:
    """The upstream's URL and the identity headers are told; the token is not."""
    token = mint()
    told = explain(path, "GET", "http://gw.test/p/x?y=1", "--token", token)

    assert (told["decision"], told["route"]) == ("forward", "p")
    assert told["upstream_urls"] == ["http://127.0.0.1:9/p/x?y=1"]
    assert {"name": "X-User", "value": "alice"} in told["headers_added"]
    (check,) = (check for check in told["checks"] if check["name"] == "revocation")
    assert check["detail"] == "not asked: the store is not read here"
    assert token not in json.dumps(told)


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        pytest.param(("GET", "/p"), 401, "credential_missing", id="no-token"),
        pytest.param(("GET", "/p", "--token", "x y"), 400, "credential_malformed", id="bad-token"),
        pytest.param(("GET", "/nowhere"), 404, "route_not_found", id="no-route"),
        pytest.param(("POST", "/get"), 405, "method_not_allowed", id="method"),
        pytest.param(("GET", "/p/../admin"), 400, "ambiguous_path", id="dot-segment"),
        pytest.param(("GET", "/" + "a" * 9000), 414, "uri_too_long", id="long"),
        pytest.param(("GET", "/p", "-H", "X: " + "a" * 40_000), 431, "headers_too_large", id="big"),
        pytest.param(("CONNECT", "/p"), 501, "not_implemented", id="connect"),
        pytest.param(("get", "/p"), 400, "bad_request", id="lower-case"),
        pytest.param(("GET", "/p", "-H", "Host: a b"), 400, "bad_request", id="bad-host"),
        pytest.param(
            ("POST", "/small", "-H", "Content-Length: 1025"), 413, "body_too_large", id="body"
        ),
    ],
)
def test_a_refusal_is_an_answer_too(
    path: str, arguments: tuple[str, ...], status: int, reason: str
) -> None:
    """Also where the head is refused before there is anything to decide; exit code 0."""
    told = explain(path, *arguments)

    assert (told["decision"], told["status"], told["reason"]) == ("respond", status, reason)
    assert told["checks"][-1]["reason"] == reason


def test_people_get_sections(path: str) -> None:
    """The same story in words; the token is not among them."""
    token = mint()
    result = invoke(
        "explain", "GET", "/p", "--token", token, "-H", "X-User: admin", "--config", path
    )

    assert result.returncode == 0
    for line in (
        "checks",
        "credential places",
        "headers removed",
        "headers added",
        "routes",
        "  X-User: alice",
    ):
        assert line in result.stdout.splitlines()
    assert "  Authorization: Bearer <redacted>" in result.stdout
    assert "note: revocations were not looked up; " in result.stdout
    assert token not in result.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("GET", "/p\r\nX: y"), id="line-break-in-url"),
        pytest.param(("GET", "/p", "--header", "A: b\nX: y"), id="line-break-in-header"),
        pytest.param(("GET", "/p", "--peer", "nobody"), id="peer"),
    ],
)
def test_what_no_request_can_be_is_bad_usage(path: str, arguments: tuple[str, ...]) -> None:
    """Exit code 2."""
    assert invoke("explain", *arguments, "--config", path).returncode == 2


def test_without_a_token_the_store_is_no_matter(path: str) -> None:
    """The note stands only where the answer could be another."""
    assert "the store" not in invoke("explain", "GET", "/p", "--config", path).stdout


def test_without_a_signing_key_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command says that no token can verify, and leaves nothing behind."""
    monkeypatch.chdir(tmp_path)
    path = write_keyless(tmp_path)
    result = invoke("explain", "GET", "/p", "--config", str(path))

    assert "there is no signing key yet" in result.stdout
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize(
    ("url", "secure", "first_lines"),
    [
        pytest.param("/a?b", False, b"GET /a?b HTTP/1.1\r\nHost: localhost\r\n", id="path"),
        pytest.param(
            "HTTPS://h.test:1/a", True, b"GET /a HTTP/1.1\r\nHost: h.test:1\r\n", id="url"
        ),
        pytest.param("http://h.test", False, b"GET / HTTP/1.1\r\nHost: h.test\r\n", id="no-path"),
        pytest.param("http://h?q", False, b"GET /?q HTTP/1.1\r\nHost: h\r\n", id="only-query"),
        pytest.param(
            "/a/../%2e#f", False, b"GET /a/../%2e#f HTTP/1.1\r\nHost: localhost\r\n", id="as-typed"
        ),
    ],
)
def test_the_head_is_what_a_client_would_send(
    url: str, first_lines: bytes, *, secure: bool
) -> None:
    """Nothing of the target is tidied up on the way."""
    assert compose_head("GET", url, "", []) == (secure, first_lines + b"\r\n")


def test_a_host_that_is_given_is_the_only_one() -> None:
    """``--header 'Host: x'`` takes the place of the URL's."""
    _, received = compose_head("GET", "/", "tok", ["host: x", "A: b"])

    assert received == (b"GET / HTTP/1.1\r\nAuthorization: Bearer tok\r\nhost: x\r\nA: b\r\n\r\n")


def test_a_header_without_a_colon_is_a_mistake_of_the_caller(path: str) -> None:
    """It is told as one, and not as a request that is not well-formed."""
    told = invoke("explain", "GET", "/p", "--header", "X-User", "--config", path)

    assert told.returncode == 2
    assert "'X-User' has no colon; write 'Name: value'" in told.stderr


@pytest.mark.parametrize(("url", "noted"), [("localhost/p", True), ("p", True), ("/..", False)])
def test_a_url_that_is_neither_is_remarked_on(path: str, url: str, *, noted: bool) -> None:
    """Whoever forgets ``http://`` is told so, beside what the gateway makes of it."""
    told = invoke("explain", "GET", url, "--config", path)

    assert told.returncode == 0
    assert "400 " in told.stdout
    assert ("begins neither with http:// nor with /" in told.stdout) == noted


def test_a_token_is_verified_with_the_keys_of_the_store(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    """As the running gateway would; without one the note says why none can."""
    path = str(write_configuration(tmp_path, document))
    token = invoke("token", "issue", "aymen", "--config", path).stdout.strip()
    result = invoke("explain", "GET", "/p", "--token", token, "--config", path)
    assert "forward" in result.stdout
    assert "no token can verify" not in result.stdout

    (tmp_path / "var" / "gateway.db").unlink()
    result = invoke("explain", "GET", "/p", "--token", token, "--config", path)
    assert "token_" in result.stdout
    assert "note: no token can verify: there is no signing key yet" in result.stdout
    assert not (tmp_path / "var" / "gateway.db").exists()


def test_the_answer_to_a_preflight_is_shown(tmp_path: Path) -> None:
    """What the page is permitted stands under a heading of its own."""
    document = configuration(9)
    document["routes"][0]["cors"] = {"origins": ["https://app.test"]}
    file = str(write_configuration(tmp_path, document))
    fields = ("-H", "Origin: https://app.test", "-H", "Access-Control-Request-Method: PUT")
    said = invoke("explain", "OPTIONS", "/p", *fields, "--config", file).stdout

    assert "answer headers\n  Access-Control-Allow-Origin: https://app.test\n" in said
    assert "status    204" in said
    assert "https://app.test may read the answer" in said
