-- Why candidates of a run failed, most frequent reason first, with one example each
SELECT reason, COUNT(*) AS candidates, MIN(k) AS first_k, MIN(detail) AS example
FROM failure
WHERE run = :run
GROUP BY reason
ORDER BY candidates DESC, reason
