"""Dockerfile and docker-compose.yml agree with the package; no engine is needed to see that."""

import re
import tomllib
from typing import Any, Final

import yaml

from gateway.policy.model import CONTROL_ENDPOINTS, Auth
from tests.kit.documents import ROOT, read

DOCKERFILE: Final = read("Dockerfile")
COMPOSE: Final[dict[str, Any]] = yaml.safe_load(read("docker-compose.yml"))
_COPY: Final = re.compile(r"^COPY (?!--from)(.+) \S+$", re.MULTILINE)


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    """The build context has each file that the Dockerfile takes from it."""
    sources = [source for line in _COPY.findall(DOCKERFILE) for source in line.split()]
    ignored = read(".dockerignore").splitlines()

    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert [source for source in sources if f"!{source}" not in ignored] == []


def test_the_entry_point_is_a_script_of_the_package() -> None:
    """The command of the image is one that installing the package makes."""
    scripts = tomllib.loads(read("pyproject.toml"))["project"]["scripts"]
    entry = re.search(r'^ENTRYPOINT \["(\w+)"\]$', DOCKERFILE, re.MULTILINE)

    assert entry is not None
    assert entry[1] in scripts


def test_the_health_check_asks_for_a_public_endpoint() -> None:
    """What the health check fetches answers 200 without a credential."""
    asked = re.search(r"http://127\.0\.0\.1:8080(/[^']+)'", DOCKERFILE)
    public = {endpoint.path for endpoint in CONTROL_ENDPOINTS if endpoint.auth is Auth.NONE}

    assert asked is not None
    assert asked[1] in public


def test_the_image_does_not_run_as_root() -> None:
    """The last USER of the image is not root."""
    users = re.findall(r"^USER (\w+)$", DOCKERFILE, re.MULTILINE)

    assert users[-1:] == ["gateway"]


def test_the_environment_of_compose_is_read_by_the_configuration() -> None:
    """Each variable that compose sets for the gateway is one that config/routes.yaml takes."""
    configuration = read("config/routes.yaml")
    names = COMPOSE["services"]["gateway"]["environment"]

    assert [name for name in names if f"${{{name}" not in configuration] == []


def test_the_service_is_reached_through_the_gateway_only() -> None:
    """Identity headers are not signed: the service of the example has no published port."""
    assert "ports" not in COMPOSE["services"]["products"]
