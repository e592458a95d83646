"""Where a search stood, so that a long run goes on without reading all of its candidates back.

Version 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("committed", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text()),
        sa.Column("trace", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.run"], name="fk_checkpoint_run"),
        sa.PrimaryKeyConstraint("run", "committed", name="pk_checkpoint"),
    )


def downgrade() -> None:
    op.drop_table("checkpoint")
