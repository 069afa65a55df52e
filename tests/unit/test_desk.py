"""What acts on the store, as the configuration says it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.config.load import Config, load_config
from gateway.desk import (
    configured_key,
    look_at_desk,
    make_desk,
    open_desk,
    open_ring,
    store_faults,
)
from gateway.errors import ConfigError
from gateway.store.engine import Store, StoreLimits
from gateway.store.faults import StoreUnavailableError, UnfitStoreError
from tests.kit.gateway import SECRET, configuration, write_configuration
from tests.kit.stores import NOW_S, anyio_backend
from tests.unit.issuer.fakes import CountingHasher

__all__ = ["anyio_backend"]

TOKENS = {"issuer": "http://gw.test", "audience": "gateway", "algorithm": "ES256"}


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Config]:
    """Read a configuration with these changes."""

    def read(**changes: Any) -> Config:
        document = {"store": f"sqlite:///{tmp_path}/gateway.db", "tokens": TOKENS} | changes
        return load_config(write_configuration(tmp_path, configuration(9000, **document)), {})

    return read


@pytest.mark.anyio
async def test_without_a_key_one_is_made_and_kept(load: Callable[..., Config]) -> None:
    """The second start signs with the first one's key."""
    kids = []
    for _ in range(2):
        async with open_desk(load()) as desk:
            ring = await open_ring(load(), desk, NOW_S)
            kids.append(ring.signing.kid)

    assert kids[0] == kids[1]


@pytest.mark.anyio
async def test_a_configured_key_is_not_kept(load: Callable[..., Config]) -> None:
    """And what keeps keys says where it stands."""
    config = load(tokens=TOKENS | {"algorithm": "HS256", "secret": SECRET})
    async with open_desk(config) as desk:
        assert desk.keeper is None
        assert (await open_ring(config, desk, NOW_S)).public_jwks() == []
        with pytest.raises(ConfigError, match=r"tokens\.secret: the key stands in the config"):
            desk.check_keeper(config)


@pytest.mark.parametrize(
    ("tokens", "fault"),
    [
        pytest.param(
            {"signing_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
            r"tokens\.signing_key: this is no private key",
            id="no-key",
        ),
        pytest.param(
            {"algorithm": "HS256", "secret": "ssh-" + "x" * 40},
            r"tokens\.secret: the secret is a key of another kind",
            id="another-kind",
        ),
    ],
)
def test_a_configured_key_must_be_one(
    load: Callable[..., Config], tokens: dict[str, str], fault: str
) -> None:
    """The fault names the place in the file."""
    with pytest.raises(ConfigError, match=fault):
        configured_key(load(tokens=TOKENS | tokens))


@pytest.mark.parametrize("error", [UnfitStoreError("unfit", "mend"), StoreUnavailableError("down")])
def test_a_fault_of_the_store_names_its_place(
    load: Callable[..., Config], error: Exception
) -> None:
    """What the store says, where it is configured."""
    with pytest.raises(ConfigError, match="store: ") as caught, store_faults(load()):
        raise error
    assert caught.value.cure


@pytest.mark.anyio
async def test_a_sealed_key_asks_for_its_store_key(load: Callable[..., Config]) -> None:
    """A forgotten variable is an error, and no new key is made."""
    sealing = load(store_key="a store key of the tests: 32 bytes or more")
    async with open_desk(sealing) as desk:
        await open_ring(sealing, desk, NOW_S)

    with pytest.raises(ConfigError, match="sealed"):
        async with open_desk(load()) as desk:
            await open_ring(load(), desk, NOW_S)


def test_users_who_are_one_are_told(load: Callable[..., Config]) -> None:
    """As the compiler tells it with a line; this is the net under it."""
    user = {"username": "a", "password_hash": CountingHasher.hash_of("x")}
    config = load(users=[user, user | {"username": "A"}])
    store = Store(config.settings.store.get_secret_value(), StoreLimits())

    with pytest.raises(ConfigError, match="users"):
        make_desk(config, store)


@pytest.mark.anyio
async def test_a_look_makes_nothing(load: Callable[..., Config], tmp_path: Path) -> None:
    """Before the first start there is no desk to look at; after it, what is there can be read."""
    async with look_at_desk(load()) as desk:
        assert desk is None
    assert not (tmp_path / "gateway.db").exists()
    async with open_desk(load()) as desk:
        await open_ring(load(), desk, NOW_S)
    async with look_at_desk(load()) as desk:
        assert desk is not None
        assert len(await desk.check_keeper(load()).list_keys()) == 1


@pytest.mark.anyio
async def test_a_look_at_an_unfit_store_says_where(load: Callable[..., Config]) -> None:
    """As opening it does."""
    config = load(store="postgresql://127.0.0.1:1/gateway")
    with pytest.raises(ConfigError, match="store: the store cannot be reached"):
        async with look_at_desk(config):
            pass
