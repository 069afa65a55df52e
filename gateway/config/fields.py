"""The kinds of value that the file has, each read once into a type that cannot be wrong.

A value that is refused raises with a fault and a cure in our words. ``{value}`` in them becomes the
text as the file has it, so that what a variable held is never quoted (``gateway.config.load``).
"""

import re
from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from annotated_types import MinLen
from pydantic import AfterValidator, BeforeValidator, Strict, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.config.secrets import Expanded

FAULT: Final = "config_fault"  # the type of the errors that are made here
VARIABLE: Final = r"^.*\$\{.*$"  # what an editor must let pass wherever a pattern is asked for


def refusal(fault: str, cure: str = "", at: str = "") -> PydanticCustomError:
    """Return the error that a validator raises; *at* is the path of a key below the value."""
    # pydantic would fill in braces of a template; all of ours travel as context.
    return PydanticCustomError(FAULT, FAULT, {"fault": fault, "cure": cure, "at": at})


# --- durations and sizes ----------------------------------------------------------------------

_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)")
_DURATION_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION_CURE: Final = "write a whole number and its unit: 250ms, 30s, 24m, 12h or 30d"
MAX_DURATION_S: Final = 3650 * 86400  # ten years; more is a slip

_SIZE: Final = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)")
_SIZE_UNITS: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE_CURE: Final = "write a whole number and its unit: 512B, 64KiB, 10MiB or 1GiB"


