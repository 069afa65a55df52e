"""``gateway schema``."""

import json

from gateway.config.schema import json_schema
from tests.kit.commands import invoke


def test_the_schema_is_printed_whole() -> None:
    """What editors read is what the configuration is checked by."""
    result = invoke("schema")

    assert result.returncode == 0
    assert json.loads(result.stdout) == json_schema()
