"""What every section of the file has in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.config.fields import format_duration, format_size


def time_field(default_s: float, description: str) -> Any:  # noqa: ANN401 (pydantic's Field is Any too)
    """Describe a duration whose default is *default_s* seconds."""
    shown = format_duration(default_s)
    return Field(default=default_s, description=description, json_schema_extra={"default": shown})


def size_field(default_bytes: int, description: str) -> Any:  # noqa: ANN401 (as above)
    """Describe a size whose default is *default_bytes*."""
    shown = format_size(default_bytes)
    return Field(
        default=default_bytes, description=description, json_schema_extra={"default": shown}
    )


class Section(BaseModel):
    """A mapping of the file: no other keys, no conversions, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
