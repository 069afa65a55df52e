"""How this worker speaks TLS to the endpoints of an upstream, and what it says when it cannot.

The rule to keep in mind: there is no connection without a context that verifies as configured. A
file that has become unfit leaves the context that was made before; where there was none, no
connection is made. Renewed files are taken up for connections that begin from then on.
"""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Any, Final

from gateway.certificates import UnfitPairError, load_chain, look, read_certificate, stamp
from gateway.policy.model import Endpoint, Upstream, UpstreamTls

LOOK_S: Final = 5.0  # between two looks at the files
GOODBYE_S: Final = 1.0  # for a service to answer that we close; uvloop: 30
_TELL_AGAIN_S: Final = 60.0  # a fault that meets every connection is told so often
_MAX_TOLD: Final = 64

_log: Final = logging.getLogger(__name__)


class NoContextError(OSError):
    """The files of ``tls`` were unfit from the start; why stands in the log."""


def make_context(tls: UpstreamTls) -> ssl.SSLContext:
    """Read the files and return what connections are made with.

    Raises:
        UnfitPairError: A file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # asks for a certificate, and for its host
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.hostname_checks_common_name = False  # RFC 9110 section 4.3.4
    context.set_alpn_protocols(["http/1.1"])
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif tls.ca:
        _load_ca(context, tls.ca)
    else:
        context.load_default_certs()
    if tls.certificate:
        read_certificate(Path(tls.certificate))
        load_chain(context, tls.certificate, tls.key)
    return context


def tls_fault(error: BaseException) -> str:
    """Return what TLS found wrong, in OpenSSL's words; nothing where the fault is another."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__  # httpx has both
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {cause.verify_message}"
    return f"TLS fails: {cause.reason}" if isinstance(cause, ssl.SSLError) else ""


class ClientTls:
    """What one worker proves, and has proved to it, at the endpoints of one upstream."""

    __slots__ = ("_context", "_files", "_seen", "_tls", "_told_s", "_upstream")

    def __init__(self, upstream: Upstream) -> None:
        tls = self._tls = upstream.tls
        self._upstream = upstream.name
        self._told_s: dict[tuple[Endpoint, str], float] = {}
        self._context: ssl.SSLContext | None = None
        self._files: tuple[str, ...] = ()
        self._seen: object = None
        if any(endpoint.secure for endpoint in upstream.endpoints):
            paths = ssl.get_default_verify_paths()
            system = () if tls.ca or not tls.verify else (paths.cafile, paths.capath)
            files = (tls.ca, tls.certificate, tls.key, *system)
            self._files = tuple(name for name in files if name)
            self._seen = self._stamps()
            self._load()

    @property
    def context(self) -> ssl.SSLContext:
        """What a connection is made with.

        Raises:
            NoContextError: There is nothing to verify by.
        """
        if self._context is None:
            raise NoContextError
        return self._context

    def options_for(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return what ``create_connection`` needs beyond host and port.

        Raises:
            NoContextError: There is nothing to verify by.
        """
        if not endpoint.secure:
            return {}
        return {
            "ssl": self.context,
            "server_hostname": self._tls.server_name or endpoint.host,
            "ssl_shutdown_timeout": GOODBYE_S,
        }

    def tell(self, endpoint: Endpoint, error: BaseException, now_s: float) -> None:
        """Log why TLS with an endpoint failed, for one that fails always not each time."""
        fault = tls_fault(error)
        if not fault or now_s - self._told_s.get((endpoint, fault), -_TELL_AGAIN_S) < _TELL_AGAIN_S:
            return
        if len(self._told_s) >= _MAX_TOLD:
            self._told_s.clear()
        self._told_s[endpoint, fault] = now_s
        _log.warning("upstream %s: %s: %s", self._upstream, endpoint, fault)

    @property
    def has_files(self) -> bool:
        """Whether there is something to follow."""
        return bool(self._files)

    async def follow(self) -> None:
        """Take up what changes on disk, for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Take up the files where they have changed and are fit; else keep what there is."""
        seen = self._stamps()
        if seen != self._seen:
            self._seen = seen
            if self._load():
                _log.warning("upstream %s: renewed certificates are in use", self._upstream)

    def _load(self) -> bool:
        try:
            self._context = make_context(self._tls)
        except UnfitPairError as error:
            text = "upstream %s: these certificates are not used: tls.%s: %s; %s"
            _log.error(text, self._upstream, error.at, error.fault, error.cure)
            return False
        return True

    def _stamps(self) -> list[tuple[int, ...] | None]:
        return [stamp(Path(name)) for name in self._files]


def _load_ca(context: ssl.SSLContext, name: str) -> None:
    look(Path(name), "ca")
    try:
        context.load_verify_locations(name)
    except ssl.SSLError:
        fault = f"there is no certificate in PEM in {name}"
        raise UnfitPairError("ca", fault, "name another file") from None
    except OSError as error:
        fault = f"the file {name} cannot be read ({error.strerror})"
        raise UnfitPairError("ca", fault, "let the user that runs the gateway read it") from None
