"""The signing key on disk: made once, however many processes start at once, and its owner's alone.

The rule to keep in mind: the file's name appears only when its content is whole, and a file that is
there is never written again, so that every process reads the same key, whoever made it.
"""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.errors import ConfigError, Place
from gateway.issuer.keys import (
    SigningKey,
    UnfitKeyError,
    make_signing_key,
    parse_signing_key,
    private_pem,
)

_MAX_FILE_BYTES: Final = 64 * 1024  # an RSA key of 16,384 bits has 13 KiB
_FORBIDDEN_MODE: Final = stat.S_IRWXG | stat.S_IRWXO
_NEW_KEY_CURE: Final = (
    "remove the file: a new key is made at the next start, and tokens signed with the old one no "
    "longer verify"
)


def load_or_create_key(algorithm: str, path: Path) -> SigningKey:
    """Return the key of *path*; where there is no such file, make it.

    Args:
        algorithm: An asymmetric one of ``gateway.policy.signature.ALGORITHMS``.
        path: The file, in PEM, mode 0600. Its directory is made too, mode 0700.

    Raises:
        ConfigError: The file is not its owner's alone, holds no key that the algorithm signs with,
            or cannot be read or made. Names the file, the fault and the cure.
    """
    try:
        try:
            pem = _read(path)
        except FileNotFoundError:
            _create(path, private_pem(make_signing_key(algorithm)))
            pem = _read(path)  # perhaps another process's, which was first
        return parse_signing_key(algorithm, pem)
    except UnfitKeyError as error:
        cure = f"{error.cure}, or {_NEW_KEY_CURE}"
        raise ConfigError(Place(str(path)), error.fault, cure) from None
    except OSError as error:
        raise ConfigError(
            Place(str(path)),
            f"the signing key cannot be read or made: {error.strerror}",
            "give the gateway a file that it owns, or a directory that it may write to",
        ) from None


def _read(path: Path) -> bytes:
    """Return the file's bytes, having looked at the very file that they are read from.

    ``O_NONBLOCK`` so that a FIFO of that name does not hold the start up for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ConfigError(Place(str(path)), "this is not a file", "name a file for the key")
        mode = stat.S_IMODE(status.st_mode)
        if mode & _FORBIDDEN_MODE:
            raise ConfigError(
                Place(str(path)),
                f"others than its owner may use the signing key (mode {mode:04o})",
                f"run `chmod 600` on it; where others could have read it, {_NEW_KEY_CURE}",
            )
        return os.read(descriptor, _MAX_FILE_BYTES)
    finally:
        os.close(descriptor)


def _create(path: Path, pem: bytes) -> None:
    """Put *pem* at *path*, whole and on the disk, unless something is there already."""
    _make_directory(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
    )
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 (a descriptor has no Path)
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):  # another was first, and its key is the one
            # Not ``rename``: that would put this key in the place of one that may be in use.
            path.hardlink_to(temporary)
    finally:
        temporary.unlink()
    _sync_directory(path.parent)


def _make_directory(directory: Path) -> None:
    """Make a directory and those above it, each 0700: ``parents=True`` would mind only the last."""
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def _sync_directory(directory: Path) -> None:
    """Make the new name last through a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
