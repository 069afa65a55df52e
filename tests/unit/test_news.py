"""Who hears of a reload: the log, the numbers and the service manager."""

import logging
import os
import socket
from pathlib import Path

import pytest

from gateway.config.load import load_config
from gateway.errors import ConfigError, ConfigErrors, Place
from gateway.news import ReloadNews
from gateway.notify import Notifier
from gateway.observe.reloads import ReloadCounts
from gateway.observe.series import Board
from gateway.observe.sheets import SheetWriter
from tests.kit.gateway import configuration, write_configuration


def test_every_reload_is_told_to_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its beginning to the manager, which waits for its end; a refusal with its faults."""
    board = Board(SheetWriter(tmp_path).add)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        news = ReloadNews(Notifier(str(tmp_path / "notify")), ReloadCounts(board))
        news.begun()
        news.done(load_config(write_configuration(tmp_path, configuration(9)), os.environ))
        news.begun()
        news.refused(ConfigErrors([ConfigError(Place("f", 3), "a fault", "a cure")]))
        heard = [manager.recv(4096).decode() for _ in range(4)]

    assert [each.split("=")[0] for each in heard] == ["RELOADING", "READY"] * 2
    assert "old configuration" in heard[3]
    assert board.numbers("gateway_reloads_total", "done") == [1.0]
    assert board.numbers("gateway_configuration_refused") == [1.0]
    assert "f:3" in caplog.text
    assert caplog.records[-1].levelno == logging.ERROR


def test_nobody_need_listen() -> None:
    """Then there is the log."""
    news = ReloadNews(Notifier(), None)
    news.begun()
    news.failed()
