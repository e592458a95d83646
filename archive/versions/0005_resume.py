"""What a run needs to go on after its process has ended: its origin, the programs it was given, its sessions.

Version 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

GUARDED = ("origin", "seed_program")


def upgrade() -> None:
    op.create_table(
        "origin",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("roles", sa.JSON(), nullable=False),
        sa.Column("data", sa.Text()),
        sa.Column("at", sa.Text()),
        sa.Column("jail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name="fk_origin_run"),
        sa.PrimaryKeyConstraint("run", name="pk_origin"),
    )
    op.create_table(
        "seed_program",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name="fk_seed_program_run"),
        sa.PrimaryKeyConstraint("run", "n", name="pk_seed_program"),
    )
    op.create_table(
        "session",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("machine", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("born", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("stop", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name="fk_session_run"),
        sa.PrimaryKeyConstraint("run", "n", name="pk_session"),
    )
    guard()


def guard() -> None:
    """Refuse every change of what a run began with, in the database itself."""
    dialect = op.get_bind().dialect.name
    for table in GUARDED:
        if dialect == "sqlite":
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are immutable'); END"
                )
        elif dialect == "postgresql":
            op.execute(
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )


def downgrade() -> None:
    for table in ("session", "seed_program", "origin"):
        op.drop_table(table)
