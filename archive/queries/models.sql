-- What each language model was asked for in a run, what came of it, and what it cost
SELECT model,
       operator,
       COUNT(*) AS asked,
       SUM(CASE WHEN outcome = 'program' THEN 1 ELSE 0 END) AS programs,
       SUM(CASE WHEN kept IS NOT NULL THEN 1 ELSE 0 END) AS promises,
       SUM(CASE WHEN kept THEN 1 ELSE 0 END) AS kept,
       SUM(tokens) AS tokens,
       SUM(usd) AS usd
FROM proposal
WHERE run = :run
GROUP BY model, operator
ORDER BY model, asked DESC, operator
