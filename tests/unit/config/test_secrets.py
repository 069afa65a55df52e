"""Variables and files in values."""

import os
from pathlib import Path

import pytest

from gateway.config.document import load_document
from gateway.config.secrets import MAX_SECRET_BYTES, Expanded, Expansion, expand

ENVIRON = {
    "NAME": "value",
    "EMPTY": "",
    "INJECTED": "x\nroutes: [{path: /**}]",
    "NESTED": "${NAME}",
}


def expanded(text: str) -> Expansion:
    """Expand a text with the variables above."""
    return expand(load_document(text, "f"), ENVIRON)


PUT_IN = [
    ("${NAME}", "value"),
    ("a-${NAME}-${NAME}", "a-value-value"),
    ("${NONE:-default}", "default"),
    ("${EMPTY:-default}", "default"),
    ("${NONE:-}", ""),
    ("${EMPTY}", ""),
    ("${NONE:-a:-b}", "a:-b"),
    ("$${NAME}", "${NAME}"),
    ("$NAME", "$NAME"),
    ("$$", "$$"),
    ("$argon2id$v=19$m=1", "$argon2id$v=19$m=1"),
    ("${INJECTED}", ENVIRON["INJECTED"]),
    ("${NESTED}", "${NAME}"),
]


@pytest.mark.parametrize(("text", "value"), PUT_IN, ids=[text for text, _ in PUT_IN])
def test_variables_are_put_in_once_as_text(text: str, value: str) -> None:
    """What a variable holds is never read as YAML nor expanded again; a bare ``$`` is itself."""
    expansion = expanded(f"a: [{{b: '{text}'}}, 1]")

    assert (expansion.value, expansion.faults) == ({"a": [{"b": value}, 1]}, [])


def test_what_came_out_of_a_variable_is_marked() -> None:
    """Only expanded text may stand for a number later."""
    value = expanded("a: ${NAME}\nb: value").value

    assert (type(value["a"]), type(value["b"])) == (Expanded, str)


FAULTS = [
    ("${NONE}", "the environment variable NONE is not set"),
    ("${}", "'${...}' does not name a variable"),
    ("${A B}", "'${...}' does not name a variable"),
    ("${NAME", "'${' is not closed"),
    ("${file:/nowhere/at-all}", "the file /nowhere/at-all does not exist"),
    ("${file:/}", "/ is not a regular file"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[text for text, _ in FAULTS])
def test_a_reference_that_cannot_be_put_in_is_an_error(text: str, fault: str) -> None:
    """A missing variable or file is an error with its place and a cure, never an empty text."""
    (error,) = expanded(f"a:\n  - '{text}'").faults

    assert str(error).splitlines()[0] == f"f:2: a[0]: {fault}"
    assert error.cure


def from_file(path: Path) -> Expansion:
    """Expand a text that names one file."""
    return expand(load_document(f"a: ${{file:{path}}}", "f"), {})


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"x", "x"), (b"x\n", "x"), (b"x\r\n", "x"), (b"x\n\n", "x\n"), (b"\xc3\xa9", "\xe9")],
)
def test_a_file_is_taken_without_its_last_newline(
    content: bytes, value: str, tmp_path: Path
) -> None:
    """``echo secret > file`` is what people do."""
    path = tmp_path / "s"
    path.write_bytes(content)
    path.chmod(0o600)

    expansion = from_file(path)

    assert (expansion.value, expansion.warnings) == ({"a": value}, [])


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(b"\n", "is empty", id="empty"),
        pytest.param(b"\xff", "is not UTF-8 text", id="binary"),
        pytest.param(b"x" * (MAX_SECRET_BYTES + 1), "is larger than 64 KiB", id="large"),
    ],
)
def test_a_file_without_text_is_an_error(content: bytes, fault: str, tmp_path: Path) -> None:
    """A secret that is empty, or no text, was not meant."""
    path = tmp_path / "s"
    path.write_bytes(content)

    (error,) = from_file(path).faults

    assert error.fault == f"the file {path} {fault}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Opening a pipe would wait for its writer for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    (error,) = from_file(path).faults

    assert error.fault == f"{path} is not a regular file"


def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    """The reason of the system is told (a path through a file, which not even root can open)."""
    (tmp_path / "s").write_text("x")

    (error,) = from_file(tmp_path / "s" / "t").faults

    assert error.fault == f"the file {tmp_path}/s/t cannot be read (Not a directory)"


def test_a_nul_in_a_file_name_is_an_error() -> None:
    """No text of the file makes anything but a ConfigError."""
    (error,) = expand(load_document('a: "${file:x\\0}"', "f"), {}).faults

    assert error.fault.endswith("cannot be read (not a path)")


def test_a_secret_that_everyone_can_read_gives_a_warning(tmp_path: Path) -> None:
    """THREATS.md OPS-06."""
    path = tmp_path / "s"
    path.write_text("hunter2")
    path.chmod(0o644)

    expansion = from_file(path)

    (warning,) = expansion.warnings
    assert str(warning) == (
        f"f:1: a: warning: everyone on this host can read {path}; chmod o-r {path}"
    )
    assert "hunter2" not in repr(expansion)
