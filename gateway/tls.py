"""The certificate of the public listener: checked at load, followed on disk while a worker runs.

The rule to keep in mind: what serves is only ever replaced by a pair that has been found good as a
whole. A new pair gets a context of its own, which connections that begin are moved to.
"""

import asyncio
import logging
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography import x509

from gateway.config.load import Config
from gateway.config.secrets import ConfigWarning
from gateway.config.tls_settings import TlsSettings
from gateway.errors import ConfigError

LOOK_S: Final = 5.0  # between two looks at the files
_SOON: Final = timedelta(days=14)  # ACME clients renew at thirty
_MAX_BYTES: Final = 256 * 1024  # a chain of four certificates has 8 KiB

_log: Final = logging.getLogger(__name__)


class UnfitPairError(Exception):
    """Certificate and key cannot be used: which key of ``tls`` names the file, fault and cure."""

    def __init__(self, at: str, fault: str, cure: str) -> None:
        super().__init__(fault)
        self.at = at
        self.fault = fault
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Pair:
    """A context that is ready to serve, and when its certificate ends."""

    context: ssl.SSLContext
    begins: datetime
    ends: datetime


def load_pair(settings: TlsSettings, now_s: float) -> Pair:
    """Read certificate and key.

    Raises:
        UnfitPairError: They cannot be used.
    """
    key = Path(settings.key)
    mode = _look(key, "key")
    if mode & stat.S_IRWXO:
        raise UnfitPairError("key", f"everyone on this host can use {key}", f"chmod o-rwx {key}")
    certificate = _read_certificate(Path(settings.certificate))
    ends = certificate.not_valid_after_utc
    if ends.timestamp() <= now_s:
        raise UnfitPairError(
            "certificate", f"the certificate ended on {ends:%Y-%m-%d %H:%M} UTC", "renew it"
        )
    return Pair(_make_context(settings), certificate.not_valid_before_utc, ends)


def check_tls(config: Config, now_s: float) -> list[ConfigWarning]:
    """Check the files of ``tls``, and say what will be wrong with them.

    Raises:
        ConfigError: They cannot be used.
    """
    settings = config.settings.tls
    if settings is None:
        return []
    try:
        pair = load_pair(settings, now_s)
    except UnfitPairError as error:
        raise ConfigError(config.place("tls", error.at), error.fault, error.cure) from None
    place = config.place("tls", "certificate")
    warnings = []
    now = datetime.fromtimestamp(now_s, UTC)
    if pair.begins > now:
        text = f"the certificate counts from {pair.begins:%Y-%m-%d %H:%M} UTC on, not yet"
        warnings.append(ConfigWarning(place, text))
    if pair.ends - now < _SOON:
        text = f"the certificate ends on {pair.ends:%Y-%m-%d %H:%M} UTC; renew it"
        warnings.append(ConfigWarning(place, text))
    return warnings


class ServerTls:
    """What a worker's listener proves itself with now; before its first use it can be pickled."""

    def __init__(self, settings: TlsSettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._seen: object = None
        self._current: ssl.SSLContext | None = None

    def make_context(self, *_: object) -> ssl.SSLContext:
        """Return the context to listen with; uvicorn asks for it in the worker.

        Raises:
            UnfitPairError: The files have become unfit since they were checked.
        """
        self._seen = self._stamp()
        front = self._load()
        self._current = front

        def choose(connection: ssl.SSLObject | ssl.SSLSocket, *_: object) -> None:
            # Asked in each handshake, whether the client names a server or not.
            if self._current is not None and self._current is not front:
                connection.context = self._current

        front.sni_callback = choose
        return front

    async def follow(self) -> None:
        """Take up what changes on disk, for connections that begin from then on."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Take up the files where they have changed and are fit; else keep what there is."""
        seen = self._stamp()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._current = self._load()
        except UnfitPairError as error:
            _log.error(
                "gateway: the new certificate is not used: tls.%s: %s; %s",
                error.at,
                error.fault,
                error.cure,
            )
        else:
            _log.warning("gateway: a new certificate is in use")

    def _load(self) -> ssl.SSLContext:
        return load_pair(self._settings, self._clock()).context

    def _stamp(self) -> list[Any]:
        return [_stamp(Path(name)) for name in (self._settings.certificate, self._settings.key)]


def _stamp(path: Path) -> tuple[int, ...] | None:
    """Return what differs once a file was written, replaced, or had its mode changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def _make_context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])

    def refuse_passphrase() -> str:  # else OpenSSL would ask on the terminal, and wait
        raise UnfitPairError(
            "key", "the key is encrypted", "store it without a passphrase, mode 0600"
        )

    try:
        context.load_cert_chain(settings.certificate, settings.key, password=refuse_passphrase)
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
            "key", f"{settings.key} is not a private key in PEM", "name another file"
        ) from None
    except OSError as error:
        raise _unreadable("key", Path(settings.key), error) from None
    return context


def _read_certificate(path: Path) -> x509.Certificate:
    """Return the first certificate of a file, which is the server's own."""
    _look(path, "certificate")
    try:
        with path.open("rb") as file:
            return x509.load_pem_x509_certificates(file.read(_MAX_BYTES))[0]
    except OSError as error:
        raise _unreadable("certificate", path, error) from None
    except ValueError:
        raise UnfitPairError(
            "certificate", f"{path} is not a certificate in PEM", "name another file"
        ) from None


def _look(path: Path, at: str) -> int:
    """Return the mode of a file."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unreadable(at, path, error) from None
    if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
        raise UnfitPairError(at, f"{path} is not a regular file", "name a regular file")
    return mode


def _unreadable(at: str, path: Path, error: OSError) -> UnfitPairError:
    if isinstance(error, FileNotFoundError):
        return UnfitPairError(at, f"the file {path} does not exist", "make it, or name another")
    cure = "let the user that runs the gateway read it"
    return UnfitPairError(at, f"the file {path} cannot be read ({error.strerror})", cure)
