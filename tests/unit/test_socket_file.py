"""Unix sockets to listen on, and their files."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from gateway.socket_file import listen_on, remove


def test_owner_and_group_may_connect(tmp_path: Path) -> None:
    """The file has 0660, whatever the umask is, which stays as it was."""
    path = tmp_path / "s"
    before = os.umask(0o022)
    try:
        listener = listen_on(path, 8)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    with listener, socket.socket(socket.AF_UNIX) as client:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        client.connect(str(path))


def test_what_a_dead_process_left_gives_way(tmp_path: Path) -> None:
    """Its file is there, and nobody listens."""
    path = tmp_path / "s"
    listen_on(path, 8).close()
    assert path.is_socket()

    with listen_on(path, 8), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    """So does any file that is no socket."""
    used, file = tmp_path / "s", tmp_path / "f"
    file.write_text("precious")
    with listen_on(used, 8), socket.socket(socket.AF_UNIX) as client:
        for path in (used, file):
            with pytest.raises(OSError, match="in use") as caught:
                listen_on(path, 8)
            assert caught.value.errno == errno.EADDRINUSE
        client.connect(str(used))
    assert file.read_text() == "precious"


def test_only_our_own_file_is_removed(tmp_path: Path) -> None:
    """Another gateway may have put its own there; none at all is fine."""
    path = tmp_path / "s"
    # Both exist at once, so that the second cannot be given the number of the first.
    with listen_on(path, 8), listen_on(tmp_path / "other", 8):
        ours = path.lstat()
        (tmp_path / "other").replace(path)
        remove(path, ours)
        assert path.is_socket()
        remove(path, path.lstat())
        assert not path.exists()
        remove(path, ours)
