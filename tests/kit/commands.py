"""The ``gateway`` command run in this process: what a subprocess would say, only sooner.

And on a terminal of its own, where it asks people.
"""

import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

from typer.testing import CliRunner

from gateway.cli.main import app

# The first terminal that the leader of a session opens is the one that ``/dev/tty`` means.
_BEGIN: Final = """
import os, sys
terminal = os.open(sys.argv[1], os.O_RDWR)
for stream in range(3):
    os.dup2(terminal, stream)
os.execv(sys.executable, [sys.executable, "-m", "gateway", *sys.argv[2:]])
"""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended and what it said."""

    returncode: int
    stdout: str
    stderr: str


def invoke(*arguments: str, stdin: bytes = b"") -> Finished:
    """Run ``gateway`` with *arguments*, its streams being no terminal.

    Raises:
        Exception: Whatever a command lets out that should have been told in words.
    """
    result = CliRunner().invoke(app, arguments, input=stdin, catch_exceptions=False)
    return Finished(result.exit_code, result.stdout, result.stderr)


def on_terminal(*arguments: str, typed: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    """Run ``gateway`` on a terminal; type each second text once each first has been shown.

    Returns:
        The exit code, and all that was shown.
    """
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", _BEGIN, os.ttyname(theirs), *arguments]
    seen, shown = b"", b""
    with subprocess.Popen(command, start_new_session=True) as process:
        try:
            for prompt, answer in typed:
                while prompt not in seen:
                    seen += os.read(ours, 1024)
                shown, seen = shown + seen, b""
                os.write(ours, answer)
            os.close(theirs)
            while piece := os.read(ours, 1024):
                shown += piece
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(ours)
    return process.returncode, shown
