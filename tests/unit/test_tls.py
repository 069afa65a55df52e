"""The files of ``tls``: what is refused, what is warned of, and what is taken up."""

import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config.load import load_config
from gateway.config.tls_settings import TlsSettings
from gateway.errors import ConfigError, ConfigErrors
from gateway.reload import read_again
from gateway.tls import ServerTls, check_tls
from tests.kit.certificates import DAY, Certificate, make_certificate, trusting
from tests.kit.gateway import configuration, write_configuration

GOOD = make_certificate()


def _check(folder: Path, **tls: str) -> list[str]:
    path = write_configuration(folder, configuration(1, tls=tls))
    warnings = check_tls(load_config(path, {}), time.time())
    return [warning.text for warning in warnings]


FAULTS = [
    pytest.param(lambda f: (f / "cert.pem").unlink(), "certificate", "does not exist", id="none"),
    pytest.param(lambda f: (f / "key.pem").unlink(), "key", "does not exist", id="no-key"),
    pytest.param(
        lambda f: (f / "key.pem").chmod(0o604), "key", "everyone on this host can use", id="mode"
    ),
    pytest.param(
        lambda f: (f / "key.pem").write_bytes(make_certificate().key),
        "key",
        "the key is not that of the certificate",
        id="another-key",
    ),
    pytest.param(
        lambda f: (f / "key.pem").write_text("x"), "key", "is not a private key in PEM", id="no-pem"
    ),
    pytest.param(
        lambda f: (f / "cert.pem").write_text("x"), "certificate", "is not a certificate", id="text"
    ),
    pytest.param(
        lambda f: make_certificate(ends=-timedelta(seconds=1)).write(f),
        "certificate",
        "the certificate ended on",
        id="ended",
    ),
    pytest.param(
        lambda f: make_certificate(passphrase=b"secret").write(f),
        "key",
        "the key is encrypted",
        id="encrypted",
    ),
    pytest.param(
        lambda f: ((f / "cert.pem").unlink(), (f / "cert.pem").mkdir()),
        "certificate",
        "is not a regular file",
        id="folder",
    ),
]


@pytest.mark.parametrize(("spoil", "at", "fault"), FAULTS)
def test_files_that_cannot_serve_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], at: str, fault: str
) -> None:
    """Each with its place in the file, and a cure."""
    tls = GOOD.write(tmp_path)
    spoil(tmp_path)

    with pytest.raises(ConfigError) as caught:
        _check(tmp_path, **tls)
    assert (caught.value.place.path, bool(caught.value.cure)) == (f"tls.{at}", True)
    assert fault in caught.value.fault


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        pytest.param(GOOD, [], id="good"),
        pytest.param(make_certificate(ends=13 * DAY), ["the certificate ends on"], id="soon"),
        pytest.param(make_certificate(begins=DAY), ["the certificate counts from"], id="later"),
    ],
)
def test_what_will_be_wrong_is_warned_of(
    tmp_path: Path, certificate: Certificate, expected: list[str]
) -> None:
    """Two weeks before a certificate ends, and while it does not count yet."""
    warnings = _check(tmp_path, **certificate.write(tmp_path))

    assert [text[: len(start)] for text, start in zip(warnings, expected, strict=True)] == expected


def test_the_group_may_read_the_key(tmp_path: Path) -> None:
    """ACME clients hand keys to services by a group."""
    tls = GOOD.write(tmp_path)
    (tmp_path / "key.pem").chmod(0o640)

    assert _check(tmp_path, **tls) == []


def _serial_of(server: ssl.SSLContext, client: ssl.SSLContext) -> int:
    """Shake hands in memory and return the serial number of the certificate that was shown."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1")
    for side in (theirs, ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = theirs.getpeercert()
    assert shown is not None
    return int(str(shown["serialNumber"]), 16)


def test_a_new_pair_is_taken_up_and_a_broken_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The context that listens shows what is on disk, as long as that is good."""
    second, third = make_certificate(), make_certificate()
    tls = ServerTls(TlsSettings(**GOOD.write(tmp_path)), time.time)
    context = tls.make_context()
    assert _serial_of(context, trusting(GOOD)) == GOOD.serial

    second.write(tmp_path)
    tls.look()
    assert _serial_of(context, trusting(second)) == second.serial

    (tmp_path / "cert.pem").write_bytes(third.certificate)
    tls.look()
    tls.look()
    assert _serial_of(context, trusting(second)) == second.serial
    assert sum("not that of the certificate" in each.message for each in caplog.records) == 1

    third.write(tmp_path)
    tls.look()
    assert _serial_of(context, trusting(third)) == third.serial


def test_the_files_of_upstreams_are_checked_too(tmp_path: Path) -> None:
    """OPS-05: all faults at once, each at its place; we warn of a certificate that ends soon."""
    soon = make_certificate(ends=3 * DAY).write(tmp_path / "soon")
    document = configuration(1)
    document["upstreams"]["soon"] = {"endpoints": ["https://a.test"], "tls": soon}
    path = write_configuration(tmp_path, document)
    (warning,) = check_tls(load_config(path, {}), time.time())
    assert (warning.place.path, "ends on" in warning.text) == (
        "upstreams.soon.tls.certificate",
        True,
    )

    document["upstreams"]["a"] = {
        "endpoints": ["https://a.test"],
        "tls": {"ca": str(tmp_path / "none.pem")},
    }
    document["upstreams"]["b"] = {
        "endpoints": ["https://a.test"],
        "tls": {**soon, "key": str(path)},
    }
    path.unlink()
    path = write_configuration(tmp_path, document)
    config = load_config(path, {})
    with pytest.raises(ConfigErrors) as caught:
        check_tls(config, time.time())
    places = [error.place.path for error in caught.value.errors]
    assert places == ["upstreams.a.tls.ca", "upstreams.b.tls.key"]
    with pytest.raises(ConfigErrors, match=r"upstreams\.a\.tls\.ca"):
        read_again(config)
