"""``gateway schema``."""

from gateway.cli.output import print_json
from gateway.config.schema import json_schema


def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors."""
    print_json(json_schema())
