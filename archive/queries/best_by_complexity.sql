-- The best valid law of each complexity in a run
SELECT complexity, law, formula, x, x_se, mdl
FROM (
    SELECT law.*, ROW_NUMBER() OVER (PARTITION BY complexity ORDER BY x, k) AS place
    FROM law
    WHERE run = :run AND valid AND failure IS NULL AND x IS NOT NULL AND complexity IS NOT NULL
) AS ranked
WHERE place = 1
ORDER BY complexity
LIMIT 100
