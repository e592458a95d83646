"""Sloth, skills scaling laws (Maia Polo et al., arXiv 2412.06540), and the baselines of its paper."""