def parse_duration(value: object) -> float:
    """Read a duration; the result is in seconds.

    Raises:
        PydanticCustomError: It has no unit, or is longer than ten years.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refusal("{value} is not a duration", _DURATION_CURE)
    seconds = float(int(match[1]) * _DURATION_UNITS[match[2]])
    if seconds > MAX_DURATION_S:
        raise refusal("{value} is longer than ten years", _DURATION_CURE)
    return seconds


def parse_size(value: object) -> int:
    """Read a size; the result is in bytes.

    Raises:
        PydanticCustomError: It has no unit.
    """
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise refusal("{value} is not a size", _SIZE_CURE)
    return int(match[1]) * _SIZE_UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Write a duration as the file does, in the largest unit that leaves it whole."""
    milliseconds = round(seconds * 1000)
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % (_DURATION_UNITS[unit] * 1000) == 0:
            return f"{round(milliseconds / (_DURATION_UNITS[unit] * 1000))}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def format_size(size: int) -> str:
    """Write a size as the file does, in the largest unit that leaves it whole."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


def _check_positive(value: float) -> float:
    if not value:
        raise refusal("{value} is nothing at all", "write more than 0")
    return value


def _check_positive_size(value: int) -> int:
    _check_positive(value)
    return value


def _whole_seconds(value: float) -> int:
    if value % 1:
        raise refusal("{value} is not a whole number of seconds", "tokens count in seconds: 1s")
    return int(value)


def _whole_seconds_above_zero(value: float) -> int:
    return _whole_seconds(_check_positive(value))


_DURATION_JSON: Final = WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,9}(ms|s|m|h|d)$|" + VARIABLE}
)
_SIZE_JSON: Final = WithJsonSchema(
    {"type": "string", "pattern": r"^[0-9]{1,12}(B|KiB|MiB|GiB)$|" + VARIABLE}
)

Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    AfterValidator(_check_positive),
    _DURATION_JSON,
]
DurationOrZero = Annotated[float, BeforeValidator(parse_duration), _DURATION_JSON]
WholeSeconds = Annotated[
    int,
    BeforeValidator(lambda value: _whole_seconds_above_zero(parse_duration(value))),
    _DURATION_JSON,
]
WholeSecondsOrZero = Annotated[
    int,
    BeforeValidator(lambda value: _whole_seconds(parse_duration(value))),
    _DURATION_JSON,
]
SizeOrZero = Annotated[int, BeforeValidator(parse_size), _SIZE_JSON]
Size = Annotated[int, BeforeValidator(parse_size), AfterValidator(_check_positive_size), _SIZE_JSON]

# --- numbers and truth values -----------------------------------------------------------------

_COUNT: Final = re.compile(r"[1-9][0-9]{0,8}")
MAX_COUNT: Final = 999_999_999
_YAML_1_1: Final = {
    **dict.fromkeys(("yes", "y", "on"), "true"),
    **dict.fromkeys(("no", "n", "off"), "false"),
}


def _parse_count(value: object) -> int:
    if isinstance(value, Expanded) and _COUNT.fullmatch(value):
        return int(value)
    if type(value) is not int or not 1 <= value <= MAX_COUNT:
        raise refusal("{value} is not a count", "write a whole number from 1 on, without quotes")
    return value


def _is_zero(value: object) -> bool:
    return (type(value) is int and value == 0) or (isinstance(value, Expanded) and value == "0")


def _parse_truth(value: object) -> bool:
    if isinstance(value, Expanded) and value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        meant = _YAML_1_1.get(value.lower()) if isinstance(value, str) else None
        raise refusal(
            "{value} is neither true nor false",
            f"write {meant}" if meant else "write true or false",
        )
    return value


VARIABLE_JSON: Final = {"type": "string", "pattern": r"^\$\{.*\}$"}
Count = Annotated[
    int,
    BeforeValidator(_parse_count),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": MAX_COUNT}, VARIABLE_JSON]}
    ),
]
CountOrZero = Annotated[
    int,
    BeforeValidator(lambda value: 0 if _is_zero(value) else _parse_count(value)),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_COUNT}, VARIABLE_JSON]}
    ),
]
Truth = Annotated[
    bool,
    BeforeValidator(_parse_truth),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, VARIABLE_JSON]}),
]

# --- text -------------------------------------------------------------------------------------

_MAX_TEXT_CHARS: Final = 1024
MAX_ID_CHARS: Final = 255  # of a subject: OpenID Connect Core section 2
# scope-token = 1*( %x21 / %x23-5B / %x5D-7E )   -- RFC 6749 section 3.3
_SCOPE: Final = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise refusal("{value} is not text", 'put it in quotes: "..."')
    if not value:
        raise refusal("the text is empty", "write something, or remove the line")
    if len(value) > _MAX_TEXT_CHARS:
        raise refusal(f"the text is longer than {_MAX_TEXT_CHARS} characters", "shorten it")
    if not value.isprintable():
        raise refusal(
            "the text has a line break or another control character", "write it on one line"
        )
    return str(value)


def _check_id(value: str) -> str:
    if len(value) > MAX_ID_CHARS:
        raise refusal(f"the text is longer than {MAX_ID_CHARS} characters", "shorten it")
    return value


def _check_scope(value: str) -> str:
    if _SCOPE.fullmatch(value) is None:
        raise refusal("{value} is not one scope", "a scope has no spaces; write a list of scopes")
    return value


_TEXT_JSON: Final = WithJsonSchema({"type": "string", "minLength": 1})
Text = Annotated[str, BeforeValidator(_parse_text), _TEXT_JSON]
Id = Annotated[str, BeforeValidator(_parse_text), AfterValidator(_check_id), _TEXT_JSON]
Scope = Annotated[str, BeforeValidator(_parse_text), AfterValidator(_check_scope), _TEXT_JSON]

Lenient: Final = Strict(strict=False)  # a YAML list may fill a tuple; its items stay strict


def split_url(text: str, *schemes: str) -> SplitResult | None:
    """Return the parts of a URL of one of *schemes* that names a host; None where it is none."""
    try:
        url = urlsplit(text)
        fits = url.scheme in schemes and bool(url.hostname) and url.port != 0
    except ValueError:  # of the port
        return None
    return url if fits else None


def plain(value: object) -> object:
    """Return *value* with ordinary strings for those that came out of variables."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, str) else value


def as_list(value: object) -> object:
    """Let one value stand for a list of one."""
    return value if isinstance(value, list) else [value]


# An empty list would mean "anything" where it is compiled, and open what should be closed.
NotEmpty: Final = MinLen(1)
