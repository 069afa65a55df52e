"""A configuration whose signing key the gateway makes itself, and has not made yet."""

from pathlib import Path

from tests.kit.gateway import configuration, write_configuration


def write_keyless(folder: Path) -> Path:
    """Write it below *folder* and return its path; whatever were made would go to ``folder/var``.

    That holds where *folder* is the working directory.
    """
    document = configuration(9)
    document["tokens"] = {"issuer": "http://gateway.test", "audience": "gateway"}
    document["store"] = f"sqlite:///{folder / 'var' / 'gateway.db'}"
    return write_configuration(folder, document)
