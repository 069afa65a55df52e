"""What sections have in common."""

import pytest
from pydantic import ValidationError

from gateway.config.fields import Duration, Size
from gateway.config.section import Section, size_field, time_field


class Example(Section):
    """A section."""

    wait: Duration = time_field(90.0, "How long.")
    size: Size = size_field(64 * 1024, "How large.")


def test_defaults_are_shown_as_the_file_writes_them() -> None:
    """Code has seconds and bytes, the schema has units."""
    properties = Example.model_json_schema()["properties"]

    assert (Example().wait, Example().size) == (90.0, 65536)
    assert (properties["wait"]["default"], properties["size"]["default"]) == ("90s", "64KiB")


def test_sections_do_not_change() -> None:
    """What has been read stays as it is."""
    with pytest.raises(ValidationError):
        Example().wait = 1.0
