"""Looks up credentials that no decision may wait for: API keys in the store, passwords in the pool.

The rule to keep in mind: the epoch of the revocations is read before anything else. What is revoked
while a credential is looked up has a later one, so that it is seen when the result is used
(THREATS CACHE-06).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import floor
from typing import Any, Final

from gateway.errors import Reason
from gateway.issuer.api_keys import ApiKeys, ClaimsOf
from gateway.issuer.grants import Visitor
from gateway.issuer.login import Attempt, Login
from gateway.issuer.passwords import PasswordsBusyError, UnfitPasswordError, check_password
from gateway.issuer.revoker import CLOCKS_APART_S
from gateway.issuer.throttle import Wait
from gateway.policy.checked import (
    CheckedCredential,
    CredentialKind,
    Refused,
    UncheckedError,
    parse_api_key,
    parse_basic,
)
from gateway.policy.tokens import Issuer
from gateway.store.faults import StoreBusyError, StoreUnavailableError

_RETRY_AFTER_S: Final = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialCheck:
    """What looks credentials up, for one worker and one configuration."""

    api_keys: ApiKeys
    login: Login
    claims_of: ClaimsOf
    issuer: Issuer  # our own
    epoch: Callable[[], int]  # of the revocations that this process knows
    clock: Callable[[], float]  # seconds since the epoch

    async def check(self, unchecked: UncheckedError, address: str) -> CheckedCredential | Refused:
        """Return what a credential stands for, or why it does not count.

        Args:
            unchecked: The credential.
            address: Of who presents it: a wrong password counts as a failed login from there.
        """
        epoch, now_s = self.epoch(), self.clock()
        try:
            if unchecked.kind is CredentialKind.API_KEY:
                key = parse_api_key(unchecked.credential)
                found = await self.api_keys.look_up(key, self.claims_of, now_s)
            else:
                found = await self._check_password(unchecked.credential, address, now_s)
        except PasswordsBusyError:
            return Refused(Reason.LOGIN_THROTTLED, retry_after_s=_RETRY_AFTER_S)
        except StoreBusyError:
            return Refused(Reason.STORE_UNAVAILABLE, retry_after_s=_RETRY_AFTER_S)
        except StoreUnavailableError as error:
            log.error("the store did not answer: %s", error)  # noqa: TRY400 (a fault, not a bug)
            return Refused(Reason.STORE_UNAVAILABLE, retry_after_s=_RETRY_AFTER_S)
        if isinstance(found, Refused):
            return found
        # The clock of a host that revokes may be behind ours: what was looked up so shortly before
        # is looked up once more, which costs nothing but time.
        claims = found | {"iat": floor(now_s - CLOCKS_APART_S)}
        return CheckedCredential(
            claims, self.issuer, unchecked.kind, checked_at_s=now_s, epoch=epoch
        )

    async def _check_password(
        self, credential: bytes, address: str, now_s: float
    ) -> dict[str, Any] | Refused:
        basic = parse_basic(credential)
        visitor = Visitor(address=address, user_agent="")
        try:  # before anything is counted, as at a login
            password = check_password(basic.password)
        except UnfitPasswordError:
            return Refused(Reason.CREDENTIAL_MALFORMED)
        attempt = Attempt(username=basic.username, password=password, visitor=visitor)
        user = await self.login.check(attempt, now_s)
        if isinstance(user, Wait):
            return Refused(Reason.LOGIN_THROTTLED, retry_after_s=user.seconds)
        if user is None:
            return Refused(Reason.LOGIN_FAILED)
        return self.claims_of(user, floor(now_s))
