# ruff: noqa: F821
def law(step, E, A, alpha):
    return E + A*step**-alpha

parameters = {
    "E": positive(),
    "A": real(),
    "alpha": positive(scope="shared"),
}

recipe = fit(loss="squared", space="log", starts=16)

