"""What differs between generated files for numpy, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sldagent.export.interval import NAMES as INTERVAL_NAMES

GROUP_INDEX = '''
    def _group_index(group):
        """Position of each group's name in GROUPS, in the shape of `group`."""
        if group is None:
            if len(GROUPS) > 1:
                raise ValueError(f"pass group=..., one of {', '.join(GROUPS)}: each has its own parameters")
            return np.zeros((), dtype=int)
        names = np.asarray(group, dtype=object)
        positions = {name: k for k, name in enumerate(GROUPS)}
        for name in names.flat:
            if str(name) not in positions:
                raise ValueError(f"unknown group {name!r}: the law knows {', '.join(GROUPS)}")
        return np.array([positions[str(name)] for name in names.flat], dtype=int).reshape(names.shape)
    '''

_TAKEN = (
    "np",
    "group",
    "GROUPS",
    "TARGETS",
    "RANGES",
    "PARAMETERS",
    "predict",
    "sum",
    "range",
    "len",
    "float",
    "ValueError",
    "_group_index",
    "_sigmoid",
    "_softplus",
    "_smoothmin",
    "_smoothmax",
)


@dataclass(frozen=True)
class Flavour:
    """How a file for one array package is written.  Templates take the text they wrap as ``{}``."""

    module: str
    """Prefix of the package's functions."""
    imports: tuple[str, ...]
    helpers: Mapping[str, str]
    """Functions that the package lacks, by the law's name for them; the file defines those that the law uses."""
    variable: str
    """An argument as an array; may use ``{place}``."""
    parameter: str
    """A row of PARAMETERS as an array; may use ``{place}``."""
    broadcast: str
    """``{0}`` in the shape ``{1}``; may use ``{place}``."""
    result: str
    """What is returned for one target."""
    stack: str
    """A list of targets as the last axis."""
    scalar: str
    """See `sldagent.export.code.Dialect`."""
    lift: str = ""
    """See `sldagent.export.code.Dialect`."""
    quiet: str = ""
    """A context that silences warnings of numbers beyond range, without the colon."""
    place: str = ""
    """Where the arguments ``{}`` live (a device); '' where that has no meaning."""
    settings: tuple[str, ...] = ()
    """Constants of the file that users may change."""
    always: tuple[str, ...] = ()
    """Further functions of the file."""
    intervals: bool = False
    """Whether the file has ``interval`` where the document holds what it needs."""
    names: tuple[str, ...] = ()
    """Further names that neither a variable nor a parameter may hide."""
    taken: tuple[str, ...] = field(init=False)
    """Every name that neither a variable nor a parameter may hide."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "taken", (*_TAKEN, *self.names))

    def call(self, name: str, arguments: tuple[str, ...]) -> str:
        """A function of written arguments."""
        return f"{f'_{name}' if name in self.helpers else f'{self.module}.{name}'}({', '.join(arguments)})"


def _smooth(module: str) -> dict[str, str]:
    return {
        "smoothmin": f'''
        def _smoothmin(x, y, s):
            """-log(exp(-x s) + exp(-y s)) / s."""
            return -{module}.logaddexp(-x * s, -y * s) / s
        ''',
        "smoothmax": f'''
        def _smoothmax(x, y, s):
            """log(exp(x s) + exp(y s)) / s."""
            return {module}.logaddexp(x * s, y * s) / s
        ''',
    }


NUMPY = Flavour(
    module="np",
    imports=("import numpy as np",),
    helpers={
        "sigmoid": '''
        def _sigmoid(x):
            """1 / (1 + exp(-x)) without overflow."""
            e = np.exp(-np.abs(x))
            return np.where(x >= 0, 1 / (1 + e), e / (1 + e))
        ''',
        "softplus": '''
        def _softplus(x):
            """log(1 + exp(x)) without overflow."""
            return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        ''',
        **_smooth("np"),
    },
    variable="np.asarray({}, dtype=float)",
    parameter="{}",
    broadcast="np.broadcast_to({}, {})",
    result="np.array({})[()]",
    stack="np.stack({}, axis=-1)",
    scalar="np.float64",
    quiet='with np.errstate(all="ignore")',
    intervals=True,
    names=INTERVAL_NAMES,
)

JAX = Flavour(
    module="jnp",
    imports=("import jax", "import jax.numpy as jnp", "import numpy as np"),
    helpers={
        "sigmoid": '''
        def _sigmoid(x):
            """1 / (1 + exp(-x)) without overflow."""
            return jax.nn.sigmoid(x)
        ''',
        "softplus": '''
        def _softplus(x):
            """log(1 + exp(x)) without overflow."""
            return jnp.logaddexp(x, 0.0)
        ''',
        **_smooth("jnp"),
    },
    variable="jnp.asarray({}, dtype=float)",
    parameter="jnp.asarray({}, dtype=float)",
    broadcast="jnp.broadcast_to({}, {})",
    result="{}",
    stack="jnp.stack({}, axis=-1)",
    scalar="jnp.asarray",
    names=("jax", "jnp"),
)

TORCH = Flavour(
    module="torch",
    imports=("import numpy as np", "import torch"),
    settings=("DTYPE = torch.float64  # torch.float32 predicts in single precision",),
    helpers={
        "sigmoid": '''
        def _sigmoid(x):
            """1 / (1 + exp(-x)) without overflow."""
            return torch.sigmoid(x)
        ''',
        "softplus": '''
        def _softplus(x):
            """log(1 + exp(x)) without overflow."""
            return torch.logaddexp(x, torch.zeros_like(x))
        ''',
        **_smooth("torch"),
    },
    always=(
        '''
        def _tensor(x, place=None):
            """`x` in the precision of this file, on the device `place`; gradients pass."""
            return torch.as_tensor(x, dtype=DTYPE, device=place)
        ''',
        '''
        def _device(*arguments):
            """The device of the first tensor among the arguments."""
            return next((x.device for x in arguments if isinstance(x, torch.Tensor)), None)
        ''',
    ),
    variable="_tensor({}, {place})",
    parameter="_tensor({}, {place})",
    broadcast="torch.broadcast_to(_tensor({}, {place}), {})",
    result="{}",
    stack="torch.stack({}, dim=-1)",
    scalar="_tensor",
    lift="_tensor",
    place="_device({})",
    names=("torch", "DTYPE", "_tensor", "_device", "isinstance", "next"),
)
