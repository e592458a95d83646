-- The newest runs with their recommended law
SELECT r.run, r.task, r.status, r.mode, r.seed, r.started, r.seconds, r.candidates, r.failures,
       r.run || '-' || CAST(r.choice AS VARCHAR) AS choice, c.formula, e.x, e.complexity
FROM run AS r
LEFT JOIN candidate AS c ON c.run = r.run AND c.k = r.choice
LEFT JOIN evaluation AS e ON e.run = r.run AND e.k = r.choice
ORDER BY r.started DESC, r.run DESC
LIMIT 50
