"""A worker's view of revocations, asked at every request with a token.

A request asks for no more than two numbers: when the store was last reached, and the epoch, which
grows with every change. A token that was found good at this epoch is good; only when the epoch has
moved is the table asked (``revocation_table``).

The rule to keep in mind: the epoch is read before the table, so that a token is remembered as good
at an epoch that is too old at worst.
"""

from typing import Final

from gateway.issuer.revocation_table import RevocationTable
from gateway.policy.revoked import RevocableToken, revocable_claims

MAX_SILENCE_S: Final = 60.0  # issue 3: without the store, a worker goes on for so long


class RevocationView:
    """One worker's view of the table: what ``gateway.policy.revoked.Revocations`` asks for.

    Args:
        table: This process's own.
        max_silence_s: How long it goes on with what it knows when the store cannot be reached.
    """

    __slots__ = ("_contacts", "_epochs", "_max_silence_s", "_table")

    def __init__(self, table: RevocationTable, *, max_silence_s: float = MAX_SILENCE_S) -> None:
        self._table = table
        self._epochs = table.epochs
        self._contacts = table.contacts
        self._max_silence_s = max_silence_s

    def is_stale(self, now_s: float) -> bool:
        """Whether the store was last reached too long ago, or never.

        A contact in the future is none: the clock was set back, and the next contact mends it.
        """
        return abs(now_s - self._contacts[0]) > self._max_silence_s

    def is_revoked(self, token: RevocableToken, now_s: float) -> bool:
        """Whether *token* has been revoked; it remembers the epoch at which it had not been.

        Raises:
            ConfigError: The log is gone or damaged: nobody knows.
        """
        epoch = self._epochs[0]
        if token.checked_epoch == epoch:
            return False
        # The epoch is read first: what comes into the table while it is asked has a later one.
        self._table.fence.stand()
        issued_at_s = token.claims.get("iat", 0)
        if self._table.is_revoked(revocable_claims(token), issued_at_s, now_s):
            return True
        token.checked_epoch = epoch
        return False
