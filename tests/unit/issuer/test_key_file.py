"""The key's file: one key for all who start at once, its owner's alone, and refused when unfit."""

import os
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from gateway.errors import ConfigError
from gateway.issuer import key_file
from gateway.issuer.key_file import load_or_create_key
from gateway.issuer.keys import make_signing_key, private_pem
from tests.unit.issuer.fakes import rsa_pem

STARTERS: Final = 8
REPOSITORY: Final = Path(__file__).parents[3]
START: Final = """
import sys
from pathlib import Path
from gateway.issuer.key_file import load_or_create_key
print("ready", flush=True)
sys.stdin.readline()
print(load_or_create_key("ES256", Path(sys.argv[1])).kid, flush=True)
"""


def mode_of(path: Path) -> int:
    """Return a path's permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


def refusal_of(algorithm: str, path: Path) -> ConfigError:
    """Return the error that a file is refused with, having checked that it helps."""
    with pytest.raises(ConfigError) as caught:
        load_or_create_key(algorithm, path)
    assert caught.value.place.file == str(path)
    assert caught.value.fault
    assert caught.value.cure
    return caught.value


def test_a_key_is_made_once_and_kept(tmp_path: Path) -> None:
    """The second start reads what the first made; only the owner can, whatever the umask."""
    path = tmp_path / "var" / "keys" / "signing.pem"
    before = os.umask(0)
    try:
        made = load_or_create_key("ES256", path)
    finally:
        os.umask(before)

    assert load_or_create_key("ES256", path).kid == made.kid
    assert mode_of(path) == 0o600
    assert [mode_of(folder) for folder in (path.parent, path.parent.parent)] == [0o700, 0o700]
    assert list(path.parent.iterdir()) == [path]


def test_threads_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    """Eight starters in one process: one key, and nothing left beside it."""
    path = tmp_path / "var" / "signing.pem"
    line = threading.Barrier(STARTERS)

    def start(_: int) -> str:
        line.wait(timeout=30)
        return load_or_create_key("ES256", path).kid

    with ThreadPoolExecutor(STARTERS) as pool:
        kids = set(pool.map(start, range(STARTERS)))

    assert len(kids) == 1
    assert list(path.parent.iterdir()) == [path]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    """Eight processes: one key, and nothing left beside it."""
    path = tmp_path / "var" / "signing.pem"
    command = [sys.executable, "-c", START, str(path)]
    starters = [
        subprocess.Popen(
            command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(STARTERS)
    ]
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    kids = {starter.communicate(timeout=60)[0] for starter in starters}

    assert kids == {load_or_create_key("ES256", path).kid + "\n"}
    assert list(path.parent.iterdir()) == [path]


def test_who_comes_second_takes_the_first_ones_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that appears while a key is being made is never replaced."""
    path = tmp_path / "signing.pem"
    first = make_signing_key("ES256")

    def make_too_late(algorithm: str) -> object:
        path.touch(mode=0o600)
        path.write_bytes(private_pem(first))
        return make_signing_key(algorithm)

    monkeypatch.setattr(key_file, "make_signing_key", make_too_late)

    assert load_or_create_key("ES256", path).kid == first.kid


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604, 0o601, 0o610])
def test_a_key_that_others_may_use_is_refused(tmp_path: Path, mode: int) -> None:
    """THREATS OPS-06: any permission of group or others is one too many."""
    path = tmp_path / "signing.pem"
    load_or_create_key("ES256", path)
    path.chmod(mode)

    refused = refusal_of("ES256", path)

    assert f"{mode:04o}" in refused.fault
    assert "chmod 600" in refused.cure
    path.chmod(0o400)
    load_or_create_key("ES256", path)


@pytest.mark.parametrize(
    ("algorithm", "content"),
    [
        pytest.param("ES256", b"", id="empty"),
        pytest.param("ES256", b"canary", id="garbage"),
        pytest.param("ES256", private_pem(make_signing_key("ES384")), id="other-curve"),
        pytest.param("ES256", rsa_pem(2048), id="other-type"),
        pytest.param("RS256", rsa_pem(1024), id="weak"),
        pytest.param("ES256", b"x" * 200_000, id="huge"),
    ],
)
def test_a_file_without_a_fitting_key_is_refused_and_kept(
    tmp_path: Path, algorithm: str, content: bytes
) -> None:
    """A file is never overwritten: it may be the only copy of something."""
    path = tmp_path / "signing.pem"
    path.touch(mode=0o600)
    path.write_bytes(content)

    refused = refusal_of(algorithm, path)

    assert "canary" not in str(refused)
    assert path.read_bytes() == content


def test_a_name_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A FIFO does not hold the start up, and a directory is no key."""
    fifo, folder, below = tmp_path / "fifo", tmp_path / "folder", tmp_path / "file" / "signing.pem"
    os.mkfifo(fifo, 0o600)
    folder.mkdir(mode=0o700)
    below.parent.touch()
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")

    for path in (fifo, folder, below, dangling):
        refusal_of("ES256", path)


def test_a_secret_is_not_kept_in_a_key_file(tmp_path: Path) -> None:
    """HS* takes its secret from the configuration; no file is made for it."""
    refusal_of("HS256", tmp_path / "signing.pem")

    assert list(tmp_path.iterdir()) == []
