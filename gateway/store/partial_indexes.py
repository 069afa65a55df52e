"""Indexes over some rows only, added to ``tables.metadata``: to migrate, but not to start.

To say them SQLAlchemy loads how PostgreSQL speaks SQL, which a gateway on SQLite need not wait for.
"""

from sqlalchemy import Index, text

from gateway.store.tables import refresh_tokens, signing_keys

# A family has one live token: whatever goes wrong above, the database refuses a second successor.
Index(
    "uq_refresh_tokens_live",
    refresh_tokens.c.session_id,
    unique=True,
    sqlite_where=refresh_tokens.c.spent_at_s.is_(None),
    postgresql_where=refresh_tokens.c.spent_at_s.is_(None),
)

# One key signs, and one waits, whoever writes.
Index(
    "uq_signing_keys_algorithm_state",
    signing_keys.c.algorithm,
    signing_keys.c.state,
    unique=True,
    sqlite_where=text("state <> 'retiring'"),
    postgresql_where=text("state <> 'retiring'"),
)
