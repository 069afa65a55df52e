"""Tells the service manager how the gateway is: systemd's ``sd_notify``, or nobody.

One datagram to the socket that ``NOTIFY_SOCKET`` names; no library is needed for it. Only the
process that was started speaks: a worker of several is not the main process of the unit.

The rule to keep in mind: nobody may be there to hear it, and then nothing is different.

Source: sd_notify(3), and systemd.service(5) on ``Type=notify-reload``.
"""

import asyncio
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHDOG_PID: Final = "WATCHDOG_PID"
_MICRO: Final = 1_000_000
_NANO_TO_MICRO: Final = 1000
_SELDOM_S: Final = 3600.0
_EARLY: Final = 3  # signs of life for each that is due: one that is late or lost does no harm


@dataclass(frozen=True, slots=True)
class Notifier:
    """Speaks to the service manager; it has no open socket and can be pickled.

    Attributes:
        address: The manager's socket, as ``NOTIFY_SOCKET`` has it; empty: there is none.
        beat_s: How often it wants a sign of life; 0: never.
    """

    address: str = ""
    beat_s: float = 0.0

    def ready(self, status: str) -> None:
        """Tell that the gateway serves, after its start or after a reload."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """Tell that a reload has begun; ``ready`` tells that it is over, well or not."""
        # systemd takes it for the answer to its SIGHUP only if it is not older than that.
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // _NANO_TO_MICRO
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}\nSTATUS=reading the configuration")

    def stopping(self) -> None:
        """Tell that the gateway drains, and then ends."""
        self._send("STOPPING=1\nSTATUS=finishing what is in flight")

    def beat(self) -> None:
        """Give a sign of life, if the manager wants any."""
        if self.beat_s:
            self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self.address:
            return
        address = self.address
        if address.startswith("@"):
            address = "\0" + address[1:]  # Linux' abstract names, as the variable writes them
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.sendto(message.encode(), socket.MSG_DONTWAIT, address)


def find_notifier(environ: Mapping[str, str]) -> Notifier:
    """Return what speaks to the manager that started this process, as the environment names it."""
    address = environ.get(_SOCKET, "")
    if not address.startswith(("/", "@")):  # vsock: is for virtual machines
        return Notifier()
    return Notifier(address, _beat_s(environ) / _EARLY)


async def keep_beating(notifier: Notifier) -> None:
    """Give signs of life for as long as this loop turns; ends by being cancelled."""
    while True:
        notifier.beat()
        await asyncio.sleep(notifier.beat_s or _SELDOM_S)


def _beat_s(environ: Mapping[str, str]) -> float:
    wanted = environ.get(_WATCHDOG, "")
    if not (wanted.isascii() and wanted.isdigit()):
        return 0.0
    if environ.get(_WATCHDOG_PID, str(os.getpid())) != str(os.getpid()):
        return 0.0
    return int(wanted) / _MICRO
