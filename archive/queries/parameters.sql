-- Fitted values of a law: one row per parameter, group, target and element (laws of the front, choice and short list)
SELECT p.name, p.group_name, p.target, p.member, p.value, p.at_bound
FROM law
JOIN parameter AS p ON p.run = law.run AND p.k = law.k
WHERE law.law = :law
ORDER BY p.name, p.position
LIMIT 10000
