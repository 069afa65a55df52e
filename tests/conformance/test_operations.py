"""THREATS.md A12, the rows that a file or the package itself is tested by; others name their id."""

import json
import os
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest
from packaging.version import Version

from gateway.config.compile import compile_snapshot
from gateway.config.load import load_config
from gateway.control.admin import GUARDED, PROBES
from gateway.errors import ConfigErrors
from gateway.policy.model import Forward
from tests.kit.documents import ROOT
from tests.kit.gateway import GatewayProcess, bearer, configuration, write_configuration
from tests.kit.policy import answer, head, reason_of
from tests.kit.upstream import Upstream
from tests.kit.wire import Wire

CASES: Final = [
    pytest.param("version: 1", "duplicate key", id="OPS-01"),
    pytest.param("x: &a [1]\ny: *a", "alias", id="OPS-02"),
    pytest.param("listen: 22:22:22", "not", id="OPS-03-listen"),
    pytest.param("protcted: true", "unknown key", id="OPS-03-unknown"),
    pytest.param("workers: 0644", "not a number of workers", id="OPS-03-octal"),
    pytest.param("reload_on_change: NO", "'NO'", id="OPS-03-no"),
    pytest.param("users: !!python/object/apply:os.system [id]", "tag", id="OPS-04"),
]


@pytest.mark.parametrize(("line", "fault"), CASES)
def test_a_file_that_says_more_than_it_may_is_refused(
    tmp_path: Path, line: str, fault: str
) -> None:
    """OPS-01 to OPS-04: with the line, and nothing of it is done."""
    document = configuration(9)
    del document["listen"]
    path = write_configuration(tmp_path, document)
    path.write_text(f"{path.read_text('utf-8')}{line}\n", "utf-8")
    with pytest.raises(ConfigErrors) as raised:
        load_config(path, os.environ)

    assert fault in str(raised.value)
    assert all(error.place.line for error in raised.value.errors)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://a:1", "http://a:1/x"])
def test_a_service_is_a_host_and_a_port(tmp_path: Path, url: str) -> None:
    """OPS-08: the file alone names services, any host it likes."""
    path = write_configuration(tmp_path, configuration(9, upstream={"endpoints": [url]}))

    with pytest.raises(ConfigErrors, match="is not an endpoint"):
        load_config(path, os.environ)


def test_no_admin_endpoint_edits_where_requests_go() -> None:
    """OPS-08: nobody can point the gateway somewhere from afar."""
    about = [
        (method, path)
        for method, path, _ in (*PROBES, *GUARDED)
        if "route" in path or "upstream" in path or "config" in path
    ]

    assert about == [("GET", "/routes")]


@pytest.mark.parametrize(
    ("name", "least"), [("httptools", "0.8"), ("PyJWT", "2.13"), ("h11", "0.16")]
)
def test_what_parses_and_verifies_is_new_enough(name: str, least: str) -> None:
    """OPS-23: older versions have known holes."""
    assert Version(metadata.version(name)) >= Version(least)


def test_there_is_one_parser_and_no_other_to_fall_back_to() -> None:
    """OPS-24: only the tests know h11, as an oracle; no protocol of uvicorn is asked for."""
    sources = [path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py")]

    assert not any("import h11" in source or "from h11" in source for source in sources)
    assert sum("http=accept" in source for source in sources) == 1


NEARLY: Final[tuple[object, ...]] = (None, "", False, "no", "None", "off", [], {}, ["none"])
OPEN_OR_NOT: Final = [
    pytest.param({}, 401, id="OPS-05-nothing"),
    pytest.param({"auth": "required"}, 401, id="OPS-05-required"),
    pytest.param({"auth": "none"}, 200, id="OPS-05-none"),
    *(pytest.param({"auth": value}, None, id=f"OPS-05-{value!r}") for value in NEARLY),
]


@pytest.mark.parametrize(("stanza", "status"), OPEN_OR_NOT)
def test_only_auth_none_opens_a_route(
    tmp_path: Path, stanza: dict[str, object], status: int | None
) -> None:
    """OPS-05: by the decision itself; what is nearly that word is no configuration."""
    document = configuration(9)
    document["routes"] = [{"name": "r", "path": "/r", "upstream": "raw"} | stanza]
    path = write_configuration(tmp_path, document)
    if status is None:
        with pytest.raises(ConfigErrors, match=r"routes\[0\]\.auth"):
            load_config(path, os.environ)
        return
    snapshot = compile_snapshot(load_config(path, os.environ), ())

    decision = answer(snapshot, head("/r"))
    refused = None if isinstance(decision, Forward) else reason_of(decision)
    assert refused == (None if status == 200 else "credential_missing")


# Each makes another complaint of a parser, and would show the canary if that were repeated.
CANARY: Final = b"canary9d2e"
BROKEN: Final = [
    b"GET /%b\x00 HTTP/1.1\r\nHost: gw.test\r\n\r\n",
    b"GET /p HTTP/1.1\r\nHost: gw.test\r\n%b \x7f: a\r\n\r\n",
    b"GET /p HTTP/1.1\r\nHost: gw.test\r\nX-A: %b\x01\r\n\r\n",
    b"GET /p HTTP/1.1\r\nHost: gw.test\r\nX-A: a\r\n %b\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: gw.test\r\nContent-Length: %b\r\n\r\n",
    b"%b\x00 /p HTTP/1.1\r\nHost: gw.test\r\n\r\n",
    b"%b\r\n\r\n",
]


def test_the_words_of_a_parser_reach_nobody(gateway: GatewayProcess, upstream: Upstream) -> None:
    """OPS-17: whatever is wrong with a head, the answer is the same text."""
    answers = []
    for broken in BROKEN:
        with Wire(gateway.port) as wire:
            wire.send(broken % CANARY)
            answers.append(wire.read_response())

    assert {answer.status for answer in answers} == {400}
    assert not any(CANARY in repr(answer).encode() for answer in answers)
    bodies = [json.loads(answer.body) for answer in answers]
    assert len({body.pop("request_id") for body in bodies}) == len(BROKEN)
    assert all(body == bodies[0] for body in bodies)
    assert upstream.byte_count == 0


@pytest.mark.parametrize("kind", ["absolute", "host", "connect", "other-port"])
def test_no_client_chooses_where_a_request_goes(
    gateway: GatewayProcess, upstream: Upstream, own_upstream: Upstream, kind: str
) -> None:
    """OPS-25: another server is asked for; if anybody hears, it is the route's service."""
    other = own_upstream.authority.encode()
    token = bearer()
    requests = {
        "absolute": b"GET http://%b/p/x HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (other, other, token),
        "host": b"GET /p/x HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (other, token),
        "connect": b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (other, other, token),
        "other-port": b"GET http://%b/p/x HTTP/1.1\r\nHost: gw.test\r\n%b\r\n" % (other, token),
    }
    with Wire(gateway.port) as wire:
        wire.send(requests[kind])
        status = wire.read_response().status

    targets = [request.target for request in upstream.requests]
    expected = {"absolute": 200, "host": 200, "connect": 501, "other-port": 400}
    assert status == expected[kind]
    assert targets == ([b"/p/x"] if status == 200 else [])
    assert own_upstream.connection_count == 0
