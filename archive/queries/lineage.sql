-- All ancestors of a law, nearest first, with the operator that made each
WITH RECURSIVE ancestor(run, k, generation) AS (
    SELECT run, k, 0 FROM law WHERE law = :law
    UNION
    SELECT p.run, p.parent, a.generation + 1
    FROM ancestor AS a
    JOIN parentage AS p ON p.run = a.run AND p.k = a.k
    WHERE a.generation < 1000
)
SELECT MIN(a.generation) AS generation, law.law, law.operator, law.x, law.complexity, law.formula
FROM ancestor AS a
JOIN law ON law.run = a.run AND law.k = a.k
GROUP BY law.k, law.law, law.operator, law.x, law.complexity, law.formula
ORDER BY generation, law.k
LIMIT 1000
