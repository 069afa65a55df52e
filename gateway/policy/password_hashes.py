"""The forms of a stored password hash: which there are, what they say, what they may cost.

One grammar for everybody: the configuration accepts, the login verifies and `check` judges by it,
so that a hash that passes one cannot surprise another. Besides our own argon2id there are the forms
that legacy systems bring along; they are verified as they are, and replaced at the next login.

The rule to keep in mind: a hash is data from outside that says itself how much work it is. None may
say more than 512 MiB and some five seconds (PBKDF2 with SHA-512: thirteen), measured at the bounds
below on a core that makes one of ours in 0.2 s.
"""

import re
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

ACCEPTED_FORMS: Final = (
    "argon2id ($argon2id$), bcrypt ($2a$, $2b$, $2y$, also Django's), scrypt (Django's, $scrypt$), "
    "PBKDF2 (Django's, $pbkdf2-sha256$, {PBKDF2-SHA256} and the like), SHA-crypt ($5$, $6$)"
)

# What we make: RFC 9106 section 4, second recommended option, with its salt and tag.
OUR_MEMORY_KIB: Final = 64 * 1024
OUR_PASSES: Final = 3
_OUR_VERSION: Final = 0x13  # RFC 9106 section 3.1
_OUR_SALT_BYTES: Final = 16
_OUR_TAG_BYTES: Final = 32

MAX_HASH_CHARS: Final = 512  # the longest above have some 200
MAX_MEMORY_BYTES: Final = 512 * 2**20  # of argon2id and scrypt, per thread
MAX_ARGON2ID_WORK_KIB: Final = 4 * 2**20  # memory times passes: 20 times ours
MAX_ARGON2ID_LANES: Final = 16  # each is a thread
MAX_SCRYPT_WORK_BYTES: Final = 2**30  # 128 N r p; 13 times Django's default
MAX_BCRYPT_COST: Final = 16  # 16 times the usual cost of 12
MAX_PBKDF2_ROUNDS: Final = 10_000_000  # OWASP asks for 600,000
MAX_SHA_CRYPT_ROUNDS: Final = 1_000_000  # passlib's default is 656,000, glibc's 5,000

HashName: TypeAlias = Literal["sha1", "sha256", "sha512"]
_DIGEST_BYTES: Final[dict[HashName, int]] = {"sha1": 20, "sha256": 32, "sha512": 64}


class PasswordHashError(ValueError):
    """It is no hash of a known form, or one that costs too much; never quotes it."""


class HashKind(StrEnum):
    """How the hash was computed, by the name that people know."""

    ARGON2ID = "argon2id"
    BCRYPT = "bcrypt"
    SCRYPT = "scrypt"
    PBKDF2 = "PBKDF2"
    SHA_CRYPT = "SHA-crypt"


@dataclass(frozen=True, slots=True)
class Argon2id:
    """RFC 9106, in the encoded form of the reference implementation."""

    text: str = field(repr=False)
    version: int
    memory_kib: int
    passes: int
    salt_bytes: int
    tag_bytes: int


@dataclass(frozen=True, slots=True)
class Bcrypt:
    """OpenBSD's ``$2b$``, and what Django makes of it."""

    text: str = field(repr=False)  # without Django's prefix
    is_prehashed: bool  # Django's ``bcrypt_sha256``: of the password's SHA-256 in hexadecimal


@dataclass(frozen=True, slots=True)
class Scrypt:
    """RFC 7914."""

    n: int
    r: int
    p: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pbkdf2:
    """RFC 8018 section 5.2 with HMAC."""

    hash_name: HashName
    rounds: int
    salt: bytes = field(repr=False)
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ShaCrypt:
    """Drepper's "Unix crypt using SHA-256 and SHA-512", as in ``/etc/shadow``."""

    text: str = field(repr=False)


StoredHash: TypeAlias = Argon2id | Bcrypt | Scrypt | Pbkdf2 | ShaCrypt

_KINDS: Final[dict[type[StoredHash], HashKind]] = {
    Argon2id: HashKind.ARGON2ID,
    Bcrypt: HashKind.BCRYPT,
    Scrypt: HashKind.SCRYPT,
    Pbkdf2: HashKind.PBKDF2,
    ShaCrypt: HashKind.SHA_CRYPT,
}


