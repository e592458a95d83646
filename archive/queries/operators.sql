-- What each operator of a run made: children, failures, and children better than all their parents
WITH best_parent AS (
    SELECT p.run, p.k, MIN(e.x) AS x
    FROM parentage AS p
    JOIN evaluation AS e ON e.run = p.run AND e.k = p.parent
    WHERE p.run = :run
    GROUP BY p.run, p.k
)
SELECT law.operator,
       COUNT(*) AS children,
       SUM(CASE WHEN law.failure IS NOT NULL THEN 1 ELSE 0 END) AS failures,
       SUM(CASE WHEN law.valid AND law.failure IS NULL AND law.x < best_parent.x THEN 1 ELSE 0 END) AS improvements,
       MIN(CASE WHEN law.valid AND law.failure IS NULL THEN law.x END) AS best_x
FROM law
LEFT JOIN best_parent ON best_parent.run = law.run AND best_parent.k = law.k
WHERE law.run = :run
GROUP BY law.operator
ORDER BY improvements DESC, children DESC, law.operator
