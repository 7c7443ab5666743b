"""People and the audit trail. Append-only is the database's own rule, by trigger."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GENESIS = "0" * 64

# A BEFORE trigger comes before REPLACE, which would remove a row and fire no trigger for it.
SQLITE = (
    """
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    """
    CREATE TRIGGER audit_is_never_removed BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END
    """,
    f"""
    CREATE TRIGGER audit_is_a_chain BEFORE INSERT ON audit
    WHEN NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
      OR NEW.previous_hash <>
         coalesce((SELECT hash FROM audit ORDER BY number DESC LIMIT 1), '{GENESIS}')
    BEGIN SELECT RAISE(ABORT, 'the audit trail grows at its end only'); END
    """,
    """
    CREATE TRIGGER account_is_never_removed BEFORE DELETE ON user_account
    BEGIN SELECT RAISE(ABORT, 'an account is disabled, never removed'); END
    """,
    """
    CREATE TRIGGER account_is_never_replaced BEFORE INSERT ON user_account
    WHEN EXISTS (SELECT 1 FROM user_account WHERE name = NEW.name)
    BEGIN SELECT RAISE(ABORT, 'an account is disabled, never removed'); END
    """,
)

POSTGRESQL = (
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '% rows are never changed or removed', TG_TABLE_NAME; END $$
    """,
    f"""
    CREATE FUNCTION require_chain() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF NEW.number <> (SELECT coalesce(max(number), 0) + 1 FROM audit)
         OR NEW.previous_hash <>
            coalesce((SELECT hash FROM audit ORDER BY number DESC LIMIT 1), '{GENESIS}')
      THEN RAISE EXCEPTION 'the audit trail grows at its end only';
      END IF;
      RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER audit_is_never_removed BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER audit_is_a_chain BEFORE INSERT ON audit
    FOR EACH ROW EXECUTE FUNCTION require_chain()
    """,
    """
    CREATE TRIGGER account_is_never_removed BEFORE DELETE ON user_account
    FOR EACH ROW EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER accounts_are_never_removed BEFORE TRUNCATE ON user_account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    _create_user_account()
    _create_audit()
    statements = {"sqlite": SQLITE, "postgresql": POSTGRESQL}
    for statement in statements[op.get_bind().dialect.name]:
        op.execute(statement)


def _create_user_account() -> None:
    op.create_table(
        "user_account",
        sa.Column("name", sa.String(), primary_key=True),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("failed_attempts", sa.Integer(), nullable=False),
        sa.Column("locked_until", sa.DateTime()),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "role IN ('operator', 'engineer', 'administrator')", name="role_is_known"
        ),
        sa.CheckConstraint("failed_attempts >= 0", name="attempts_are_a_count"),
    )


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("object", sa.String(), nullable=False),
        sa.Column("old", sa.String()),
        sa.Column("new", sa.String()),
        sa.Column("reason", sa.String()),
        sa.Column("previous_hash", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.UniqueConstraint("previous_hash"),
        sa.CheckConstraint("number >= 1", name="numbers_count_from_one"),
        sa.CheckConstraint("length(hash) = 64", name="hash_is_sha256"),
    )
