"""Open a store, its tables made or brought up to date first, however many gateways start at once.

The rule to keep in mind: all steps are one transaction, under a lock that only one gateway holds.
The others wait for it and then find nothing to do; killed in the middle, nothing has happened.
"""

from typing import Final

from sqlalchemy import Connection, text

from gateway.store.engine import Store, StoreLimits
from gateway.store.faults import UnfitStoreError
from gateway.store.tables import REVISION

LOCK: Final = 0x67617465776179  # "gateway", for PostgreSQL's advisory locks go by a number
# Another gateway may be at it: adding an index to a large table takes its time.
_LIMITS: Final = StoreLimits(deadline_s=60.0, connections=1)
_SCRIPTS: Final = "gateway.store:migrations"


async def open_store(url: str, limits: StoreLimits | None = None) -> Store:
    """Return the store at *url*, with the tables that this version of the gateway needs.

    Args:
        url: ``sqlite:///path`` (the file and its directories are made, for their owner alone) or
            ``postgresql://user:password@host/database``.
        limits: What this process may ask of the database.

    Raises:
        UnfitStoreError: The URL, the file or the tables in it cannot be used.
        StoreUnavailableError: The database cannot be reached, or is locked.
    """
    await migrate(url)
    return Store(url, limits or StoreLimits())


async def migrate(url: str) -> None:
    """Make the tables, or bring them up to date; nothing happens when they are.

    Raises:
        UnfitStoreError: As ``open_store``.
        StoreUnavailableError: As ``open_store``.
    """
    async with Store(url, _LIMITS) as store:
        if await find_revision(store) == REVISION:
            return
        async with store.exclusive(LOCK) as connection:
            await connection.run_sync(_upgrade)


async def find_revision(store: Store) -> str | None:
    """Return the newest migration that the database has been through; None for an empty one.

    Raises:
        StoreUnavailableError: As ``open_store``.
    """
    async with store.read() as tx:
        if not await tx.has_table("alembic_version"):
            return None
        found = await tx.row(text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found[0])


def check_known(revision: str) -> None:
    """Make sure that ``migrate`` can bring tables of that revision up to date.

    Raises:
        UnfitStoreError: They are of a newer version of the gateway, or of something else.
    """
    from alembic.config import Config  # noqa: PLC0415 (as below)
    from alembic.script import ScriptDirectory  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    try:
        ScriptDirectory.from_config(config).get_revision(revision)
    except CommandError as error:
        raise _foreign_tables(error) from None


def _upgrade(connection: Connection) -> None:
    # Alembic takes a tenth of a second to import, which a start without a migration does not owe.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", _SCRIPTS)
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise _foreign_tables(error) from None


def _foreign_tables(error: Exception) -> UnfitStoreError:
    return UnfitStoreError(
        f"the tables of the store are not those of this version: {error}",
        "run the newest version of the gateway that has used this store, or a newer one",
    )
