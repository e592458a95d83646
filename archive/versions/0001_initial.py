"""The first schema: tables, the views `law` and `pareto_front`, and the guard over finished candidates.

Version 0001, after none.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

GUARDED = ("candidate", "parentage", "evaluation", "cut_score", "group_fit", "failure", "event")

LAW = """
CREATE VIEW law AS
SELECT c.run || '-' || CAST(c.k AS VARCHAR) AS law,
       c.run, c.k, c.formula,
       e.x, e.x_se, e.complexity, e.mdl, e.tree, e.scalars,
       e.valid, e.invalid_reason, f.reason AS failure, f.detail AS failure_detail,
       e.train_r2, e.rank_deficient,
       c.operator, c.island, c.structure, e.evaluations, e.seconds,
       COALESCE(r.choice = c.k, FALSE) AS chosen,
       c.note, c.source
FROM candidate AS c
JOIN evaluation AS e ON e.run = c.run AND e.k = c.k
JOIN run AS r ON r.run = c.run
LEFT JOIN failure AS f ON f.run = c.run AND f.k = c.k
"""

# A law is on the front when no law of at most its complexity has an x as low; of equals the earlier stays.
PARETO_FRONT = """
CREATE VIEW pareto_front AS
SELECT law, run, k, formula, x, x_se, complexity, mdl, tree, scalars, valid, invalid_reason,
       failure, failure_detail, train_r2, rank_deficient, operator, island, structure, evaluations, seconds,
       chosen, note, source
