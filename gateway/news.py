"""What others hear of reloads: the log, the metrics, and the service manager."""

import logging
from typing import Final

from gateway.config.load import Config
from gateway.errors import ConfigErrors
from gateway.notify import Notifier
from gateway.observe.reloads import ReloadCounts

SERVING: Final = "serving"
_REFUSED: Final = "serving with the old configuration: the new one was refused, see the log"

log: Final = logging.getLogger(__name__)


class ReloadNews:
    """Tells of the reloads of one process.

    Args:
        notifier: The service manager, if there is one.
        counts: Where they are counted; None: nobody asks.
    """

    def __init__(self, notifier: Notifier, counts: ReloadCounts | None) -> None:
        self._notifier = notifier
        self._counts = counts

    def begun(self) -> None:
        """Tell that the file is being read."""
        self._notifier.reloading()

    def done(self, config: Config) -> None:
        """Tell that it was taken over."""
        log.warning("reloaded %s", config.document.file)
        self._notifier.ready(SERVING)
        if self._counts is not None:
            self._counts.done()

    def refused(self, error: ConfigErrors) -> None:
        """Tell all that is wrong with a file that was not taken over."""
        log.error("not reloaded, the old configuration stays:\n%s", error)
        self.failed()

    def failed(self) -> None:
        """Tell that it was not taken over, or not by all; the log has been told why."""
        self._notifier.ready(_REFUSED)
        if self._counts is not None:
            self._counts.refused()
