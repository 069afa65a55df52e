"""Tokens of npm's oidc-provider, a certified OpenID provider: through discovery and a rotation.

Needs Node and the package, which this project does not bring along: ``npm install --no-save
oidc-provider`` in its root, or in the folder that ``OIDC_PROVIDER`` names. Skipped without them.
"""

import json
import os
import shutil
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import pytest

from tests.conftest import StartGateway
from tests.kit.gateway import GatewayProcess, configuration
from tests.kit.upstream import Upstream
from tests.kit.wire import Response, Wire

ROOT: Final = Path(__file__).parents[2]
FOLDER: Final = Path(os.environ.get("OIDC_PROVIDER", ROOT))
NODE: Final = shutil.which("node")
DEADLINE_S: Final = 30.0

pytestmark = pytest.mark.skipif(
    NODE is None or not (FOLDER / "node_modules" / "oidc-provider").is_dir(),
    reason="needs Node and `npm install --no-save oidc-provider` in the project's root",
)


class Provider:
    """The provider in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.issuer = self._read_line()

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish no other."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        assert self._read_line() == "rotated"

    def issue(self) -> str:
        """Return an access token of the client ``shop``."""
        address = urlsplit(self.issuer)
        form = {
            "grant_type": "client_credentials",
            "scope": "products:read",
            "resource": "https://products.test",
        }
        fields = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": "Basic " + b64encode(b"shop:secret-of-the-shop").decode(),
        }
        connection = HTTPConnection(address.netloc, timeout=DEADLINE_S)
        connection.request("POST", "/token", urlencode(form), fields)
        answer = json.loads(connection.getresponse().read())
        connection.close()
        return str(answer["access_token"])

    def _read_line(self) -> str:
        """Return its next line for us; the package has notices of its own."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("> "):
                return line.removeprefix("> ").strip()
        raise AssertionError("the provider has ended")


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider that ends with the test."""
    script = ROOT / "tests" / "kit" / "oidc_provider.mjs"
    command = [NODE or "", str(script), str(FOLDER.resolve())]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
    ) as process:
        yield Provider(process)
        process.kill()


def _ask(gateway: GatewayProcess, token: str) -> Response:
    with Wire(gateway.port) as wire:
        wire.send(f"GET /p HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        return wire.read_response()


def _wait_until_taken(gateway: GatewayProcess, token: str) -> None:
    until_s = time.monotonic() + DEADLINE_S
    while (found := _ask(gateway, token)).status != 200:
        assert time.monotonic() < until_s, found


def test_its_tokens_count_through_discovery_and_a_rotation(
    start_gateway: StartGateway, own_upstream: Upstream, provider: Provider
) -> None:
    """Issue 4: a token with the new key is refused, then counts; one with the old key no more."""
    issuer = {
        "issuer": provider.issuer,
        "discovery": True,
        "audience": "products",
        "algorithms": ["RS256"],
    }
    gateway = start_gateway(configuration(own_upstream.port, issuers=[issuer]))
    old = provider.issue()
    _wait_until_taken(gateway, old)
    assert own_upstream.requests[-1].header(b"x-user") == [b"shop"]

    provider.rotate()
    assert _ask(gateway, old).status == 200
    new = provider.issue()
    assert _ask(gateway, new).reason == "token_key_unknown"
    _wait_until_taken(gateway, new)
    assert _ask(gateway, old).reason == "token_key_unknown"
