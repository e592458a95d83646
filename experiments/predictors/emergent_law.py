# ruff: noqa: F821
def law(PC1, PC2, PC3, o, v, u, a, m):
    return sigmoid(o + v*PC2 + u*PC3 - exp(a*(m - PC1)))

parameters = {
    "o": real(start=(-3, 3)),
    "v": real(start=(-3.37, 3.37)),
    "u": real(start=(-8.13, 8.13)),
    "a": interval(0, 6.91, start=(0.115, 2.3)),
    "m": real(start=(-1.38, 1.44)),
}

recipe = fit(loss="squared", space="raw", starts=16)
