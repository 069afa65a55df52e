"""Credentials that are looked up before they count: API keys, and usernames with passwords (Basic).

Whether they count stands in the store, which no decision may wait for. So a worker remembers, for a
short while, those that it has looked up (``CheckedCredentials``); what it does not know is neither
let in nor refused for good: ``UncheckedError`` says so, whoever can look it up does, and decides
again (``proxy.checks``). Who cannot refuses: the error is a 503.

The rule to keep in mind: what is remembered is keyed by a MAC of the whole credential under a key
of this process, never by the credential; and a revocation is no refusal here but a reason to look
it up anew, since the store knows what the revocation was about.
"""

import binascii
import hmac
import re
import zlib
from base64 import b64decode
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from gateway.errors import CredentialError, Reason
from gateway.memo import Memo
from gateway.policy.revoked import Revocations
from gateway.policy.tokens import MAX_SECONDS, EndedTokenError, Issuer, VerifiedToken


class CredentialKind(Enum):
    """What a place holds."""

    TOKEN = "token"  # noqa: S105 (not a password)
    API_KEY = "api_key"
    BASIC = "basic"  # RFC 7617


# How long one counts without being looked up again. A revocation ends that at once.
CHECKED_FOR_S: Final = {CredentialKind.API_KEY: 60.0, CredentialKind.BASIC: 30.0}
REMEMBERED: Final = 4096  # per generation, of which there are two; some 20 MiB

MAX_USERNAME_BYTES: Final = 1024  # as ``issuer.user_admin`` has it
_MAX_BASIC_BYTES: Final = 4 * 1024  # name and password have 1 KiB each at most; base64 adds a third
_LENGTH_BYTES: Final = 8
_CHECKSUM_CHARS: Final = 8

# The prefix and the checksum let scanners for leaked secrets find one, and nothing else.
_API_KEY: Final = re.compile(rb"gwk_([0-9a-f]{32})_([0-9a-f]{64})([0-9a-f]{8})")
# > The user-id and password MUST NOT contain any control characters   -- RFC 7617 section 2
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class CheckedCredential(VerifiedToken):
    """What a credential stands for that was found good in the store, like the claims of a token.

    Args:
        claims: Of its owner, with ``sub`` and ``iat``; ``exp`` only where the credential ends.
        issuer: Our own.
        kind: Says for how long it counts without being looked up again.
        checked_at_s: When that was begun.
        epoch: Of the revocations before that: those after it are to be looked at.
    """

    __slots__ = ("checked_from_s", "checked_until_s")

    def __init__(
        self,
        claims: dict[str, Any],
        issuer: Issuer,
        kind: CredentialKind,
        *,
        checked_at_s: float,
        epoch: int,
    ) -> None:
        super().__init__({"exp": MAX_SECONDS, **claims}, issuer)
        self.claims = claims
        self.expires_at_s = claims.get("exp", MAX_SECONDS)  # no leeway: our own clock set it
        self.checked_epoch = epoch
        self.checked_from_s = checked_at_s
        self.checked_until_s = min(checked_at_s + CHECKED_FOR_S[kind], self.expires_at_s)


class UncheckedError(CredentialError):
    """A credential is well-formed, and whether it counts is to be looked up."""

    def __init__(self, kind: CredentialKind, credential: bytes, digest: bytes) -> None:
        super().__init__(Reason.STORE_UNAVAILABLE, _UNCHECKED[kind])
        self.kind = kind
        self.credential = credential  # never to be logged; no part of ``args``
        self.digest = digest  # what it is remembered by


_UNCHECKED: Final = {
    CredentialKind.API_KEY: "An API key, to be looked up in the store.",
    CredentialKind.BASIC: "A username and a password, to be looked up in the store.",
}
_UNHEARD: Final = "The gateway has not heard of revocations for too long."


@dataclass(frozen=True, slots=True)
class Refused:
    """What looking a credential up has come to where it does not count."""

    reason: Reason
    detail: str = ""
    retry_after_s: int = 0  # 0: to come again will not help


