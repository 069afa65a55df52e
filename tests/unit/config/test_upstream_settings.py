"""Upstreams in the file: endpoints and their weights, balance, retries, health checks."""

import pytest

from gateway.config.compile import compile_snapshot
from gateway.policy.model import Balance, Endpoint, HealthCheck, Upstream, UpstreamTls
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


def test_tls_verifies_unless_the_file_says_otherwise(read: Read) -> None:
    """Every key reaches its place; without 'tls' the system's CAs count."""
    text = "ca: ca.pem, certificate: cert.pem, key: key.pem, server_name: Api.Internal"

    assert upstream_of(read, "endpoints: ['https://a']").tls == UpstreamTls(verify=True)
    assert upstream_of(read, f"endpoints: ['https://a'], tls: {{{text}}}").tls == UpstreamTls(
        ca="ca.pem", certificate="cert.pem", key="key.pem", server_name="api.internal"
    )
    unverified = upstream_of(read, "endpoints: ['https://a'], tls: {verify: false}")
    assert unverified.tls == UpstreamTls(verify=False)


def test_a_socket_is_an_endpoint_too(read: Read) -> None:
    """Beside others that speak plain HTTP; with a weight as they have."""
    text = "endpoints: ['http://a:1', {url: 'unix:/run/x', weight: 2}]"

    assert upstream_of(read, text).endpoints[1] == Endpoint(
        "localhost", 0, weight=2, socket="/run/x"
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
        "endpoints[0]: 'a:1' is not an endpoint -> write http://host:port, "
        "https://host:port or unix:/path",
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
        "endpoints: ['https://a', 'http://b:1']",
        "endpoints: requests would be protected to some endpoints, and not to the others -> write "
        "https:// for all of them, or make two upstreams",
        id="mixed",
    ),
    pytest.param(
        "endpoints: ['https://a', 'unix:/run/x']",
        "endpoints: requests would be protected to some endpoints, and not to the others -> write "
        "https:// for all of them, or make two upstreams",
        id="mixed-unix",
    ),
    pytest.param(
        "endpoints: ['http://a:1'], tls: {ca: ca.pem}",
        "tls: no endpoint speaks TLS -> write https://, or remove 'tls'",
        id="plain",
    ),
    pytest.param(
        "endpoints: ['https://a'], tls: {key: key.pem}",
        "tls.key: there is no certificate for this key -> add 'certificate'",
        id="key-alone",
    ),
    pytest.param(
        "endpoints: ['https://a'], tls: {certificate: cert.pem}",
        "tls.certificate: there is no key for this certificate -> add 'key'",
        id="certificate-alone",
    ),
    pytest.param(
        "endpoints: ['https://a'], tls: {ca: ca.pem, verify: false}",
        "tls.verify: with 'verify: false' nobody looks at the CAs -> remove 'verify', or 'ca'",
        id="ca-unverified",
    ),
    pytest.param(
        "endpoints: ['https://a'], tls: {server_name: 'a:1'}",
        "tls.server_name: 'a:1' is not a name of a server -> write a name, such as api.internal",
        id="server-name",
    ),
    pytest.param(
        "endpoints: ['https://a'], tls: {insecure: true}",
        "tls: unknown key 'insecure' -> known keys: ca, certificate, key, server_name, verify",
        id="unknown",
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
