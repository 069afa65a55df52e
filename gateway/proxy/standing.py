"""What is known of one endpoint: from the requests that it was sent, and from health checks.

One that fails again and again is ejected for a while that grows; when it is over a single request
tries it (half-open), and an answer brings it back. Health checks, where there are any, have the
last word: an endpoint that fails them takes nothing. Pure: it is told the time.
"""

from typing import Final

from gateway.policy.model import HealthCheck

FAILURES_TO_EJECT: Final = 5  # one after the other; Envoy: consecutive_5xx 5
EJECTION_S: Final = 10.0  # times the number of ejections; Envoy: 30, so long for a restart
MAX_EJECTION_S: Final = 300.0  # Envoy: max_ejection_time 300
# What a service, or a proxy before it, says when it cannot serve. 500 is about one request.
FAILED_STATUSES: Final = frozenset((502, 503, 504))


class Standing:
    """The standing of one endpoint; a new one is good."""

    __slots__ = ("_checks", "_ejections", "_failures", "_restored_s", "_trying", "_until_s", "fit")

    def __init__(self) -> None:
        self.fit = True  # as health checks say
        self._checks = 0  # in a row that contradict ``fit``
        self._failures = 0  # of requests, in a row
        self._ejections = 0
        self._until_s: float | None = None  # ejected till then, and until a request has succeeded
        self._trying = False  # a request was let through after that time
        self._restored_s = 0.0

    @property
    def is_ejected(self) -> bool:
        """Whether it is out because of failed requests."""
        return self._until_s is not None

    def can_take(self, now_s: float) -> bool:
        """Whether a request may be sent there."""
        return self.fit and (self._until_s is None or self._until_s <= now_s)

    def on_chosen(self, now_s: float) -> None:
        """Note that it gets a request; the one that tries an ejected endpoint is alone."""
        if self._until_s is not None:
            self._trying = True
            self._until_s = now_s + EJECTION_S  # should its outcome never be told

    def on_success(self, now_s: float) -> bool:
        """Note an answer; True where it brings the endpoint back."""
        self._failures = 0
        if not self._trying:  # what was under way when it was ejected says nothing new
            return False
        self._until_s = None
        self._trying = False
        self._restored_s = now_s
        return True

    def on_failure(self, now_s: float, *, may_eject: bool) -> float:
        """Note a failed request.

        Returns:
            For how many seconds the endpoint is ejected because of it; 0 is not at all.
        """
        if self._until_s is not None:
            return self._eject(now_s) if self._trying else 0.0
        self._failures += 1
        if self._failures < FAILURES_TO_EJECT or not may_eject:
            return 0.0
        if now_s - self._restored_s > MAX_EJECTION_S:  # the trouble before is over
            self._ejections = 0
        return self._eject(now_s)

    def on_check(self, check: HealthCheck, *, passed: bool) -> bool:
        """Note the outcome of a health check; True where ``fit`` has changed by it."""
        if passed is self.fit:
            self._checks = 0
            return False
        self._checks += 1
        if self._checks < (check.healthy_after if passed else check.unhealthy_after):
            return False
        self._checks = 0
        self.fit = passed
        return True

    def _eject(self, now_s: float) -> float:
        self._failures = 0
        self._trying = False
        self._ejections += 1
        seconds = min(EJECTION_S * self._ejections, MAX_EJECTION_S)
        self._until_s = now_s + seconds
        return seconds
