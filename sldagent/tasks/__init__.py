"""Tasks: tables of experiments with roles, read and checked, and the cuts that judge extrapolation."""
