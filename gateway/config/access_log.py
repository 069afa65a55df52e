"""Where the lines of the access log go."""

from typing import Annotated, Final

from pydantic import AfterValidator

from gateway.config.fields import Text, refusal

OFF: Final = "off"
_CURE: Final = "write stdout, off, or the name of a file"
_SLIPS: Final = frozenset(("-", "on", "true", "yes", "stderr", "none", "no", "false"))


def _check_target(value: str) -> str:
    if value.lower() in _SLIPS or value.endswith("/"):
        raise refusal("{value} is not where an access log can go", _CURE)
    return value


AccessLog = Annotated[Text, AfterValidator(_check_target)]
