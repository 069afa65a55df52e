"""The tables, as both databases know them. ``migrations`` makes them; a test compares the two.

Times are seconds since the epoch, as the gateway's own clock tells them. What the database itself
enforces stands here or in ``partial_indexes`` as an index or a constraint, and the modules of this
room rely on it.
"""

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

REVISION: Final = "0002"  # of the newest migration; a test compares it with the scripts

# So that both databases give constraints the same names, and a migration can name them.
metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

users: Final = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),  # the claim ``sub``; never changed, never used again
    Column("username", Text, nullable=False),  # as given
    Column("canonical_username", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("roles", JSON, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("attributes", JSON, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("not_before_s", Double, nullable=False),  # tokens issued before then count no more
    Column("created_at_s", Double, nullable=False),
    Column("updated_at_s", Double, nullable=False),
)

# No foreign key to ``users``: the users of the configuration file have sessions too.
sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),  # the claim ``sid``
    Column("user_id", Text, nullable=False, index=True),
    Column("created_at_s", Double, nullable=False),
    Column("refreshed_at_s", Double, nullable=False),
    Column("idle_expires_at_s", Double, nullable=False),  # sliding
    Column("expires_at_s", Double, nullable=False, index=True),  # absolute
    Column("user_agent", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("ended_at_s", Double),
    Column("end_reason", String(32)),
)

refresh_tokens: Final = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", LargeBinary, primary_key=True),  # SHA-256
    Column("session_id", Text, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False),
    Column("issued_at_s", Double, nullable=False),
    Column("spent_at_s", Double),
    Column("sealed_successor", LargeBinary),  # opens only with the token of this row itself
)
Index("ix_refresh_tokens_session_id", refresh_tokens.c.session_id)

# No foreign key to ``users`` here either: the users of the configuration file own keys too.
api_keys: Final = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret_hash", LargeBinary, nullable=False),  # SHA-256
    Column("owner_id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("expires_at_s", Double),
    Column("revoked_at_s", Double),
)

revocations: Final = Table(
    "revocations",
    metadata,
    Column("kind", String(8), nullable=False),
    Column("key", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False, unique=True),
    Column("not_before_s", Double),
    Column("expires_at_s", Double, nullable=False, index=True),
    PrimaryKeyConstraint("kind", "key"),
)

# One row. Counted up under its lock, so that epochs become visible in their order: with a sequence,
# a reader could see 8, go on from there, and never learn of 7, whose transaction ended later.
revocation_epoch: Final = Table(
    "revocation_epoch",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1", name="one_row"), primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)

signing_keys: Final = Table(
    "signing_keys",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("algorithm", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at_s", Double, nullable=False),
    Column("current_from_s", Double),
    Column("retiring_from_s", Double),
    Column("verifies_until_s", Double),
    Column("private_pem", LargeBinary, nullable=False),
    Column("sealed", Boolean, nullable=False),  # with the store key
)

throttles: Final = Table(
    "throttles",
    metadata,
    Column("kind", String(8), nullable=False),
    Column("key_hash", LargeBinary, nullable=False),
    Column("user_hash", LargeBinary, index=True),  # whose ``unlock`` clears it
    Column("failures", Integer, nullable=False),
    Column("window_from_s", Double, nullable=False),
    Column("last_failure_at_s", Double, nullable=False),
    PrimaryKeyConstraint("kind", "key_hash"),
)

known_addresses: Final = Table(
    "known_addresses",
    metadata,
    Column("user_hash", LargeBinary, nullable=False),
    Column("address", Text, nullable=False),
    Column("last_login_at_s", Double, nullable=False, index=True),
    PrimaryKeyConstraint("user_hash", "address"),
)
