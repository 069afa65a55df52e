"""The certificate of the public listener: checked at load, followed on disk while a worker runs.

The rule to keep in mind: what serves is only ever replaced by a pair that has been found good as a
whole. A new pair gets a context of its own, which connections that begin are moved to.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from gateway.certificates import UnfitPairError, load_chain, read_certificate, stamp
from gateway.config.load import Config, in_order
from gateway.config.secrets import ConfigWarning
from gateway.config.tls_settings import TlsSettings
from gateway.errors import ConfigError
from gateway.proxy.client_tls import make_context

LOOK_S: Final = 5.0  # between two looks at the files
_SOON: Final = timedelta(days=14)  # ACME clients renew at thirty

_log: Final = logging.getLogger(__name__)


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
    certificate = read_certificate(Path(settings.certificate))
    ends = certificate.not_valid_after_utc
    if ends.timestamp() <= now_s:
        raise UnfitPairError(
            "certificate", f"the certificate ended on {ends:%Y-%m-%d %H:%M} UTC", "renew it"
        )
    return Pair(_make_context(settings), certificate.not_valid_before_utc, ends)


def check_tls(config: Config, now_s: float) -> list[ConfigWarning]:
    """Check the files of ``tls``, upstreams' too, and say what will be wrong with them.

    Raises:
        ConfigError: The listener's cannot be used.
        ConfigErrors: Those of upstreams cannot; all faults.
    """
    warnings = _check_upstreams(config, datetime.fromtimestamp(now_s, UTC))
    settings = config.settings.tls
    if settings is None:
        return warnings
    try:
        pair = load_pair(settings, now_s)
    except UnfitPairError as error:
        raise ConfigError(config.place("tls", error.at), error.fault, error.cure) from None
    place = config.place("tls", "certificate")
    now = datetime.fromtimestamp(now_s, UTC)
    if pair.begins > now:
        text = f"the certificate counts from {pair.begins:%Y-%m-%d %H:%M} UTC on, not yet"
        warnings.append(ConfigWarning(place, text))
    if pair.ends - now < _SOON:
        text = f"the certificate ends on {pair.ends:%Y-%m-%d %H:%M} UTC; renew it"
        warnings.append(ConfigWarning(place, text))
    return warnings


def find_upstream_faults(config: Config) -> list[ConfigError]:
    """Return what is wrong with the files that upstreams' ``tls`` names."""
    faults = []
    for name, upstream in config.settings.upstreams.items():
        if upstream.tls is not None:
            try:
                make_context(upstream.tls.compile())
            except UnfitPairError as error:
                place = config.place("upstreams", name, "tls", error.at)
                faults.append(ConfigError(place, error.fault, error.cure))
    return faults


def _check_upstreams(config: Config, now: datetime) -> list[ConfigWarning]:
    if faults := find_upstream_faults(config):
        raise in_order(faults)
    warnings = []
    for name, upstream in config.settings.upstreams.items():
        if upstream.tls is not None and upstream.tls.certificate is not None:
            ends = read_certificate(Path(upstream.tls.certificate)).not_valid_after_utc
            if ends - now < _SOON:
                place = config.place("upstreams", name, "tls", "certificate")
                text = f"the certificate ends on {ends:%Y-%m-%d %H:%M} UTC; renew it"
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
        return [stamp(Path(name)) for name in (self._settings.certificate, self._settings.key)]


def _make_context(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])

    load_chain(context, settings.certificate, settings.key)
    return context
