"""Certificates and keys on disk: read with care, for the listener and for upstreams alike."""

import ssl
import stat
from pathlib import Path
from typing import Final

from cryptography import x509

_MAX_BYTES: Final = 256 * 1024  # a chain of four certificates has 8 KiB


class UnfitPairError(Exception):
    """Certificate and key cannot be used: which key of ``tls`` names the file, fault and cure."""

    def __init__(self, at: str, fault: str, cure: str) -> None:
        super().__init__(fault)
        self.at = at
        self.fault = fault
        self.cure = cure


def load_chain(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Have *context* prove itself with a certificate and its key.

    Raises:
        UnfitPairError: They cannot be used.
    """
    mode = look(Path(key), "key")
    if mode & stat.S_IRWXO:
        raise UnfitPairError("key", f"everyone on this host can use {key}", f"chmod o-rwx {key}")

    def refuse_passphrase() -> str:  # else OpenSSL would ask on the terminal, and wait
        raise UnfitPairError(
            "key", "the key is encrypted", "store it without a passphrase, mode 0600"
        )

    try:
        context.load_cert_chain(certificate, key, password=refuse_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise UnfitPairError(
                "key", "the key is not that of the certificate", "name the files of one pair"
            ) from None
        if str(error.reason).startswith(("EE_", "CA_")):
            raise UnfitPairError(
                "certificate", f"OpenSSL refuses it ({error.reason})", "make a stronger one"
            ) from None
        raise UnfitPairError(
            "key", f"{key} is not a private key in PEM", "name another file"
        ) from None
    except OSError as error:
        raise unreadable("key", Path(key), error) from None


def read_certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a file, which is the owner's own.

    Raises:
        UnfitPairError: There is none.
    """
    look(path, "certificate")
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(_MAX_BYTES))[0]
    except OSError as error:
        raise unreadable("certificate", path, error) from None
    except ValueError:
        raise UnfitPairError(
            "certificate", f"{path} is not a certificate in PEM", "name another file"
        ) from None


def look(path: Path, at: str) -> int:
    """Return the mode of a regular file.

    Raises:
        UnfitPairError: It is none, or cannot be found.
    """
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise unreadable(at, path, error) from None
    if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
        raise UnfitPairError(at, f"{path} is not a regular file", "name a regular file")
    return mode


def unreadable(at: str, path: Path, error: OSError) -> UnfitPairError:
    """Return what to say of a file that cannot be read."""
    if isinstance(error, FileNotFoundError):
        return UnfitPairError(at, f"the file {path} does not exist", "make it, or name another")
    cure = "let the user that runs the gateway read it"
    return UnfitPairError(at, f"the file {path} cannot be read ({error.strerror})", cure)


def stamp(path: Path) -> tuple[int, ...] | None:
    """Return what differs once a file was written, replaced, or had its mode changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size
