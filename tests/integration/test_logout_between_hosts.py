"""DESIGN.md section 8, guarantee 3: gateways on one database hear of each other's logouts."""

import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.conftest import StartGateway
from tests.kit.client import Client, connected_to_all
from tests.kit.gateway import configuration, mint
from tests.kit.stores import postgres_server, postgres_url
from tests.kit.tally import Tally

__all__ = ["postgres_server", "postgres_url"]

WORKERS: Final = 2
LOGOUTS: Final = 20
DEADLINE_S: Final = 5.0  # DESIGN.md: 1 s; ``bench.logout`` measures it on a quiet machine


@pytest.fixture
def service() -> Iterator[Tally]:
    """The service behind the gateways."""
    with Tally() as tally:
        yield tally


def test_a_logout_counts_on_another_host(
    start_gateway: StartGateway, service: Tally, postgres_url: str
) -> None:
    """SES-08: on every worker of either, whichever was asked; and it is good until then."""
    document = configuration(service.port, store=postgres_url, workers=WORKERS)
    one, other = start_gateway(document), start_gateway(document)
    with (
        connected_to_all(one.port, WORKERS) as of_one,
        connected_to_all(other.port, WORKERS) as of_other,
    ):
        sides = [[taken[0] for taken in side.values()] for side in (of_one, of_other)]
        for number in range(LOGOUTS):
            here, there = sides[number % 2], sides[1 - number % 2]
            token = mint(sid=f"s{number}", jti=f"t{number}")
            assert [_is_good(client, token) for client in here + there] == [True] * 4
            assert here[number // 2 % 2].ask("POST", "/logout", token).status == 204
            deadline_s = time.monotonic() + DEADLINE_S
            while any(_is_good(client, token) for client in there):
                assert time.monotonic() < deadline_s, f"logout {number} did not arrive"
            assert not any(_is_good(client, token) for client in here + there)


def _is_good(client: Client, token: str) -> bool:
    verdict = client.ask("GET", "/p", token).verdict
    assert verdict in ((200, ""), (401, "token_revoked"))
    return verdict == (200, "")
