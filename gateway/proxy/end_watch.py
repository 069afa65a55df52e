"""Ends what outlives its token, or the ``max_duration`` of its route: tunnels and long answers.

A request is judged once, when its head is here. What then goes on for hours is judged again, four
times a second, by the questions whose answers change: has the token expired, is it revoked, is its
time over.

The rule to keep in mind: whoever cannot be judged is ended.
"""

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from gateway.errors import ConfigError, Reason
from gateway.policy.model import Route
from gateway.policy.revoked import Revocations
from gateway.policy.tokens import VerifiedToken
from gateway.proxy.sweeper import NEVER, Sweeper

User = tuple[str, str]  # whose token it is, by its issuer and ``sub``
FindEnd = Callable[[VerifiedToken], Reason | None]
_ANEW: Final = 0.0  # a deadline that has passed at the next look


class Lasting(Protocol):
    """Something that may go on for long."""

    @property
    def route(self) -> Route:
        """By which it came."""
        ...

    @property
    def token(self) -> VerifiedToken | None:
        """What it ends with; None: no token."""
        ...

    @property
    def is_over(self) -> bool:
        """Whether it has ended of itself."""
        ...

    @property
    def is_websocket(self) -> bool:
        """Whether it is a websocket, or asks for one."""
        ...

    def on_end(self, reason: Reason) -> None:
        """End, for this reason."""
        ...


class Until(NamedTuple):
    """How long something may go on."""

    token: VerifiedToken | None
    time_s: float  # on the sweeper's clock


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


class EndWatch:
    """Looks at all of one worker; costs nothing while there is nobody to look at.

    Args:
        sweeper: Whose looks these are.
        find_end: Says whether a token still counts.
    """

    __slots__ = ("_find_end", "_sweeper", "_watched", "deadline_s")

    def __init__(self, sweeper: Sweeper, find_end: FindEnd) -> None:
        self._sweeper = sweeper
        self._find_end = find_end
        self._watched: dict[User, dict[Lasting, Until]] = {}  # none is empty
        self.deadline_s = NEVER

    @property
    def count(self) -> int:
        """How many are watched; some may be over."""
        return sum(len(theirs) for theirs in self._watched.values())

    def count_websockets(self, token: VerifiedToken) -> int:
        """Return how many websockets its user has open, or asks for."""
        theirs = self._watched.get(_user_of(token), ())
        return sum(lasting.is_websocket and not lasting.is_over for lasting in theirs)

    def watch(self, lasting: Lasting) -> None:
        """End it with its token or its time; once it is over it is forgotten at the next look."""
        token, most_s = lasting.token, lasting.route.max_duration_s
        if token is None and most_s is None:
            return
        until_s = NEVER if most_s is None else self._sweeper.now_s + most_s
        self._watched.setdefault(_user_of(token), {})[lasting] = Until(token, until_s)
        self._sweeper.watch(self)
        self.deadline_s = _ANEW

    def on_deadline(self) -> None:
        """Look at all, and let go of those that are over."""
        self.deadline_s = _ANEW  # first: what fails below must not be the last look
        for theirs in tuple(self._watched.values()):
            for lasting, until in tuple(theirs.items()):
                if lasting.is_over:
                    self._forget(lasting, until)
                else:
                    self._judge(lasting, until)
        if not self._watched:
            self._sweeper.forget(self)
            self.deadline_s = NEVER

    def _judge(self, lasting: Lasting, until: Until) -> None:
        end: Reason | None = Reason.INTERNAL_ERROR
        try:
            end = self._find_end(until.token) if until.token is not None else None
            if until.time_s <= self._sweeper.due_s:
                end = Reason.UPSTREAM_TIMEOUT
        finally:  # where nobody can say, too: then the failure goes on its way, and is told of
            if end is not None:
                self._forget(lasting, until)
                lasting.on_end(end)

    def _forget(self, lasting: Lasting, until: Until) -> None:
        user = _user_of(until.token)
        theirs = self._watched.get(user, {})
        theirs.pop(lasting, None)
        if not theirs:
            self._watched.pop(user, None)


def _user_of(token: VerifiedToken | None) -> User:
    return ("", "") if token is None else (token.issuer.name, str(token.claims.get("sub", "")))
