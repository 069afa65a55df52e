"""The first tables: users, sessions and their refresh tokens, revocations, keys, throttles."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all the tables of the first version, and the one row that counts revocations."""
    _make_users()
    _make_sessions()
    _make_revocations()
    _make_signing_keys()
    _make_throttles()


def downgrade() -> None:
    """Drop everything: all users, sessions and keys are lost."""
    for table in ("refresh_tokens", "sessions", "users", "revocations", "revocation_epoch"):
        op.drop_table(table)
    for table in ("signing_keys", "throttles", "known_addresses"):
        op.drop_table(table)


def _make_users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("canonical_username", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("not_before_s", sa.Double(), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("updated_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("canonical_username", name="uq_users_canonical_username"),
    )


def _make_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("refreshed_at_s", sa.Double(), nullable=False),
        sa.Column("idle_expires_at_s", sa.Double(), nullable=False),
        sa.Column("expires_at_s", sa.Double(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("ended_at_s", sa.Double(), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_expires_at_s", "sessions", ["expires_at_s"], unique=False)
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"], unique=False)
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("issued_at_s", sa.Double(), nullable=False),
        sa.Column("spent_at_s", sa.Double(), nullable=True),
        sa.Column("sealed_successor", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_refresh_tokens_session_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_refresh_tokens"),
    )
    op.create_index("ix_refresh_tokens_session_id", "refresh_tokens", ["session_id"], unique=False)
    op.create_index(
        "uq_refresh_tokens_live",
        "refresh_tokens",
        ["session_id"],
        unique=True,
        sqlite_where=sa.text("spent_at_s IS NULL"),
        postgresql_where=sa.text("spent_at_s IS NULL"),
    )


def _make_revocations() -> None:
    op.create_table(
        "revocations",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("not_before_s", sa.Double(), nullable=True),
        sa.Column("expires_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_revocations"),
        sa.UniqueConstraint("epoch", name="uq_revocations_epoch"),
    )
    op.create_index("ix_revocations_expires_at_s", "revocations", ["expires_at_s"], unique=False)
    op.create_table(
        "revocation_epoch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_revocation_epoch"),
    )
    op.execute("INSERT INTO revocation_epoch (id, epoch) VALUES (1, 0)")


def _make_signing_keys() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at_s", sa.Double(), nullable=False),
        sa.Column("current_from_s", sa.Double(), nullable=True),
        sa.Column("retiring_from_s", sa.Double(), nullable=True),
        sa.Column("verifies_until_s", sa.Double(), nullable=True),
        sa.Column("private_pem", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_keys"),
    )
    op.create_index(
        "uq_signing_keys_algorithm_state",
        "signing_keys",
        ["algorithm", "state"],
        unique=True,
        sqlite_where=sa.text("state <> 'retiring'"),
        postgresql_where=sa.text("state <> 'retiring'"),
    )


def _make_throttles() -> None:
    op.create_table(
        "throttles",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("key_hash", sa.LargeBinary(), nullable=False),
        sa.Column("user_hash", sa.LargeBinary(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("window_from_s", sa.Double(), nullable=False),
        sa.Column("last_failure_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key_hash", name="pk_throttles"),
    )
    op.create_index("ix_throttles_user_hash", "throttles", ["user_hash"], unique=False)
    op.create_table(
        "known_addresses",
        sa.Column("user_hash", sa.LargeBinary(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("last_login_at_s", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("user_hash", "address", name="pk_known_addresses"),
    )
    op.create_index(
        "ix_known_addresses_last_login_at_s", "known_addresses", ["last_login_at_s"], unique=False
    )
