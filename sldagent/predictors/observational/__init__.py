"""Observational scaling laws: capability components of public benchmark scores, and a sigmoid law over them."""
