"""Draw numbers and attempts of calls to language models; an answer never changes.

Version 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chat_call", sa.Column("content", sa.Text(), nullable=False, server_default=""))
    op.add_column("chat_call", sa.Column("draw", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("chat_call", sa.Column("finish", sa.Text()))
    op.create_index("ix_chat_call_content", "chat_call", ["content"])
    op.create_table(
        "chat_attempt",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("chat_call", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("usd", sa.Double()),
        sa.Column("reserved_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reserved_usd", sa.Double()),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.Text()),
        sa.Column("seconds", sa.Double()),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name="fk_chat_attempt_run"),
        sa.ForeignKeyConstraint(["chat_call"], ["chat_call.key"], name="fk_chat_attempt_chat_call"),
        sa.PrimaryKeyConstraint("run", "n", name="pk_chat_attempt"),
    )
    op.create_index("ix_chat_attempt_chat_call", "chat_attempt", ["chat_call"])
    guard()


def guard() -> None:
    """Refuse every change of an answered call, in the database itself."""
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER chat_call_no_{verb.lower()} BEFORE {verb} ON chat_call WHEN OLD.response IS NOT NULL "
                "BEGIN SELECT RAISE(ABORT, 'rows of chat_call are immutable'); END"
            )
    elif dialect == "postgresql":
        op.execute(
            "CREATE TRIGGER chat_call_no_change BEFORE UPDATE OR DELETE ON chat_call "
            "FOR EACH ROW WHEN (OLD.response IS NOT NULL) EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        op.execute("DROP TRIGGER chat_call_no_update")
        op.execute("DROP TRIGGER chat_call_no_delete")
    elif dialect == "postgresql":
        op.execute("DROP TRIGGER chat_call_no_change ON chat_call")
    op.drop_table("chat_attempt")
    op.drop_index("ix_chat_call_content", "chat_call")
    for column in ("finish", "draw", "content"):
        op.drop_column("chat_call", column)