FROM (
    SELECT law.*,
           MIN(x) OVER (PARTITION BY run ORDER BY complexity, x, k
                        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS best_before
    FROM law
    WHERE valid AND x IS NOT NULL AND complexity IS NOT NULL AND failure IS NULL
) AS ranked
WHERE best_before IS NULL OR x < best_before
"""


def moment() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def key(*names: str) -> list[sa.Column]:
    """Columns of a primary key: text for `run` and `name`, integers otherwise."""
    texts = ("run", "name")
    return [
        sa.Column(
            n,
            sa.Text() if n in texts else sa.Integer(),
            nullable=False,
            primary_key=True,
            autoincrement=False,
        )
        for n in names
    ]


def of_candidate(table: str, column: str = "k") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run", column], ["candidate.run", "candidate.k"], name=f"fk_{table}_run_{column}")


def of_run(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["run"], ["run.run"], name=f"fk_{table}_run")


def make(table: str, *parts: sa.Column | sa.Constraint, **options: bool) -> None:
    """Create a table whose primary key is named after it."""
    names = [part.name for part in parts if isinstance(part, sa.Column) and part.primary_key]
    op.create_table(table, *parts, sa.PrimaryKeyConstraint(*names, name=f"pk_{table}"), **options)


def upgrade() -> None:
    runs()
    candidates()
    details()
    calls()
    logs()
    op.execute(LAW)
    op.execute(PARETO_FRONT)
    guard()


def runs() -> None:
    make(
        "run",
        *key("run"),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("started", moment(), nullable=False),
        sa.Column("finished", moment()),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("candidates", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("choice", sa.Integer()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("extra", sa.JSON(), nullable=False),
    )
    op.create_index("ix_run_task", "run", ["task"])
    op.create_index("ix_run_started", "run", ["started"])
    make(
        "island",
        *key("run", "island"),
        sa.Column("temperature", sa.Double()),
        sa.Column("bias", sa.Text(), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        of_run("island"),
    )


def candidates() -> None:
    make(
        "candidate",
        *key("run", "k"),
        sa.Column("island", sa.Integer(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("formula", sa.Text(), nullable=False),
        sa.Column("structure", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        of_run("candidate"),
        sa.ForeignKeyConstraint(["run", "island"], ["island.run", "island.island"], name="fk_candidate_run_island"),
    )
    op.create_index("ix_candidate_run_operator", "candidate", ["run", "operator"])
    op.create_index("ix_candidate_structure", "candidate", ["structure"])
    make(
        "parentage",
        *key("run", "k", "position"),
        sa.Column("parent", sa.Integer(), nullable=False),
        of_candidate("parentage"),
        of_candidate("parentage", "parent"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_parentage_run_parent", "parentage", ["run", "parent"])
    make(
        "evaluation",
        *key("run", "k"),
        sa.Column("x", sa.Double()),
        sa.Column("x_se", sa.Double()),
        sa.Column("mdl", sa.Double()),
        sa.Column("complexity", sa.Double()),
        sa.Column("tree", sa.Integer(), nullable=False),
        sa.Column("scalars", sa.Integer(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("invalid_reason", sa.Text(), nullable=False),
        sa.Column("train_r2", sa.Double()),
        sa.Column("rank_deficient", sa.Integer(), nullable=False),
        sa.Column("at_bounds", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("evaluations", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double()),
        sa.Column("committed", moment(), nullable=False),
        of_candidate("evaluation"),
    )
    op.create_index("ix_evaluation_run_complexity_x", "evaluation", ["run", "complexity", "x"])
    op.create_index("ix_evaluation_run_x", "evaluation", ["run", "x"])


def details() -> None:
    make(
        "cut_score",
        *key("run", "k", "position"),
        sa.Column("cut", sa.Text(), nullable=False),
        sa.Column("variable", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("log_mse", sa.Double()),
        sa.Column("kept_log_mse", sa.Double()),
        of_candidate("cut_score"),
        sqlite_with_rowid=False,
    )
    make(
        "parameter",
        *key("run", "k", "name", "position"),
        sa.Column("group_name", sa.Text()),
        sa.Column("target", sa.Text()),
        sa.Column("element", sa.Integer()),
        sa.Column("member", sa.Text()),
        sa.Column("value", sa.Double()),
        sa.Column("at_bound", sa.Boolean(), nullable=False),
        of_candidate("parameter"),
        sqlite_with_rowid=False,
    )
    make(
        "group_fit",
        *key("run", "k"),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        of_candidate("group_fit"),
    )
    make(
        "failure",
        *key("run", "k"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        of_candidate("failure"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_failure_run_reason", "failure", ["run", "reason"])
    make(
        "shortlist",
        *key("run", "place"),
        sa.Column("k", sa.Integer(), nullable=False),
        of_candidate("shortlist"),
        sqlite_with_rowid=False,
    )


def calls() -> None:
    make(
        "chat_call",
        sa.Column("key", sa.Text(), nullable=False, primary_key=True),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("request", sa.JSON(), nullable=False),
        sa.Column("response", sa.JSON()),
        sa.Column("error", sa.Text()),
        sa.Column("tokens_in", sa.BigInteger()),
        sa.Column("tokens_out", sa.BigInteger()),
        sa.Column("tokens_cached", sa.BigInteger()),
        sa.Column("cost", sa.Double()),
        sa.Column("seconds", sa.Double()),
        sa.Column("created", moment(), nullable=False),
    )
    op.create_index("ix_chat_call_model", "chat_call", ["model"])
    op.create_index("ix_chat_call_created", "chat_call", ["created"])
    make(
        "ledger",
        *key("run", "entry"),
        sa.Column("k", sa.Integer()),
        sa.Column("chat_call", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", sa.Double(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("created", moment(), nullable=False),
        of_run("ledger"),
        sa.ForeignKeyConstraint(["chat_call"], ["chat_call.key"], name="fk_ledger_chat_call"),
    )
    op.create_index("ix_ledger_chat_call", "ledger", ["chat_call"])


def logs() -> None:
    make(
        "event",
        *key("run", "n"),
        sa.Column("created", moment(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        of_run("event"),
    )
    make(
        "scoring",
        sa.Column("id", sa.Integer(), nullable=False, primary_key=True),
        sa.Column("law", sa.Text(), nullable=False),
        sa.Column("run", sa.Text()),
        sa.Column("k", sa.Integer()),
        sa.Column("split", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("r2", sa.Double()),
        sa.Column("nmse", sa.Double()),
        sa.Column("nmae", sa.Double()),
        sa.Column("created", moment(), nullable=False),
        of_candidate("scoring"),
    )
    op.create_index("ix_scoring_law", "scoring", ["law"])
    make(
        "scoring_target",
        sa.Column("scoring", sa.Integer(), nullable=False, primary_key=True, autoincrement=False),
        sa.Column("target", sa.Text(), nullable=False, primary_key=True),
        sa.Column("r2", sa.Double()),
        sa.Column("nmse", sa.Double()),
        sa.Column("nmae", sa.Double()),
        sa.ForeignKeyConstraint(["scoring"], ["scoring.id"], name="fk_scoring_target_scoring"),
    )


def guard() -> None:
    """Refuse every change of a committed row, in the database itself."""
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        for table in GUARDED:
            for verb in ("UPDATE", "DELETE"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, 'rows of {table} are immutable'); END"
                )
    elif dialect == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'rows of % are immutable', TG_TABLE_NAME; END $$"
        )
        for table in GUARDED:
            op.execute(
                f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )


def downgrade() -> None:
    op.execute("DROP VIEW pareto_front")
    op.execute("DROP VIEW law")
    for table in (
        "scoring_target", "scoring", "event", "ledger", "chat_call", "shortlist", "failure", "group_fit",
        "parameter", "cut_score", "evaluation", "parentage", "candidate", "island", "run",
    ):  # fmt: skip
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change()")