def parse_password_hash(text: str) -> StoredHash:
    """Read a stored hash.

    Raises:
        PasswordHashError: Nobody can log in with it: no known form, or beyond what one may cost.
    """
    if len(text) <= MAX_HASH_CHARS:
        for form, read in _FORMS:
            match = form.fullmatch(text)
            if match is not None:
                return read(match)
    raise PasswordHashError("this is not a hash of a password")


def identify(text: str) -> HashKind | None:
    """Return the kind of a hash that can be verified, or None."""
    try:
        return _KINDS[type(parse_password_hash(text))]
    except PasswordHashError:
        return None


def needs_upgrade(text: str) -> bool:
    """Whether *text* is anything but argon2id with our parameters or stronger ones.

    More memory may stand for fewer passes (RFC 9106's first option has one), but nothing for less
    memory. The lanes do not count: they change how fast we are, not how much an attacker must do.
    """
    try:
        stored = parse_password_hash(text)
    except PasswordHashError:
        return True
    return not (
        isinstance(stored, Argon2id)
        and stored.version >= _OUR_VERSION
        and stored.memory_kib >= OUR_MEMORY_KIB
        and stored.memory_kib * stored.passes >= OUR_MEMORY_KIB * OUR_PASSES
        and stored.salt_bytes >= _OUR_SALT_BYTES
        and stored.tag_bytes >= _OUR_TAG_BYTES
    )


