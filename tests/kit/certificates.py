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


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-made certificate of 127.0.0.1 and its key, both in PEM."""

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
    *, begins: timedelta = -DAY, ends: timedelta = 90 * DAY, passphrase: bytes = b""
) -> Certificate:
    """Make a certificate that counts from now and *begins* to now and *ends*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, _ALGORITHM)
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


def trusting(certificate: Certificate) -> ssl.SSLContext:
    """Return the context of a client that trusts *certificate* alone."""
    return ssl.create_default_context(cadata=certificate.certificate.decode("ascii"))
