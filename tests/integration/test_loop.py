"""The whole loop over real HTTP: log in, call with the token, the service knows who is calling."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import argon2
import httpx
import pytest

from tests.kit.gateway import AUDIENCE, ISSUER, SECRET, GatewayProcess

SERVING = "upstream_demo: serving on "
PASSWORD = "correct horse"

# What the gateway adds to a request, and what httpx sends of its own.
_FORWARDING = {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-request-id"}


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    """The products service, started as people start it; its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "upstream_demo", "--port", "0"],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith(SERVING)
    yield line.removeprefix(SERVING).strip()
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.fixture(scope="module")
def front(service: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The gateway before it; its URL."""
    weak = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    user = {
        "username": "aymen",
        "password_hash": weak.hash(PASSWORD),
        "roles": ["customer"],
        "attributes": {"email": "aymen@example.com"},
    }
    document = {
        "version": 1,
        "listen": "127.0.0.1:0",
        "tokens": {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "algorithm": "HS256",
            "secret": SECRET,
            "claims": {"email": "user.email"},
        },
        "credentials": [
            {"header": "Authorization", "scheme": "Bearer"},
            {"header": "access-token"},
        ],
        "claim_headers": {
            "X-User-Id": "sub",
            "X-User-Name": "username",
            "X-User-Roles": "roles",
            "X-User-Email": "email",
        },
        "users": [user],
        "upstreams": {"products": {"endpoints": [service]}},
        "routes": [
            {
                "name": "products",
                "path": "/products/**",
                "upstream": "products",
                "require": {"roles": ["customer"]},
            },
            {"name": "echo", "path": "/echo/**", "upstream": "products"},
            {"name": "rest", "path": "/**", "upstream": "products", "auth": "none"},
        ],
    }
    with GatewayProcess(document, tmp_path_factory.mktemp("loop")) as process:
        yield f"http://127.0.0.1:{process.port}"


@pytest.fixture(scope="module")
def both(service: str, front: str) -> tuple[str, str]:
    """The URL of the service without and with the gateway."""
    return service, front


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    """A client that believes no proxy of the environment."""
    with httpx.Client(trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def token(front: str, client: httpx.Client) -> str:
    """The token that a login gives."""
    answer = client.post(f"{front}/authenticate", json={"username": "aymen", "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


def test_without_a_token_there_are_no_products(front: str, client: httpx.Client) -> None:
    """The mission's first line: 401, and why."""
    answer = client.get(f"{front}/products")

    assert answer.status_code == 401
    assert answer.json()["reason"] == "credential_missing"
    assert answer.json()["detail"] == "No token provided."
    assert answer.headers["www-authenticate"] == 'Bearer realm="gateway"'


def test_a_login_tells_what_it_gives(front: str, client: httpx.Client) -> None:
    """DESIGN.md section 3: JSON or form, the same answer, never stored on the way."""
    login = {"username": "aymen", "password": PASSWORD}
    for answer in (
        client.post(f"{front}/authenticate", json=login),
        client.post(f"{front}/authenticate", data=login),
    ):
        told = answer.json()
        assert answer.status_code == 200
        assert (told["message"], told["token_type"]) == ("authentication done", "Bearer")
        assert told["expires_in"] == 1440
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "login", [("aymen", "wrong"), ("nobody", PASSWORD)], ids=["password", "user"]
)
def test_a_failed_login_does_not_say_what_was_wrong(
    front: str, client: httpx.Client, login: tuple[str, str]
) -> None:
    """One answer for an unknown user and a wrong password."""
    answer = client.post(f"{front}/authenticate", json={"username": login[0], "password": login[1]})

    assert (answer.status_code, answer.json()["reason"]) == (401, "login_failed")


