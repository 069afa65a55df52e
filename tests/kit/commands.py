"""The ``gateway`` command run in this process: what a subprocess would say, only sooner."""

from dataclasses import dataclass

from typer.testing import CliRunner

from gateway.cli.main import app


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