def _read_argon2id(match: re.Match[str]) -> Argon2id:
    version, memory_kib, passes, lanes = map(int, match.group(1, 2, 3, 4))
    _check_cost("argon2id above 512 MiB", memory_kib * 1024, MAX_MEMORY_BYTES)
    _check_cost(
        "argon2id above 4 GiB of memory times passes", memory_kib * passes, MAX_ARGON2ID_WORK_KIB
    )
    _check_cost("argon2id above 16 lanes", lanes, MAX_ARGON2ID_LANES)
    salt_bytes, tag_bytes = (len(part) * 6 // 8 for part in match.group(5, 6))
    return Argon2id(match[0], version, memory_kib, passes, salt_bytes, tag_bytes)


def _read_bcrypt(match: re.Match[str]) -> Bcrypt:
    _check_cost(f"bcrypt above a cost of {MAX_BCRYPT_COST}", int(match["cost"]), MAX_BCRYPT_COST)
    return Bcrypt(match["text"], is_prehashed=match["prehash"] is not None)


def _read_scrypt(match: re.Match[str]) -> Scrypt:
    n = int(match["n"])
    if n == 1 or n & (n - 1):  # RFC 7914 section 2: a power of 2, and not 1
        raise PasswordHashError("this is not a hash of a password")
    return _make_scrypt(match, n, match["salt"].encode("ascii"))


def _read_passlib_scrypt(match: re.Match[str]) -> Scrypt:
    return _make_scrypt(match, 2 ** int(match["log_n"]), _decode(match["salt"]))


def _make_scrypt(match: re.Match[str], n: int, salt: bytes) -> Scrypt:
    r, p = int(match["r"]), int(match["p"])
    _check_cost("scrypt above 512 MiB", 128 * n * r, MAX_MEMORY_BYTES)
    _check_cost("scrypt above 1 GiB of memory times p", 128 * n * r * p, MAX_SCRYPT_WORK_BYTES)
    return Scrypt(n, r, p, salt, _decode(match["digest"]))


def _read_pbkdf2(match: re.Match[str]) -> Pbkdf2:
    """Read Django's form, where the salt is text."""
    hash_name: HashName = "sha1" if match["hash"] == "sha1" else "sha256"
    return _make_pbkdf2(match, hash_name, match["salt"].encode("ascii"))


def _read_passlib_pbkdf2(match: re.Match[str]) -> Pbkdf2:
    names: dict[str, HashName] = {"": "sha1", "-sha256": "sha256", "-sha512": "sha512"}
    return _make_pbkdf2(match, names[match["hash"].lower()], _decode(match["salt"]))


def _make_pbkdf2(match: re.Match[str], hash_name: HashName, salt: bytes) -> Pbkdf2:
    rounds, digest = int(match["rounds"]), _decode(match["digest"])
    _check_cost("PBKDF2 above 10 million rounds", rounds, MAX_PBKDF2_ROUNDS)
    if len(digest) != _DIGEST_BYTES[hash_name]:  # a longer one would be that many times the work
        raise PasswordHashError("this is not a hash of a password")
    return Pbkdf2(hash_name, rounds, salt, digest)


def _read_sha_crypt(match: re.Match[str]) -> ShaCrypt:
    rounds = int(match["rounds"] or 0)
    _check_cost("SHA-crypt above 1 million rounds", rounds, MAX_SHA_CRYPT_ROUNDS)
    return ShaCrypt(match[0])


def _check_cost(name: str, cost: int, limit: int) -> None:
    if cost > limit:
        raise PasswordHashError(f"this hash costs more than a login may: {name}")


def _decode(text: str) -> bytes:
    """Decode base64 with or without padding, and with passlib's ``.`` for ``+``."""
    bare = text.rstrip("=").replace(".", "+")
    try:
        return b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except ValueError:
        raise PasswordHashError("this is not a hash of a password") from None


_B64: Final = r"[A-Za-z0-9+/]"
_AB64: Final = r"[A-Za-z0-9./]"  # passlib's, and the alphabet (not the order) of crypt(3)
_COUNT: Final = r"[1-9][0-9]{0,9}"
_TEXT_SALT: Final = r"[!-#%-~]+"  # Django's: printable ASCII but ``$``

_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], StoredHash]], ...]] = (
    (
        re.compile(
            rf"\$argon2id\$v=([0-9]{{1,3}})\$m=({_COUNT}),t=({_COUNT}),p=({_COUNT})"
            rf"\$({_B64}{{11,}})\$({_B64}{{16,}})"
        ),
        _read_argon2id,
    ),
    (
        # Cost 04 to 31; Django writes ``bcrypt$`` or ``bcrypt_sha256$`` before it.
        re.compile(
            r"(?:bcrypt(?P<prehash>_sha256)?\$)?"
            rf"(?P<text>\$2[aby]\$(?P<cost>0[4-9]|[12][0-9]|3[01])\${_AB64}{{53}})"
        ),
        _read_bcrypt,
    ),
    (
        re.compile(
            rf"scrypt\$(?P<n>{_COUNT})\$(?P<salt>{_TEXT_SALT})"
            rf"\$(?P<r>{_COUNT})\$(?P<p>{_COUNT})\$(?P<digest>{_B64}{{22,88}}={{0,2}})"
        ),
        _read_scrypt,
    ),
    (
        re.compile(
            rf"\$scrypt\$ln=(?P<log_n>[1-9]|[12][0-9]|3[01]),r=(?P<r>{_COUNT}),p=(?P<p>{_COUNT})"
            rf"\$(?P<salt>{_B64}+)\$(?P<digest>{_B64}{{22,88}})"
        ),
        _read_passlib_scrypt,
    ),
    (
        re.compile(
            rf"pbkdf2_(?P<hash>sha1|sha256)\$(?P<rounds>{_COUNT})\$(?P<salt>{_TEXT_SALT})"
            rf"\$(?P<digest>{_B64}+={{0,2}})"
        ),
        _read_pbkdf2,
    ),
    (
        re.compile(
            rf"\$pbkdf2(?P<hash>|-sha256|-sha512)\$(?P<rounds>{_COUNT})"
            rf"\$(?P<salt>{_AB64}+)\$(?P<digest>{_AB64}+)"
        ),
        _read_passlib_pbkdf2,
    ),
    (
        re.compile(
            rf"\{{PBKDF2(?P<hash>|-SHA256|-SHA512)\}}(?P<rounds>{_COUNT})"
            rf"\$(?P<salt>{_AB64}+)\$(?P<digest>{_AB64}+)"
        ),
        _read_passlib_pbkdf2,
    ),
    (
        # Fewer than 1,000 rounds are none of the specification's.
        re.compile(
            rf"\$(?:(?P<short>5)|6)\$(?:rounds=(?P<rounds>[1-9][0-9]{{3,9}})\$)?"
            rf"{_AB64}{{1,16}}\$(?(short){_AB64}{{43}}|{_AB64}{{86}})"
        ),
        _read_sha_crypt,
    ),
)
