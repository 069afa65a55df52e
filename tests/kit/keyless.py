"""A configuration whose signing key the gateway makes itself, and has not made yet."""

from pathlib import Path

from tests.kit.gateway import configuration, write_configuration


def write_keyless(folder: Path) -> Path:
    """Write it below *folder* and return its path; the key would go to ``folder/keys``."""
    document = configuration(9)
    document["tokens"] = {
        "issuer": "http://gateway.test",
        "audience": "gateway",
        "key_file": str(folder / "keys" / "signing-key.pem"),
    }
    return write_configuration(folder, document)
