"""Fronts, counts and guards that stay fast and whole with millions of candidates.

* `evaluation.usable` marks what may be on a front, so that an index holds just that, in the front's order.
* The view `pareto_front` steps through that index: of each complexity it reads one row, the best.
* `run` counts its candidates and failures while the run lasts.
* On PostgreSQL finished candidates are guarded against TRUNCATE too.

Version 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

GUARDED = (
    "candidate", "parentage", "evaluation", "cut_score", "group_fit", "failure", "event", "reference", "reference_cut",
    "proposal", "origin", "seed_program",
)  # fmt: skip

USABLE = """
UPDATE evaluation SET usable = TRUE
WHERE valid AND x IS NOT NULL AND complexity IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM failure AS f WHERE f.run = evaluation.run AND f.k = evaluation.k)
"""

COUNTS = """
UPDATE run SET candidates = (SELECT COUNT(*) FROM candidate AS c WHERE c.run = run.run),
               failures = (SELECT COUNT(*) FROM failure AS f WHERE f.run = run.run)
WHERE status = 'running'
"""

# A skip-scan: from the best law of one complexity to the best of the next, so that a run costs as many look-ups in the
# index as it has complexities.  `bound` is the lowest x before (NULL: none); a law below it is on the front.
STEPS = """
WITH RECURSIVE step(k, complexity, x, bound) AS (
    SELECT e.k, e.complexity, e.x, CAST(NULL AS DOUBLE PRECISION)
    FROM evaluation AS e
    WHERE e.run = r.run AND e.k = (
        SELECT b.k FROM evaluation AS b WHERE b.run = r.run AND b.usable
        ORDER BY b.complexity, b.x, b.k LIMIT 1
    )
    UNION ALL
    SELECT e.k, e.complexity, e.x, CASE WHEN step.bound IS NULL OR step.x < step.bound THEN step.x ELSE step.bound END
    FROM step
    JOIN evaluation AS e ON e.run = r.run AND e.k = (
        SELECT b.k FROM evaluation AS b WHERE b.run = r.run AND b.usable AND b.complexity > step.complexity
        ORDER BY b.complexity, b.x, b.k LIMIT 1
    )
)
"""

# SQLite has no LATERAL, but the argument of a table-valued function may refer to the tables before it; its CROSS JOIN
# keeps the order of tables as written, which is the point here.
STEPPING = {
    "sqlite": f"json_each(({STEPS} SELECT json_group_array(k) FROM step WHERE bound IS NULL OR x < bound)) AS s",
    "postgresql": f"LATERAL ({STEPS} SELECT k AS value FROM step WHERE bound IS NULL OR x < bound) AS s",
}

# The columns of the view `law`, without the view: its tables would be joined in another order.
PARETO_FRONT = """
CREATE VIEW pareto_front AS
SELECT c.run || '-' || CAST(c.k AS VARCHAR) AS law,
       c.run, c.k, c.formula,
       e.x, e.x_se, e.complexity, e.mdl, e.tree, e.scalars,
       e.valid, e.invalid_reason, f.reason AS failure, f.detail AS failure_detail,
       e.train_r2, e.rank_deficient,
       c.operator, c.island, c.structure, e.evaluations, e.seconds,
       COALESCE(r.choice = c.k, FALSE) AS chosen,
       c.note, c.source
FROM run AS r
CROSS JOIN {stepping}
CROSS JOIN candidate AS c
CROSS JOIN evaluation AS e
LEFT JOIN failure AS f ON f.run = c.run AND f.k = c.k
WHERE c.run = r.run AND c.k = s.value AND e.run = r.run AND e.k = s.value
"""

PARETO_FRONT_BEFORE = """
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


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    op.execute("DROP VIEW pareto_front")
    op.add_column("evaluation", sa.Column("usable", sa.Boolean(), nullable=False, server_default=sa.false()))
    unguarded(dialect, USABLE)
    op.execute(COUNTS)
    op.drop_index("ix_evaluation_run_complexity_x", "evaluation")
    op.create_index(
        "ix_evaluation_front", "evaluation", ["run", "complexity", "x", "k"],
        sqlite_where=sa.text("usable"), postgresql_where=sa.text("usable"),
    )
    op.execute(PARETO_FRONT.format(stepping=STEPPING[dialect]))
    if dialect == "postgresql":
        for table in GUARDED:
            op.execute(
                f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )


def unguarded(dialect: str, statement: str) -> None:
    """Change rows of `evaluation`, which its triggers refuse; they are back when this returns."""
    if dialect == "sqlite":
        found = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'evaluation_no_update'"
        trigger = op.get_bind().exec_driver_sql(found).scalar_one()
        op.execute("DROP TRIGGER evaluation_no_update")
        op.execute(statement)
        op.execute(trigger)
    else:
        op.execute("ALTER TABLE evaluation DISABLE TRIGGER evaluation_no_change")
        op.execute(statement)
        op.execute("ALTER TABLE evaluation ENABLE TRIGGER evaluation_no_change")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table in GUARDED:
            op.execute(f"DROP TRIGGER {table}_no_truncate ON {table}")
    op.execute("DROP VIEW pareto_front")
    op.drop_index("ix_evaluation_front", "evaluation")
    op.drop_column("evaluation", "usable")
    op.create_index("ix_evaluation_run_complexity_x", "evaluation", ["run", "complexity", "x"])
    op.execute(PARETO_FRONT_BEFORE)
