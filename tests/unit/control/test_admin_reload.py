"""What ``POST /reload`` answers."""

from collections.abc import Iterator

import pytest

from gateway.errors import ConfigError, Place
from tests.unit.control.asking import JSON, check_problem
from tests.unit.control.asking_admin import Admin, open_admin


@pytest.fixture
def admin() -> Iterator[Admin]:
    """An admin API."""
    with open_admin() as made:
        yield made


def test_a_reload_that_is_done_says_so(admin: Admin) -> None:
    """200: the next request is decided by the new configuration."""
    response = admin.ask("POST", "/reload")

    assert (response.status_code, response.json()) == (200, {"status": "reloaded"})


def test_a_reload_by_several_workers_is_accepted(admin: Admin) -> None:
    """202: the file is good, and they are replaced one after the other."""
    admin.reload_is_done = False
    response = admin.ask("POST", "/reload")

    assert (response.status_code, response.json()) == (202, {"status": "reloading"})


def test_a_file_with_faults_is_refused_with_all_of_them(admin: Admin) -> None:
    """Each with its place and its cure, beside what every problem document has."""
    admin.reload_faults = [
        ConfigError(Place("routes.yaml", 3, "workers"), "a fault", "a cure"),
        ConfigError(Place("routes.yaml"), "another"),
    ]
    document = check_problem(admin.ask("POST", "/reload"), 409, "reload_failed")

    assert document["errors"] == [
        {
            "file": "routes.yaml",
            "line": 3,
            "path": "workers",
            "fault": "a fault",
            "cure": "a cure",
        },
        {"file": "routes.yaml", "line": 0, "path": "", "fault": "another", "cure": ""},
    ]


def test_a_reload_takes_no_configuration(admin: Admin) -> None:
    """It is the file that is read; whoever sends one must learn that it was not."""
    response = admin.ask("POST", "/reload", content='{"routes": []}', headers=JSON)

    check_problem(response, 400, "bad_request")