class CheckedCredentials:
    """The credentials that one process has lately found good.

    Args:
        key: Random, and this process's own.
    """

    __slots__ = ("_key", "_memo")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._memo: Memo[bytes, CheckedCredential] = Memo(REMEMBERED)

    def find_good(
        self, kind: CredentialKind, credential: bytes, now_s: float, revocations: Revocations
    ) -> CheckedCredential:
        """Return what a credential stands for, as it was found lately and not revoked since.

        Raises:
            UncheckedError: As ``find``; or something was revoked that concerns it.
            CredentialError: As ``find``.
            EndedTokenError: Nobody can say whether it has been revoked.
        """
        found = self.find(kind, credential, now_s)
        if revocations.is_stale(now_s):
            raise EndedTokenError(Reason.STORE_UNAVAILABLE, found, _UNHEARD)
        if revocations.is_revoked(found, now_s):  # or its owner was: the store knows which, and why
            raise self.unchecked(kind, credential)
        return found

    def find(self, kind: CredentialKind, credential: bytes, now_s: float) -> CheckedCredential:
        """Return what a credential stands for, as it was found lately.

        Raises:
            UncheckedError: It is not known, or no more, or not yet (the clock was set back).
            CredentialError: It is no credential of that kind: ``credential_malformed`` or
                ``api_key_invalid``.
        """
        digest = self._digest(kind, credential)
        found = self._memo.find(digest)
        if found is not None and found.checked_from_s <= now_s < found.checked_until_s:
            return found
        if kind is CredentialKind.API_KEY:
            parse_api_key(credential)
        else:
            parse_basic(credential)
        raise UncheckedError(kind, credential, digest)

    def unchecked(self, kind: CredentialKind, credential: bytes) -> UncheckedError:
        """Return what has a credential looked up that was found good, but perhaps is no more."""
        return UncheckedError(kind, credential, self._digest(kind, credential))

    def remember(self, unchecked: UncheckedError, found: CheckedCredential) -> None:
        """Keep what looking a credential up has come to."""
        self._memo.add(unchecked.digest, found)

    def _digest(self, kind: CredentialKind, credential: bytes) -> bytes:
        """Return the MAC of a kind and a credential, each with its length (THREATS CACHE-12)."""
        name = kind.value.encode("ascii")
        sizes = (len(part).to_bytes(_LENGTH_BYTES, "big") for part in (name, credential))
        return hmac.digest(self._key, b"".join((*sizes, name, credential)), "sha256")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key, shape-checked and not yet looked up."""

    id: str  # not a secret
    secret: str = field(repr=False)

    def compose(self) -> str:
        """Return it as its owner is shown it, once."""
        text = f"gwk_{self.id}_{self.secret}"
        return text + _checksum(text.encode("ascii"))


def parse_api_key(credential: bytes) -> ApiKey:
    """Read an API key.

    Raises:
        CredentialError: ``api_key_invalid``: it was never one of ours.
    """
    match = _API_KEY.fullmatch(credential)
    if match is None or _checksum(credential[:-_CHECKSUM_CHARS]).encode("ascii") != match[3]:
        raise CredentialError(Reason.API_KEY_INVALID)
    return ApiKey(match[1].decode("ascii"), match[2].decode("ascii"))


def _checksum(text: bytes) -> str:
    return f"{zlib.crc32(text):08x}"


@dataclass(frozen=True, slots=True)
class BasicCredential:
    """A username and a password, shape-checked and not yet looked up."""

    username: str
    password: str = field(repr=False)


def parse_basic(credential: bytes) -> BasicCredential:
    """Read what stands behind ``Basic``.

    Raises:
        CredentialError: ``credential_malformed``.

    Source: RFC 7617 section 2; of charsets only UTF-8, as the challenge says (section 2.1).
    """
    try:
        if len(credential) > _MAX_BASIC_BYTES:
            raise CredentialError(Reason.CREDENTIAL_MALFORMED)
        text = b64decode(credential, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise CredentialError(Reason.CREDENTIAL_MALFORMED) from None
    username, colon, password = text.partition(":")
    fits = 0 < len(username.encode("utf-8")) <= MAX_USERNAME_BYTES
    if not colon or not fits or _CONTROL.search(text) is not None:
        raise CredentialError(Reason.CREDENTIAL_MALFORMED)
    return BasicCredential(username, password)
