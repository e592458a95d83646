"""Fitting laws to rows; import from the submodules (`public`, `fit`, `warm`), which load numba only when used."""
