"""From a file to checked settings: read, put variables in, validate; all faults at once.

The seam to pydantic: each of its errors becomes a ``ConfigError`` in our words, at the line where
the file has it. Values are quoted as the file has them, never with variables put in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config.document import MAX_BYTES, Document, load_document, too_large
from gateway.config.fields import FAULT
from gateway.config.nodes import Path as KeyPath
from gateway.config.nodes import quote
from gateway.config.schema import Settings
from gateway.config.secrets import ConfigWarning, expand
from gateway.config.unknown_keys import find_cure
from gateway.errors import ConfigError, ConfigErrors, Place

_IN_KEY: Final = "[key]"  # pydantic's last step where a mapping's key is refused, not its value

# What pydantic finds by itself: the type of its error, our fault and our cure. Nothing is quoted: a
# secret may stand where a section should.
_FAULTS: Final[dict[str, tuple[str, str]]] = {
    "tuple_type": ("this is not a list", "write a list: [first, second]"),
    "dict_type": ("this is not a mapping", "write keys and values: {key: value}"),
    "model_type": ("this is not a mapping", "write keys and values: {key: value}"),
    "too_short": ("the list is empty", "name at least one, or remove the key"),
}


@dataclass(frozen=True, slots=True)
class Config:
    """A file that has been read, and is valid as far as one value can be."""

    settings: Settings
    document: Document
    warnings: tuple[ConfigWarning, ...] = field(default=())  # found while reading

    def place(self, *path: str | int) -> Place:
        """Return where *path* stands in the file: ``place("routes", 2, "upstream")``."""
        return self.document.place(*path)


def load_config(path: Path, environ: Mapping[str, str]) -> Config:
    """Read the configuration.

    Args:
        path: The file.
        environ: The environment variables that it may name.

    Raises:
        ConfigErrors: It cannot be read, or has faults: all of them, in the order of their lines.
    """
    document = load_document(_read(path), str(path))
    expansion = expand(document, environ)
    # A reference that failed stays in its text; what else is wrong with that text is not said.
    failed = {(error.place.line, error.place.path) for error in expansion.faults}
    try:
        settings = Settings.model_validate(expansion.value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        found = [_translate(each, document) for each in details if _is_real(each, document)]
        faults = [e for e in found if (e.place.line, e.place.path) not in failed]
    else:
        if not expansion.faults:
            return Config(settings, document, tuple(expansion.warnings))
        faults = []
    raise in_order([*expansion.faults, *faults])


def in_order(faults: list[ConfigError]) -> ConfigErrors:
    """Return *faults*, of which there is at least one, in the order of their lines."""
    return ConfigErrors(sorted(faults, key=lambda error: error.place.line))


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigErrors([too_large(str(path))])
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        place, fault, cure = Place(str(path), line), "the file is not UTF-8", "save it as UTF-8"
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = getattr(error, "strerror", None) or "not a path"
        place, fault = Place(str(path)), f"the file cannot be read ({why})"
        cure = "name the configuration with --config PATH"
    raise ConfigErrors([ConfigError(place, fault, cure)])


def _is_real(details: ErrorDetails, document: Document) -> bool:
    """Whether an error says something: a list whose items are all refused is not empty."""
    return details["type"] != "too_short" or not document.find(*details["loc"])


def _translate(details: ErrorDetails, document: Document) -> ConfigError:
    """Say in our words what pydantic found, and where."""
    path: KeyPath = details["loc"]
    kind = details["type"]
    context: dict[str, Any] = details.get("ctx", {})
    if kind == "extra_forbidden":
        *parent, key = path
        fault = f"unknown key {quote(key)}"
        place = document.place(*path, key=True)
        around = document.place(*parent).path
        return ConfigError(
            Place(place.file, place.line, around), fault, find_cure(tuple(parent), str(key))
        )
    if kind == "missing":
        place = document.place(*path[:-1], key=True)
        return ConfigError(place, f"the key '{path[-1]}' is missing", f"add '{path[-1]}: ...'")
    if path and path[-1] == _IN_KEY:
        path = path[:-1]
        value, place = quote(path[-1]), document.place(*path, key=True)
    else:
        at = context.get("at", "")
        path = (*path, *at.split(".")) if at else path
        value, place = document.quote(*path), document.place(*path)
    fault, cure = _words(kind, context)
    return ConfigError(place, fault.replace("{value}", value), cure)


def _words(kind: str, context: dict[str, Any]) -> tuple[str, str]:
    if kind == FAULT:
        return context["fault"], context["cure"]
    if kind == "literal_error":
        return "{value} is not one of the known values", f"write {_join(context['expected'])}"
    return _FAULTS.get(kind, ("this value cannot stand here", "see 'gateway schema'"))


def _join(expected: str) -> str:
    return expected.replace("'", "")
