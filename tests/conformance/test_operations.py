"""THREATS.md A12, the rows that a file or the package itself is tested by; others name their id."""

import os
from importlib import metadata
from pathlib import Path
from typing import Final

import pytest
from packaging.version import Version

from gateway.config.load import load_config
from gateway.errors import ConfigErrors
from tests.kit.documents import ROOT
from tests.kit.gateway import configuration, write_configuration

CASES: Final = [
    pytest.param("version: 1", "duplicate key", id="OPS-01"),
    pytest.param("x: &a [1]\ny: *a", "alias", id="OPS-02"),
    pytest.param("listen: 22:22:22", "not", id="OPS-03-listen"),
    pytest.param("protcted: true", "unknown key", id="OPS-03-unknown"),
    pytest.param("users: !!python/object/apply:os.system [id]", "tag", id="OPS-04"),
]


@pytest.mark.parametrize(("line", "fault"), CASES)
def test_a_file_that_says_more_than_it_may_is_refused(
    tmp_path: Path, line: str, fault: str
) -> None:
    """OPS-01 to OPS-04: with the line, and nothing of it is done."""
    document = configuration(9)
    del document["listen"]
    path = write_configuration(tmp_path, document)
    path.write_text(f"{path.read_text('utf-8')}{line}\n", "utf-8")
    with pytest.raises(ConfigErrors) as raised:
        load_config(path, os.environ)

    assert fault in str(raised.value)
    assert all(error.place.line for error in raised.value.errors)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://a:1", "http://169.254.169.254"])
def test_a_service_is_a_host_and_a_port(tmp_path: Path, url: str) -> None:
    """OPS-08: the file alone names services, any host it likes; no admin endpoint edits routes."""
    path = write_configuration(tmp_path, configuration(9, upstream={"endpoints": [url]}))

    with pytest.raises(ConfigErrors, match="is not an endpoint"):
        load_config(path, os.environ)


@pytest.mark.parametrize(
    ("name", "least"), [("httptools", "0.8"), ("PyJWT", "2.13"), ("h11", "0.16")]
)
def test_what_parses_and_verifies_is_new_enough(name: str, least: str) -> None:
    """OPS-23: older versions have known holes."""
    assert Version(metadata.version(name)) >= Version(least)


def test_there_is_one_parser_and_no_other_to_fall_back_to() -> None:
    """OPS-24: only the tests know h11, as an oracle; no protocol of uvicorn is asked for."""
    sources = [path.read_text("utf-8") for path in (ROOT / "gateway").rglob("*.py")]

    assert not any("import h11" in source or "from h11" in source for source in sources)
    assert sum("http=accept" in source for source in sources) == 1