@pytest.mark.parametrize("form", ["Authorization: Bearer {}", "access-token: {}"])
def test_the_service_sees_who_is_calling(
    front: str, client: httpx.Client, token: str, form: str
) -> None:
    """The claims arrive as headers, the token does not, and a spoofed one is gone."""
    name, _, value = form.format(token).partition(": ")
    answer = client.get(f"{front}/echo", headers={name: value, "X-User-Id": "admin"})

    assert answer.status_code == 200
    assert token not in answer.text
    seen = [(name.lower(), value) for name, value in answer.json()["headers"]]
    identity = {name: value for name, value in seen if name.startswith("x-user-")}
    assert identity["x-user-name"] == "aymen"
    assert identity["x-user-roles"] == "customer"
    assert identity["x-user-email"] == "aymen@example.com"
    assert identity["x-user-id"] != "admin"
    assert len([name for name, _ in seen if name == "x-user-id"]) == 1


def test_whoami_tells_the_claims(front: str, client: httpx.Client, token: str) -> None:
    """``GET /whoami``: the control plane on the same connection as the data plane."""
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(f"{front}/products", headers=headers).status_code == 200
    answer = client.get(f"{front}/whoami", headers=headers)

    assert answer.status_code == 200
    assert "aymen" in answer.text


SAME = [
    pytest.param("GET", "/", None, id="hello"),
    pytest.param("GET", "/health", None, id="health"),
    pytest.param("HEAD", "/products", None, id="head"),
    pytest.param("GET", "/products", None, id="list"),
    pytest.param("GET", "/products/1", None, id="one"),
    pytest.param("GET", "/products/nothing", None, id="none"),
    pytest.param("POST", "/products", b"not json", id="bad-body"),
    pytest.param("DELETE", "/products", None, id="method"),
    pytest.param("GET", "/nothing", None, id="no-such-path"),
    pytest.param("GET", "/download?bytes=100000", None, id="download"),
    pytest.param("POST", "/upload", b"a" * 300_000, id="upload"),
    pytest.param("GET", "/events?count=2&interval=0", None, id="events"),
    pytest.param("OPTIONS", "/products", None, id="options"),
    pytest.param("POST", "/products", b'{"name": ""}', id="no-product"),
    pytest.param("PUT", "/upload", b"", id="empty-upload"),
    pytest.param("GET", "/slow?seconds=0.01", None, id="slow"),
    pytest.param("GET", "/slow?seconds=x", None, id="bad-query"),
    pytest.param("GET", "/download?bytes=0", None, id="empty-download"),
    pytest.param("HEAD", "/download?bytes=100000", None, id="head-of-a-download"),
    pytest.param("GET", "/products/%C3%A9?a=%20&b", None, id="escapes"),
]


@pytest.mark.parametrize(("method", "path", "body"), SAME)
def test_the_answer_is_the_same_with_and_without_the_gateway(
    both: tuple[str, str],
    client: httpx.Client,
    token: str,
    method: str,
    path: str,
    body: bytes | None,
) -> None:
    """The service is unmodified and so are its answers: status, fields and body."""
    headers = {"Authorization": f"Bearer {token}"}
    direct, through = (
        client.request(method, url + path, content=body, headers=headers) for url in both
    )

    assert (direct.status_code, direct.content) == (through.status_code, through.content)
    ignored = {"date", "connection", "transfer-encoding"}
    fields = [
        sorted(item for item in answer.headers.multi_items() if item[0] not in ignored)
        for answer in (direct, through)
    ]
    assert fields[0] == fields[1]


def test_the_request_is_the_same_but_for_claims_and_forwarding(
    service: str, front: str, client: httpx.Client, token: str
) -> None:
    """What the service is told differs by the headers that the gateway is for."""
    headers = {"access-token": token, "X-Custom": "kept", "Host": "shop.test"}
    direct, through = (
        client.post(f"{url}/echo/a?b=%20c", content=b"hello", headers=headers).json()
        for url in (service, front)
    )

    for echo in (direct, through):
        echo["headers"] = {
            (name.lower(), value)
            for name, value in echo["headers"]
            if name.lower() not in {"connection", "access-token", *_FORWARDING}
            and not name.lower().startswith("x-user-")
        }
    assert direct == through


def test_the_keys_are_published(front: str, client: httpx.Client) -> None:
    """A shared secret has no public half: the set is empty."""
    answer = client.get(f"{front}/.well-known/jwks.json")

    assert (answer.status_code, answer.json()) == (200, {"keys": []})
