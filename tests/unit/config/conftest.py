"""Files that are nearly right, and what is said about them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import pytest

from gateway.config.compile import compile_snapshot
from gateway.config.load import Config, load_config
from gateway.errors import ConfigErrors

# Lines 1 to 4; what a test adds begins on line 5.
BASE = """\
version: 1
tokens: {issuer: "http://gw.test", audience: gateway}
upstreams: {products: {endpoints: ["http://127.0.0.1:9000"]}}
listen: 127.0.0.1:0
"""

Read: TypeAlias = Callable[..., Config]
Complain: TypeAlias = Callable[..., str]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Return a function that reads a text as a configuration file."""

    def read_text(text: str, environ: Mapping[str, str] | None = None) -> Config:
        path = tmp_path / "f.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path, environ or {})

    return read_text


@pytest.fixture
def read_more(read: Read) -> Read:
    """Return a function that reads a text behind the lines of ``BASE``."""
    return lambda more, environ=None: read(BASE + more, environ)


@pytest.fixture
def complain(read: Read, tmp_path: Path) -> Complain:
    """Return a function that reads and compiles a text, and returns all that is wrong with it."""

    def find_faults(text: str, environ: Mapping[str, str] | None = None) -> str:
        with pytest.raises(ConfigErrors) as caught:
            compile_snapshot(read(text, environ), ())
        return str(caught.value).replace(str(tmp_path / "f.yaml"), "f").replace("\n  ", " -> ")

    return find_faults


@pytest.fixture
def complain_more(complain: Complain) -> Complain:
    """Return a function that does so for a text behind the lines of ``BASE``."""
    return lambda more, environ=None: complain(BASE + more, environ)
