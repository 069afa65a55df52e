"""What the tests of the commands share: a configuration whose store is not made yet."""

from pathlib import Path
from typing import Any

import pytest

from gateway.issuer.passwords import hash_password
from tests.kit.gateway import AUDIENCE, ISSUER, configuration, write_configuration
from tests.kit.stores import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture(scope="session")
def password_hash() -> str:
    """The hash of ``secret``, made once."""
    return hash_password("secret")


@pytest.fixture
def document(tmp_path: Path, password_hash: str) -> dict[str, Any]:
    """A configuration without a key of its own, with one user, and a store below *tmp_path*."""
    return configuration(
        9,
        tokens={"issuer": ISSUER, "audience": AUDIENCE, "access_lifetime": "10m"},
        store=f"sqlite:///{tmp_path / 'var' / 'gateway.db'}",
        users=[{"username": "Aymen", "password_hash": password_hash, "roles": ["customer"]}],
    )


@pytest.fixture
def path(tmp_path: Path, document: dict[str, Any]) -> str:
    """Its file."""
    return str(write_configuration(tmp_path, document))


@pytest.fixture
def store_file(tmp_path: Path) -> Path:
    """Where its store is, or is not yet."""
    return tmp_path / "var" / "gateway.db"
