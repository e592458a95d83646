-- The Pareto front of a run: laws that no simpler law beats
SELECT law, formula, x, x_se, complexity, mdl, scalars, operator, chosen
FROM pareto_front
WHERE run = :run
ORDER BY complexity, x
