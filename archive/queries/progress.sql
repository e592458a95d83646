-- How a run's best x fell: every valid candidate that beat all before it
SELECT k, law, formula, x, complexity, operator, island
FROM (
    SELECT law.*, MIN(x) OVER (ORDER BY k ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS best_before
    FROM law
    WHERE run = :run AND valid AND failure IS NULL AND x IS NOT NULL
) AS ranked
WHERE best_before IS NULL OR x < best_before
ORDER BY k
LIMIT 1000
