"""Broken neural scaling laws (Caballero et al., arXiv 2210.14891) and the learning curves M1-M4 beside them."""
