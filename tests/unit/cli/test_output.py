"""What is printed is safe for a terminal and plain in a pipe."""

import pytest

from gateway.cli.output import align, print_error, print_json, print_rows, visible


def test_control_characters_are_shown_not_sent() -> None:
    """Nothing that came from a network moves a terminal's cursor."""
    assert visible("a\x1b[2Jb\x9bc\r\n") == "a\\x1b[2Jb\\x9bc\\x0d\\x0a"
    assert visible("\udcff\u20ac") == "\\udcff\u20ac"


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        pytest.param([], [], id="none"),
        pytest.param([("a", "bb"), ("ccc", "d")], ["a    bb", "ccc  d"], id="columns"),
        pytest.param([("a", ""), ("b",)], ["a", "b"], id="no-trailing-space"),
    ],
)
def test_columns_are_aligned(rows: list[tuple[str, ...]], lines: list[str]) -> None:
    """Columns begin at the same place and lines end without white space."""
    assert lines == align(rows)


def test_rows_in_a_pipe_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    """No box, no colour, no wrapping, however long a cell is."""
    print_rows([("ok", "x" * 300)], header=("A", "B"))

    assert capsys.readouterr().out == f"A   B\nok  {'x' * 300}\n"


def test_json_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters of any kind are escaped."""
    print_json({"a": "\x9b\x1b"})

    assert capsys.readouterr().out == '{\n  "a": "\\u009b\\u001b"\n}\n'


def test_errors_go_to_standard_error_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of a text stay lines; other controls are shown."""
    print_error("one\n  two\x1b")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "one\n  two\\x1b\n")
