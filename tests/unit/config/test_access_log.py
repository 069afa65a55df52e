"""Where the access log goes."""

import pytest

from tests.unit.config.conftest import Complain, Read

CURE = "write stdout, off, or the name of a file"


@pytest.mark.parametrize("text", ["off", "stdout", "var/access.log", "/var/log/access.log"])
def test_a_word_or_a_file(text: str, read_more: Read) -> None:
    """YAML 1.2: ``off`` is a word. A variable may have it."""
    assert read_more(f"access_log: {text}").settings.access_log == text
    assert read_more("access_log: '${LOG}'", {"LOG": text}).settings.access_log == text


@pytest.mark.parametrize("text", ["'-'", "'on'", "stderr", "'false'", "log/", "none"])
def test_a_slip_is_no_file(text: str, complain_more: Complain) -> None:
    """A file called "on" would be a surprise."""
    said = complain_more(f"access_log: {text}")

    assert said.startswith("f:5: access_log")
    assert said.endswith(f" is not where an access log can go -> {CURE}")


def test_off_is_the_default(read_more: Read) -> None:
    """Nobody's disk fills up unasked."""
    assert read_more("").settings.access_log == "off"
