"""Upstreams in the file: endpoints and their weights, balance, retries, health checks."""

import pytest

from gateway.config.compile import compile_snapshot
from gateway.policy.model import Balance, Endpoint, HealthCheck, Upstream
from tests.unit.config.conftest import Complain, Read

HEAD = "version: 1\ntokens: {issuer: i, audience: a}\n"


def upstream_of(read: Read, text: str) -> Upstream:
    """Return the one upstream of a file with these keys in it."""
    (upstream,) = compile_snapshot(read(f"{HEAD}upstreams: {{a: {{{text}}}}}\n"), ()).upstreams
    return upstream


def test_an_endpoint_has_a_weight_or_none(read: Read) -> None:
    """An address alone is one of weight 1."""
    text = "endpoints: ['http://a:1', {url: 'http://b:2', weight: 3}, {url: 'http://[::1]:3'}]"

    assert upstream_of(read, text).endpoints == (
        Endpoint("a", 1),
        Endpoint("b", 2, weight=3),
        Endpoint("::1", 3),
    )


def test_balance_retries_and_health_are_compiled(read: Read) -> None:
    """Every key reaches its place."""
    upstream = upstream_of(
        read,
        "endpoints: ['http://a:1'], balance: random, retries: 0, health: {path: '/up?full=1',"
        " interval: 9s, timeout: 8s, unhealthy_after: 7, healthy_after: 6}",
    )

    assert (upstream.balance, upstream.retries) == (Balance.RANDOM, 0)
    assert upstream.health == HealthCheck(
        path="/up?full=1", interval_s=9, timeout_s=8, unhealthy_after=7, healthy_after=6
    )


def test_a_file_that_names_only_a_path_gets_the_defaults_of_the_model(read: Read) -> None:
    """One default per setting, wherever it is written."""
    upstream = upstream_of(read, "endpoints: ['http://a:1'], health: {path: /up}")

    assert upstream == Upstream(
        name="a", endpoints=(Endpoint("a", 1),), health=HealthCheck(path="/up")
    )


def test_retries_may_come_from_a_variable(read: Read) -> None:
    """As every number may."""
    text = f"{HEAD}upstreams: {{a: {{endpoints: ['http://a:1'], retries: '${{N}}'}}}}\n"
    (upstream,) = compile_snapshot(read(text, {"N": "3"}), ()).upstreams

    assert upstream.retries == 3


SLIPS = [
    pytest.param(
        "endpoints: ['http://a:1', {url: 'http://a:1'}]",
        "endpoints: a:1 stands here twice -> give it a weight instead",
        id="twice",
    ),
    pytest.param(
        "endpoints: [{url: 'http://a:1', weight: 1001}]",
        "endpoints[0].weight: 1001 is too much for a weight -> write 1000 or less",
        id="weight",
    ),
    pytest.param(
        "endpoints: ['a:1']",
        "endpoints[0]: 'a:1' is not an endpoint -> write http://host:port, for example "
        "http://127.0.0.1:9000",
        id="scheme",
    ),
    pytest.param(
        "endpoints: [{weight: 2}]",
        "endpoints[0]: the key 'url' is missing -> add 'url: ...'",
        id="no-url",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], retries: 6",
        "retries: 6 is not a number of retries -> write 0 to 5",
        id="retries",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], retries: true",
        "retries: true is not a number of retries -> write 0 to 5",
        id="retries-true",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], balance: ip_hash",
        "balance: 'ip_hash' is not one of the known values -> write round_robin, least_requests "
        "or random",
        id="balance",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], health: {path: up}",
        "health.path: 'up' is not a path -> write the path to ask for, for example /health",
        id="path",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], health: {path: /up, timeout: 6s}",
        "health.timeout: a check would take longer than the interval between two -> write a "
        "timeout that is not longer than the interval",
        id="timeout",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], health: {path: /up, interval: 1s}",
        "health: a check would take longer than the interval between two -> write a "
        "timeout that is not longer than the interval",
        id="interval",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], health: {}",
        "health: the key 'path' is missing -> add 'path: ...'",
        id="no-path",
    ),
]


@pytest.mark.parametrize(("text", "said"), SLIPS)
def test_a_slip_is_named_with_its_place_and_its_cure(
    complain: Complain, text: str, said: str
) -> None:
    """R7: place, fault, cure."""
    assert complain(f"{HEAD}upstreams: {{a: {{{text}}}}}\n") == f"f:3: upstreams.a.{said}"
