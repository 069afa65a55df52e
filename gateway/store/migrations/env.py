"""What Alembic runs to migrate: in the gateway's own transaction, or by hand in one of its own.

By hand: ``alembic -c alembic.ini -x store=URL current | history | upgrade head | downgrade -1``.
"""

import asyncio

from alembic import context
from sqlalchemy import Connection

import gateway.store.partial_indexes  # noqa: F401 (adds them to the tables)
from gateway.store.engine import Store, StoreLimits
from gateway.store.migrate import LOCK
from gateway.store.tables import metadata

_BY_HAND_DEADLINE_S = 3600.0


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def _run_by_hand(url: str) -> None:
    limits = StoreLimits(deadline_s=_BY_HAND_DEADLINE_S, connections=1)
    async with Store(url, limits) as store, store.exclusive(LOCK) as connection:
        await connection.run_sync(_run)


_given = context.config.attributes.get("connection")
if isinstance(_given, Connection):
    _run(_given)
else:
    asyncio.run(_run_by_hand(context.get_x_argument(as_dictionary=True)["store"]))
