"""What a language model was asked for a candidate, and whether its promise held.

Version 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("k", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=False),
        sa.Column("form", sa.Text(), nullable=False),
        sa.Column("hypothesis", sa.Text(), nullable=False),
        sa.Column("promise", sa.Text(), nullable=False),
        sa.Column("kept", sa.Boolean()),
        sa.Column("residual_before", sa.Double()),
        sa.Column("residual_after", sa.Double()),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("tokens", sa.BigInteger()),
        sa.Column("usd", sa.Double()),
        sa.ForeignKeyConstraint(["run", "k"], ["candidate.run", "candidate.k"], name="fk_proposal_run_k"),
        sa.PrimaryKeyConstraint("run", "k", name="pk_proposal"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_proposal_run_model_operator", "proposal", ["run", "model", "operator"])
    op.create_index("ix_ledger_run_k", "ledger", ["run", "k"])
    guard()


def guard() -> None:
    """Refuse every change of a committed row, in the database itself."""
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER proposal_no_{verb.lower()} BEFORE {verb} ON proposal "
                "BEGIN SELECT RAISE(ABORT, 'rows of proposal are immutable'); END"
            )
    elif dialect == "postgresql":
        op.execute(
            "CREATE TRIGGER proposal_no_change BEFORE UPDATE OR DELETE ON proposal "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )


def downgrade() -> None:
    op.drop_index("ix_ledger_run_k", "ledger")
    op.drop_table("proposal")
