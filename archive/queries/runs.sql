-- The newest runs with their recommended law
SELECT r.run, r.task, r.status, r.mode, r.seed, r.started, r.seconds, r.candidates, r.failures, law.law AS choice, law.formula, law.x, law.complexity
FROM run AS r
LEFT JOIN law ON law.run = r.run AND law.k = r.choice
ORDER BY r.started DESC, r.run DESC
LIMIT 50
