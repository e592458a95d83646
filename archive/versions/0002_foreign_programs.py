"""Reference programs of a run, and how a candidate's constants were found.

Version 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

GUARDED = ("reference", "reference_cut")


def upgrade() -> None:
    op.add_column("evaluation", sa.Column("fitted_by", sa.Text(), nullable=False, server_default="engine"))
    op.add_column("evaluation", sa.Column("feedback", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "reference",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("x", sa.Double()),
        sa.Column("x_se", sa.Double()),
        sa.Column("train_r2", sa.Double()),
        sa.Column("scalars", sa.Integer(), nullable=False),
        sa.Column("translation", sa.Text(), nullable=False),
        sa.Column("checks", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("layers", sa.JSON(), nullable=False),
        sa.Column("failure", sa.Text()),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("feedback", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Double()),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name="fk_reference_run"),
        sa.PrimaryKeyConstraint("run", "n", name="pk_reference"),
    )
    op.create_table(
        "reference_cut",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("cut", sa.Text(), nullable=False),
        sa.Column("variable", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("log_mse", sa.Double()),
        sa.Column("kept_log_mse", sa.Double()),
        sa.ForeignKeyConstraint(["run", "n"], ["reference.run", "reference.n"], name="fk_reference_cut_run_n"),
        sa.PrimaryKeyConstraint("run", "n", "position", name="pk_reference_cut"),
        sqlite_with_rowid=False,
    )
    guard()


def guard() -> None:
    """Refuse every change of a committed row, in the database itself."""
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
    op.drop_table("reference_cut")
    op.drop_table("reference")
    op.drop_column("evaluation", "feedback")
    op.drop_column("evaluation", "fitted_by")
