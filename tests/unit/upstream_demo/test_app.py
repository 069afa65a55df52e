"""The products service, as a process on a port of its own."""

import ast
import base64
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import upstream_demo

PREFIX = "upstream_demo: serving on "


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A running service."""
    with subprocess.Popen(
        [sys.executable, "-m", "upstream_demo", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(PREFIX)
        yield line.removeprefix(PREFIX).strip()
        process.terminate()


@pytest.fixture
def client(base_url: str) -> Iterator[httpx.Client]:
    """A client of the running service."""
    with httpx.Client(base_url=base_url, trust_env=False) as client:
        yield client


def test_it_says_hello_and_that_it_is_healthy(client: httpx.Client) -> None:
    """``/`` and ``/health`` answer in JSON."""
    assert "Hello" in client.get("/").json()["message"]
    assert client.get("/health").json() == {"status": "ok"}


def test_a_product_is_created_shown_and_listed(client: httpx.Client) -> None:
    """201 names the new product's place."""
    created = client.post("/products", json={"name": "Argan oil", "price_cents": 1990})

    assert created.status_code == 201
    assert client.get(created.headers["location"]).json() == created.json()
    assert created.json() in client.get("/products").json()["products"]


@pytest.mark.parametrize("product_id", ["0", "999", "x", "-1", "٣", "9" * 5000])
def test_an_unknown_product_is_404(client: httpx.Client, product_id: str) -> None:
    """Whatever the id is, the answer is 404 in JSON."""
    response = client.get(f"/products/{product_id}")

    assert (response.status_code, response.json()) == (404, {"error": "there is no such product"})


@pytest.mark.parametrize(
    ("body", "status", "faulty"),
    [
        pytest.param(b"{", 400, set(), id="no-json"),
        pytest.param(b"[" * 100_000, 413, set(), id="too-long"),
        pytest.param(b"[" * 60_000, 400, set(), id="nested"),
        pytest.param(b"[]", 422, {""}, id="list"),
        pytest.param(b"{}", 422, {"name", "price_cents"}, id="empty"),
        pytest.param(
            b'{"name": " ", "price_cents": true}', 422, {"name", "price_cents"}, id="types"
        ),
        pytest.param(b'{"name": "a", "price_cents": -1}', 422, {"price_cents"}, id="negative"),
        pytest.param(b'{"name": "a", "price_cents": 1, "id": 7}', 422, {"id"}, id="unknown-field"),
    ],
)  # fmt: skip
def test_what_is_no_product_is_refused(
    client: httpx.Client, body: bytes, status: int, faulty: set[str]
) -> None:
    """Each faulty field is named."""
    response = client.post("/products", content=body)

    assert response.status_code == status
    assert set(response.json().get("faults", {})) == faulty


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"])
def test_echo_tells_the_request_as_received(client: httpx.Client, method: str) -> None:
    """Method, raw target, version, headers in order with repeats, body."""
    response = client.request(
        method, "/echo/a%2Fb?x=%20&y", headers=[("X-A", "1"), ("X-A", "2")], content=b"h\xc3\xa9"
    )
    told = response.json()

    assert (told["method"], told["target"]) == (method, "/echo/a%2Fb?x=%20&y")
    assert (told["http_version"], told["body"]) == ("1.1", "hé")
    assert [value for name, value in told["headers"] if name == "x-a"] == ["1", "2"]


def test_echo_tells_a_body_that_is_not_text_in_base64(client: httpx.Client) -> None:
    """Bytes that are no UTF-8 come back whole."""
    told = client.post("/echo", content=b"\xff\x00").json()

    assert base64.b64decode(told["body_base64"]) == b"\xff\x00"


def test_echo_takes_one_mebibyte(client: httpx.Client) -> None:
    """The bound is on what is held in memory; one byte more is 413."""
    assert client.post("/echo", content=bytes(1024 * 1024)).status_code == 200
    assert client.post("/echo", content=bytes(1024 * 1024 + 1)).status_code == 413


def test_events_come_one_by_one(client: httpx.Client) -> None:
    """Each event is complete, numbered, and there are as many as asked for."""
    response = client.get("/events?count=3&interval=0")

    assert response.headers["content-type"].startswith("text/event-stream")
    events = response.text.split("\n\n")
    assert events.pop() == ""
    data = [json.loads(event.splitlines()[2].removeprefix("data: ")) for event in events]
    assert data == [{"number": 1}, {"number": 2}, {"number": 3}]


def test_an_event_is_sent_before_the_next_is_made(client: httpx.Client) -> None:
    """The first event can be read although the second is an hour away; without count, no end."""
    with client.stream("GET", "/events?interval=3600") as response:
        assert next(response.iter_text()).startswith("id: 1\n")


def test_download_and_upload_count_bytes(client: httpx.Client) -> None:
    """A download has the length that was asked for; an upload is counted, sized or chunked."""
    response = client.get("/download?bytes=200001")

    assert (response.headers["content-length"], len(response.content)) == ("200001", 200_001)
    assert client.put("/upload", content=bytes(70_000)).json() == {"received_bytes": 70_000}
    pieces = (bytes(1000) for _ in range(3))
    assert client.post("/upload", content=pieces).json() == {"received_bytes": 3000}


def test_slow_answers_when_its_time_has_come(client: httpx.Client) -> None:
    """The seconds are told back."""
    assert client.get("/slow?seconds=0").json() == {"slept_s": 0.0}


@pytest.mark.parametrize(
    "target",
    ["/slow?seconds=nan", "/slow?seconds=-1", "/slow?seconds=x", "/download?bytes=1e99",
     "/events?count=inf", "/events?interval="],
)  # fmt: skip
def test_a_bad_number_is_400(client: httpx.Client, target: str) -> None:
    """Query parameters are checked, with their name in the answer."""
    response = client.get(target)

    assert response.status_code == 400
    assert "must be a number" in response.json()["error"]


def test_an_unknown_path_is_404_in_json(client: httpx.Client) -> None:
    """Errors of the framework have the same form as those of the service."""
    assert client.get("/products/").status_code == 404
    assert client.get("/nowhere").json() == {"error": "Not Found"}


def test_a_taken_port_is_an_error_in_one_line() -> None:
    """Exit 1, with the address and the system's word for it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result: Any = subprocess.run(
            [sys.executable, "-m", "upstream_demo", "--port", port],
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    assert result.returncode == 1
    assert result.stderr.startswith(f"upstream_demo: cannot listen on 127.0.0.1:{port}: ")


def test_it_never_imports_the_gateway() -> None:
    """The service has never heard of tokens."""
    for path in Path(upstream_demo.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.split(".")[0] == "gateway"]
