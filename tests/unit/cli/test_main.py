"""The command line as a whole: help, versions, bad usage, pipes that close, terminals."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.gateway import configuration, run_command, write_configuration

COMMANDS = (
    *("run", "check", "routes", "explain", "schema", "hash-password"),
    *("users", "sessions", "keys", "token", "demo"),
)


def test_help_names_every_command_and_is_plain_in_a_pipe() -> None:
    """No boxes and no escape sequences where no person looks."""
    result = run_command("--help")

    assert result.returncode == 0
    for command in COMMANDS:
        assert f"  {command}" in result.stdout
    assert result.stdout.isascii()
    assert "\x1b" not in result.stdout


def test_version() -> None:
    """``--version`` prints one line."""
    result = run_command("--version")

    assert (result.returncode, result.stdout.split()[0]) == (0, "gateway")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("nonsense",), id="unknown-command"),
        pytest.param(("check", "--nonsense"), id="unknown-option"),
        pytest.param(("explain", "GET"), id="missing-argument"),
        pytest.param((), id="nothing"),
    ],
)
def test_bad_usage_exits_with_2(arguments: tuple[str, ...]) -> None:
    """The usage goes to standard error, or is the help where nothing was asked."""
    result = run_command(*arguments)

    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_a_closed_pipe_ends_a_command_quietly() -> None:
    """``gateway schema | head -0`` says nothing."""
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()

    assert (process.returncode, said) == (1, b"")


def run_on_terminal(command: list[str], environment: dict[str, str]) -> bytes:
    """Return what a command prints on a terminal of its own."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        printed = b""
        try:
            while piece := os.read(ours, 65536):
                printed += piece
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(ours)
    return printed


@pytest.mark.parametrize("no_color", [False, True])
def test_colour_is_for_terminals_that_want_it(tmp_path: Path, *, no_color: bool) -> None:
    """A terminal gets colour, unless ``NO_COLOR`` is set."""
    path = write_configuration(tmp_path, configuration(9))
    command = [sys.executable, "-m", "gateway", "routes", "--config", str(path)]
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color"} | ({"NO_COLOR": "1"} if no_color else {})

    printed = run_on_terminal(command, environment)

    assert b"public" in printed
    assert (b"\x1b[32m" in printed) is not no_color
