"""What an evaluation yields: plain frozen values that the archive stores and the choice rule reads."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Failure:
    """Why a candidate has no usable evaluation.  `reason` is one of `REASONS`; `detail` is one sentence."""

    reason: str
    detail: str = ""


REASONS = (
    "duplicate",  # same canonical form as an earlier candidate
    "same-predictions",  # same behavioural fingerprint as an earlier candidate at equal or lower complexity
    "parse",  # text outside the language
    "limits",  # too many parameters, or too large a tree
    "non-finite",  # no start gave finite predictions
    "time",  # hit the cap in seconds
    "program",  # fitting code of its own failed, or gave something that cannot be used
    "guard",  # a program file whose prediction is no function of one row and its parameters
    "worker",  # the worker died
)


@dataclass(frozen=True)
class CutScore:
    """Error of one law on one cut and target.

    `log_mse` is ln of the mean squared held-out residual in units of the training standard deviation of that group and
    target; `kept_log_mse` the same on the rows that fitted it (interpolation).  Non-finite predictions give +inf.
    """

    cut: str
    variable: str
    target: str
    rows: int
    log_mse: float
    kept_log_mse: float


@dataclass(frozen=True)
class Evaluation:
    """A program judged on one task's training rows."""

    x: float = np.inf
    """Extrapolation error X: weighted mean over cuts and targets of ln(held-out MSE); lower is better."""
    x_se: float = np.inf
    """Bootstrap standard error of X over held-out cells."""
    mdl: float = np.inf
    """Description length in nats of the fit to all training rows."""
    complexity: float = np.inf
    """C of the law as defined in the README: tree + 2 per fitted parameter + 2 per literal."""
    tree: int = 0
    scalars: int = 0
    """Fitted scalars per group (array parameters by element over variables, not over targets)."""
    valid: bool = False
    invalid_reason: str = ""
    train_r2: float = -np.inf
    """R2 on training rows; shown, never used to choose."""
    rank_deficient: int = 0
    """Directions of the parameter space that the rows do not determine (0: well determined)."""
    at_bounds: tuple[str, ...] = ()
    """Parameters whose fitted value lies on a declared bound."""
    parameters: dict[str, FloatArray] = field(default_factory=dict)
    """Fitted values by parameter name; leading axis: groups (length 1 for shared), then targets and vector elements
    where the law indexes them."""
    cuts: tuple[CutScore, ...] = ()
    x_boot: FloatArray = field(default_factory=lambda: np.zeros(0))
    """X on common bootstrap resamples of the held-out cells: differences between laws are paired."""
    fingerprint: str = ""
    """Hash of rounded predictions on a probe grid."""
    evaluations: int = 0
    """Residual evaluations spent."""
    seconds: float = 0.0
    failure: Failure | None = None
    fitted_by: str = "engine"
    """Who found the parameters: ``engine``, ``custom`` (the program's own code, jailed) or ``custom+polish``."""
    feedback: str = ""
    """What that code printed and raised: stripped, capped, marked untrusted."""
