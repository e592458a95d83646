"""How fast and how reliably the engine fits: one module per table; ``python -m experiments.benchmarks.fitting``."""
