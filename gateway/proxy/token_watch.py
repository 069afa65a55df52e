"""Ends what outlives its token: tunnels, and answers of routes that say so.

A request is judged once, when its head is here. What then goes on for hours is judged again, four
times a second, by the two questions whose answers change: has the token expired, is it revoked.

The rule to keep in mind: whoever cannot be judged is ended.
"""

from collections.abc import Callable
from typing import Final, Protocol

from gateway.errors import ConfigError, Reason
from gateway.policy.revoked import Revocations
from gateway.policy.tokens import VerifiedToken
from gateway.proxy.sweeper import NEVER, Sweeper

User = tuple[str, str]  # whose token it is, by its issuer and ``sub``
FindEnd = Callable[[VerifiedToken], Reason | None]
_ANEW: Final = 0.0  # a deadline that has passed at the next look


class LetIn(Protocol):
    """Something that was let in by a token and may outlive it."""

    @property
    def token(self) -> VerifiedToken | None:
        """What it was let in by; None: anonymous, and so without an end."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether it has ended of itself."""
        ...

    @property
    def is_websocket(self) -> bool:
        """Whether it is a websocket, or asks for one."""
        ...

    def on_token_ended(self, reason: Reason) -> None:
        """End."""
        ...


def find_end(token: VerifiedToken, now_s: float, revocations: Revocations) -> Reason | None:
    """Return why a token that was good counts no more, or None where it still does."""
    if now_s >= token.expires_at_s:
        return Reason.TOKEN_EXPIRED
    try:
        if revocations.is_stale(now_s):
            return Reason.STORE_UNAVAILABLE
        return Reason.TOKEN_REVOKED if revocations.is_revoked(token, now_s) else None
    except ConfigError:  # the table of the revocations is damaged: nobody knows
        return Reason.STORE_UNAVAILABLE


class TokenWatch:
    """Looks at all of one worker; costs nothing while there is nobody to look at.

    Args:
        sweeper: Whose looks these are.
        find_end: Says whether a token still counts.
    """

    __slots__ = ("_find_end", "_sweeper", "_watched", "deadline_s")

    def __init__(self, sweeper: Sweeper, find_end: FindEnd) -> None:
        self._sweeper = sweeper
        self._find_end = find_end
        self._watched: dict[User, dict[LetIn, VerifiedToken]] = {}  # none is empty
        self.deadline_s = NEVER

    @property
    def count(self) -> int:
        """How many are watched; some may be over."""
        return sum(len(theirs) for theirs in self._watched.values())

    def count_websockets(self, token: VerifiedToken) -> int:
        """Return how many websockets its user has open, or asks for."""
        theirs = self._watched.get(_user_of(token), ())
        return sum(let_in.is_websocket and not let_in.is_over for let_in in theirs)

    def watch(self, let_in: LetIn) -> None:
        """End *let_in* when its token does; once it is over it is forgotten at the next look."""
        token = let_in.token
        if token is None:
            return
        self._watched.setdefault(_user_of(token), {})[let_in] = token
        self._sweeper.watch(self)
        self.deadline_s = _ANEW

    def on_deadline(self) -> None:
        """Look at all, and let go of those that are over."""
        self.deadline_s = _ANEW  # first: what fails below must not be the last look
        for theirs in tuple(self._watched.values()):
            for let_in, token in tuple(theirs.items()):
                if let_in.is_over:
                    self._forget(let_in, token)
                else:
                    self._judge(let_in, token)
        if not self._watched:
            self._sweeper.forget(self)
            self.deadline_s = NEVER

    def _judge(self, let_in: LetIn, token: VerifiedToken) -> None:
        end: Reason | None = Reason.INTERNAL_ERROR
        try:
            end = self._find_end(token)
        finally:  # where nobody can say, too: then the failure goes on its way, and is told of
            if end is not None:
                self._forget(let_in, token)
                let_in.on_token_ended(end)

    def _forget(self, let_in: LetIn, token: VerifiedToken) -> None:
        user = _user_of(token)
        theirs = self._watched.get(user, {})
        theirs.pop(let_in, None)
        if not theirs:
            self._watched.pop(user, None)


def _user_of(token: VerifiedToken) -> User:
    return token.issuer.name, str(token.claims.get("sub", ""))
