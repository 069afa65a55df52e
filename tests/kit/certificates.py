"""Certificates of the tests' own."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY: Final = timedelta(days=1)
_ALGORITHM: Final = hashes.SHA256()
_CA_NAME: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of the tests")])


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate, by default a self-made one of 127.0.0.1, and its key, both in PEM."""

    certificate: bytes
    key: bytes
    serial: int

    def write(self, folder: Path) -> dict[str, str]:
        """Put both into *folder*, replacing what is there, and return what ``tls`` says of them."""
        folder.mkdir(parents=True, exist_ok=True)
        names = {"certificate": folder / "cert.pem", "key": folder / "key.pem"}
        for name, content in (("certificate", self.certificate), ("key", self.key)):
            new = names[name].with_suffix(".new")
            new.write_bytes(content)
            new.chmod(0o600)
            new.replace(names[name])
        return {name: str(path) for name, path in names.items()}


def make_certificate(
    *,
    begins: timedelta = -DAY,
    ends: timedelta = 90 * DAY,
    passphrase: bytes = b"",
    name_only: str = "",
    ca: Certificate | None = None,
) -> Certificate:
    """Make a certificate that counts from now and *begins* to now and *ends*.

    Args:
        begins: When it begins to count.
        ends: When it ends.
        passphrase: What its key is encrypted with.
        name_only: The DNS name that it is for, in place of 127.0.0.1.
        ca: Whose key signs it; without one it signs itself.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.test")])
    now = datetime.now(UTC)
    signer = key
    if ca is not None:
        loaded = serialization.load_pem_private_key(ca.key, None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        signer = loaded
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(_CA_NAME if ca is not None else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name_only) if name_only else x509.IPAddress(ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(signer, _ALGORITHM)
    )
    pem = serialization.Encoding.PEM
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase)
    return Certificate(
        certificate.public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, encryption),
        certificate.serial_number,
    )


def make_ca() -> Certificate:
    """Make a CA; all of them have one name, so that only their keys tell them apart."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_CA_NAME)
        .issuer_name(_CA_NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 90 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, _ALGORITHM)
    )
    pem = serialization.Encoding.PEM
    return Certificate(
        certificate.public_bytes(pem),
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        certificate.serial_number,
    )


def serving_with(
    folder: Path, certificate: Certificate, *, clients: Certificate | None = None
) -> ssl.SSLContext:
    """Return the context of a server that shows *certificate*, which is written to *folder*.

    Args:
        folder: A folder of its own.
        certificate: What it shows.
        clients: The CA that clients must have a certificate of; without it they need none.
    """
    files = certificate.write(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["certificate"], files["key"])
    if clients is not None:
        context.load_verify_locations(cadata=clients.certificate.decode("ascii"))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def trusting(certificate: Certificate) -> ssl.SSLContext:
    """Return the context of a client that trusts *certificate* alone."""
    return ssl.create_default_context(cadata=certificate.certificate.decode("ascii"))
