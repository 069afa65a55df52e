"""GET /metrics of the admin listener."""

import pytest

from tests.unit.control.asking_admin import METRICS, Admin


def test_the_page_is_served_as_prometheus_asks_for_it(admin: Admin) -> None:
    """The text format, with its version; a scraper presents the admin token as a bearer."""
    answer = admin.ask("GET", "/metrics")

    assert (answer.status_code, answer.text) == (200, METRICS)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("authorization", [None, "Bearer wrong"])
def test_the_page_is_guarded(admin: Admin, authorization: str | None) -> None:
    """Names of routes and services are for operators."""
    assert admin.ask("GET", "/metrics", authorization=authorization).status_code == 401
