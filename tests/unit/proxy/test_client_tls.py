"""gateway.proxy.client_tls: contexts that verify, files that change, faults that are told."""

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.certificates import UnfitPairError
from gateway.policy.model import Endpoint, Upstream, UpstreamTls
from gateway.proxy import client_tls
from gateway.proxy.client_tls import ClientTls, NoContextError, make_context, tls_fault
from tests.kit.certificates import make_ca, make_certificate

SECURE = Endpoint("api.test", 443, secure=True)
CA = make_ca()


def tls_of(tls: UpstreamTls, endpoint: Endpoint = SECURE) -> ClientTls:
    """Return what an upstream with one endpoint speaks TLS with."""
    return ClientTls(Upstream(name="api", endpoints=(endpoint,), tls=tls))


def test_a_context_verifies_chain_and_host() -> None:
    """TLS 1.2 and later; the system's CAs where none is named."""
    context = make_context(UpstreamTls())

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert not context.hostname_checks_common_name
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION


def test_a_ca_of_ones_own_is_the_only_one(tmp_path: Path) -> None:
    """The system's are not trusted beside it."""
    (tmp_path / "ca.pem").write_bytes(CA.certificate)
    context = make_context(UpstreamTls(ca=str(tmp_path / "ca.pem")))

    assert [int(str(each["serialNumber"]), 16) for each in context.get_ca_certs()] == [CA.serial]
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_verification_is_only_left_out_where_the_file_says_so() -> None:
    """``verify: false``."""
    context = make_context(UpstreamTls(verify=False))

    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)


FAULTS = [
    pytest.param(lambda f: (f / "ca.pem").unlink(), "ca", "does not exist", id="no-ca"),
    pytest.param(lambda f: (f / "ca.pem").write_text("x"), "ca", "no certificate", id="text"),
    pytest.param(
        lambda f: ((f / "ca.pem").unlink(), (f / "ca.pem").mkdir()),
        "ca",
        "is not a regular file",
        id="folder",
    ),
    pytest.param(
        lambda f: (f / "cert.pem").unlink(), "certificate", "does not exist", id="no-certificate"
    ),
    pytest.param(lambda f: (f / "key.pem").unlink(), "key", "does not exist", id="no-key"),
    pytest.param(
        lambda f: (f / "key.pem").write_bytes(make_certificate().key),
        "key",
        "the key is not that of the certificate",
        id="another-key",
    ),
    pytest.param(lambda f: (f / "key.pem").chmod(0o644), "key", "everyone on this host", id="mode"),
]


@pytest.mark.parametrize(("spoil", "at", "fault"), FAULTS)
def test_files_that_cannot_be_used_are_refused(
    tmp_path: Path, spoil: Callable[[Path], object], at: str, fault: str
) -> None:
    """Each with the key that names it, and a cure."""
    files = make_certificate(ca=CA).write(tmp_path)
    (tmp_path / "ca.pem").write_bytes(CA.certificate)
    spoil(tmp_path)

    tls = UpstreamTls(
        ca=str(tmp_path / "ca.pem"), certificate=files["certificate"], key=files["key"]
    )
    with pytest.raises(UnfitPairError, match=fault) as caught:
        make_context(tls)
    assert (caught.value.at, bool(caught.value.cure)) == (at, True)


def test_what_speaks_plain_http_needs_no_context() -> None:
    """No CA is read for it, and none of its options changed."""
    tls = tls_of(UpstreamTls(), Endpoint("api.test", 80))

    assert tls.options_for(Endpoint("api.test", 80)) == {}
    assert not tls.has_files


def test_the_name_that_is_asked_for_is_the_hosts_or_the_files() -> None:
    """It goes into SNI and is looked for in the certificate."""
    for tls, name in ((UpstreamTls(), "api.test"), (UpstreamTls(server_name="b.test"), "b.test")):
        assert tls_of(tls).options_for(SECURE)["server_hostname"] == name


def test_without_a_context_there_is_no_connection(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that vanished after it was checked: no fall back, and the log says why."""
    tls = tls_of(UpstreamTls(ca=str(tmp_path / "ca.pem")))

    with pytest.raises(NoContextError):
        tls.options_for(SECURE)
    assert "tls.ca" in caplog.text
    (tmp_path / "ca.pem").write_bytes(CA.certificate)
    tls.look()
    assert tls.options_for(SECURE)["ssl"].get_ca_certs()


def test_renewed_files_are_taken_up_and_broken_ones_are_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in use stays until there is something better; each change is told once."""
    monkeypatch.setattr(client_tls, "LOOK_S", 0.0)
    files = make_certificate(ca=CA).write(tmp_path)
    tls = tls_of(UpstreamTls(verify=False, certificate=files["certificate"], key=files["key"]))
    first = tls.context

    async def follow_until(context: Callable[[], bool]) -> None:
        task = asyncio.get_running_loop().create_task(tls.follow())
        while not context():  # noqa: ASYNC110
            await asyncio.sleep(0)
        task.cancel()

    tls.look()
    assert tls.context is first
    (tmp_path / "key.pem").write_text("x")
    tls.look()
    tls.look()
    assert tls.context is first
    assert caplog.text.count("these certificates are not used: tls.key") == 1

    make_certificate(ca=CA).write(tmp_path)
    asyncio.run(follow_until(lambda: tls.context is not first))
    assert "renewed certificates are in use" in caplog.text


def test_a_fault_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """Each in its own words; a fault that is not of TLS is none of ours."""
    tls = tls_of(UpstreamTls())
    refused = ssl.SSLCertVerificationError(1, "x")
    refused.verify_message = "certificate has expired"
    alert = ssl.SSLError(1, "y")
    alert.reason = "TLSV1_ALERT"
    wrapped = OSError()
    wrapped.__cause__ = alert
    for now_s in (0.0, 59.0, 60.0):
        tls.tell(SECURE, refused, now_s)
    tls.tell(SECURE, wrapped, 60.0)
    tls.tell(SECURE, ConnectionResetError(), 60.0)

    expired = (
        "upstream api: https://api.test:443: its certificate is not accepted: certificate has "
        "expired"
    )
    assert caplog.messages == [
        expired,
        expired,
        "upstream api: https://api.test:443: TLS fails: TLSV1_ALERT",
    ]
    assert tls_fault(ValueError()) == ""


def test_what_was_told_is_bounded() -> None:
    """However many faults there are."""
    tls = tls_of(UpstreamTls())
    for number in range(1000):
        error = ssl.SSLError(1, "y")
        error.reason = str(number)
        tls.tell(SECURE, error, 0.0)

    assert len(tls._told_s) <= 64
