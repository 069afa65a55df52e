"""gateway.proxy.intake: one pause does not undo another."""

import asyncio

from gateway.proxy.intake import Intake
from tests.kit.transport import FakeTransport

MAX_HELD_BYTES = 8


def intake() -> tuple[Intake, FakeTransport]:
    """Return the incoming half of a connection, and its transport."""
    transport = FakeTransport()
    return Intake(transport, MAX_HELD_BYTES), transport


def test_what_is_held_comes_back_in_order() -> None:
    """And is held no more."""
    subject, _ = intake()

    assert not subject.hold(b"abc")
    assert subject.hold(b"defgh")
    assert subject.take() == b"abcdefgh"
    assert subject.take() == b""


def test_a_pause_is_told_of_once() -> None:
    """Deadlines are set anew by changes only."""
    subject, transport = intake()

    assert [subject.pause(), subject.pause()] == [True, False]
    assert not transport.is_reading()
    assert [subject.resume(), subject.resume()] == [True, False]
    assert transport.is_reading()


def test_nothing_is_read_of_what_is_closing() -> None:
    """Transports refuse to be asked for it."""
    subject, transport = intake()
    transport.close()

    assert not subject.pause()


def test_giving_way_does_not_undo_a_pause() -> None:
    """A service that is full stays so through the turns of others."""

    async def main() -> None:
        subject, transport = intake()
        subject.give_way()
        assert not transport.is_reading()
        subject.pause()
        await asyncio.sleep(0)

        assert not transport.is_reading()

    asyncio.run(main())
