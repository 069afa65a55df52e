"""gateway.certificates: what is read of certificates and keys; ``test_tls`` has the faults."""

import os
import ssl
from pathlib import Path

import pytest

from gateway.certificates import UnfitPairError, load_chain, look, read_certificate, stamp
from tests.kit.certificates import make_certificate


def test_a_pair_is_loaded(tmp_path: Path) -> None:
    """And the first certificate of the file is the owner's own."""
    made = make_certificate()
    files = made.write(tmp_path)

    load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), **files)
    assert read_certificate(Path(files["certificate"])).serial_number == made.serial


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """Opening one would block until somebody writes."""
    os.mkfifo(tmp_path / "pipe", 0o600)

    with pytest.raises(UnfitPairError, match="is not a regular file"):
        look(tmp_path / "pipe", "key")


def test_a_stamp_tells_of_a_change(tmp_path: Path) -> None:
    """Of what stands in a file, of its mode, and of its end."""
    path = tmp_path / "x"
    stamps = [stamp(path)]
    path.write_text("a")
    stamps.append(stamp(path))
    path.chmod(0o600 if path.stat().st_mode & 0o077 else 0o640)
    stamps.append(stamp(path))

    assert stamps[0] is None
    assert len(set(stamps)) == 3
