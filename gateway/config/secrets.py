"""Variables and files inside values: ``${NAME}``, ``${NAME:-default}``, ``${file:/path}``.

They are put in after YAML has been read, text for text, so that nothing in a variable can become a
key, a list or a second route. A ``$`` that no ``{`` follows is an ordinary character (hashes of
passwords are full of them); ``$${`` is a literal ``${``.
"""

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway.config.document import Document
from gateway.config.nodes import Path as KeyPath
from gateway.errors import ConfigError, Place

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^}]*)\}?", re.DOTALL)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE: Final = "file:"
_DEFAULT: Final = ":-"
_FORMS: Final = "write ${NAME}, ${NAME:-default} or ${file:/path}; $${ is a literal ${"

MAX_SECRET_BYTES: Final = 64 * 1024  # a PEM key of 16,384 bits has 13 KiB


class Expanded(str):
    """Text that came out of a variable or a file; a number or truth value may be written so."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """Something that works and is probably not what is wanted."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: warning: {self.text}"


@dataclass(slots=True)
class Expansion:
    """A document's values with variables and files put in, and what was found on the way."""

    value: Any = field(default=None, repr=False)
    faults: list[ConfigError] = field(default_factory=list)
    warnings: list[ConfigWarning] = field(default_factory=list)


def expand(document: Document, environ: Mapping[str, str]) -> Expansion:
    """Put variables and files into every text of *document*; keys stay as they are.

    Files are looked up from the working directory, as the file of ``store`` is.

    Args:
        document: The file as read.
        environ: The environment variables.
    """
    expander = _Expander(document, environ)
    expander.result.value = expander.walk(document.value, ())
    return expander.result


class _ReferenceError(Exception):
    """One reference cannot be put in: fault and cure."""

    def __init__(self, fault: str, cure: str) -> None:
        super().__init__(fault, cure)
        self.fault = fault
        self.cure = cure


class _Expander:
    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        self.result = Expansion()
        self._document = document
        self._environ = environ

    def walk(self, value: object, path: KeyPath) -> object:
        """Return *value*, which stands at *path*, with all its texts expanded."""
        if isinstance(value, dict):
            return {key: self.walk(member, (*path, key)) for key, member in value.items()}
        if isinstance(value, list):
            return [self.walk(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return self._expand_text(value, path)
        return value

    def _expand_text(self, text: str, path: KeyPath) -> str:
        place = self._document.place(*path)
        try:
            return Expanded(_REFERENCE.sub(lambda match: self._resolve(match, place), text))
        except _ReferenceError as error:
            self.result.faults.append(ConfigError(place, error.fault, error.cure))
            return text

    def _resolve(self, match: re.Match[str], place: Place) -> str:
        inner = match[1]
        if inner is None:
            return "${"
        if not match[0].endswith("}"):
            raise _ReferenceError("'${' is not closed", _FORMS)
        if inner.startswith(_FILE):
            return self._read_file(Path(inner.removeprefix(_FILE)), place)
        name, has_default, default = inner.partition(_DEFAULT)
        if _NAME.fullmatch(name) is None:
            raise _ReferenceError("'${...}' does not name a variable", _FORMS)
        value = self._environ.get(name)
        if value is None and not has_default:
            cure = f"set it, or give a default: ${{{name}:-...}}"
            raise _ReferenceError(f"the environment variable {name} is not set", cure)
        # As in a shell, ":-" also stands in for a variable that is set and empty.
        return default if has_default and not value else value or ""

    def _read_file(self, path: Path, place: Place) -> str:
        try:
            mode = path.stat().st_mode
            content = _read_regular(path, mode)
        except FileNotFoundError:
            raise _ReferenceError(f"the file {path} does not exist", "make it") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            why = getattr(error, "strerror", None) or "not a path"
            cure = "let the user that runs the gateway read it"
            raise _ReferenceError(f"the file {path} cannot be read ({why})", cure) from None
        if content is None:
            raise _ReferenceError(f"{path} is not a regular file", "name a regular file")
        if mode & stat.S_IROTH:
            self.result.warnings.append(
                ConfigWarning(place, f"everyone on this host can read {path}; chmod o-r {path}")
            )
        return _decode(content, path)


def _read_regular(path: Path, mode: int) -> bytes | None:
    if not stat.S_ISREG(mode):  # opening a pipe would wait for its writer
        return None
    with path.open("rb") as file:
        return file.read(MAX_SECRET_BYTES + 1)


def _decode(content: bytes, path: Path) -> str:
    if len(content) > MAX_SECRET_BYTES:
        limit = MAX_SECRET_BYTES // 1024
        raise _ReferenceError(f"the file {path} is larger than {limit} KiB", "name another file")
    try:
        text = content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        cure = "encode it in base64 or hexadecimal"
        raise _ReferenceError(f"the file {path} is not UTF-8 text", cure) from None
    if not text:
        raise _ReferenceError(f"the file {path} is empty", "put the value into it")
    return text
