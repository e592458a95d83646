-- The choice of a run, cut by cut: error on held-out rows beside that on the rows that fitted it (ln MSE)
SELECT s.cut, s.variable, s.target, s.rows, s.log_mse AS extrapolation, s.kept_log_mse AS interpolation
FROM run AS r
JOIN cut_score AS s ON s.run = r.run AND s.k = r.choice
WHERE r.run = :run
ORDER BY s.position
