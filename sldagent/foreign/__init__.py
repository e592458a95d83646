"""Program files in SLDAgent's format: two free functions, ``scaling_law_func`` and ``fit_scaling_law``.

They are code of unknown origin.  This package reads and lints them, runs them in the jail, guards their behaviour, scores
them and, where their law can be read off exactly, translates it into the law language.
"""
