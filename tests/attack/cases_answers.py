"""Attacks by what is given back: objects, shapes, forged frames, and ends that an evaluator does not expect."""

from __future__ import annotations

from tests.attack.case import Case

_HEADER = '{"arrays": [["params/0", [1]]], "values": {}, "failure": null}'
_ENDED = ("exit", "signal", "memory", "error")
_THREAD = ("thread", "alarm")


def _forged(name: str, what: str, data: str, kinds: tuple[str, ...] = ("protocol",), **more: object) -> Case:
    """A frame that is not one, after which the process ends as if all were well."""
    options = {"must_fail": True, "ways": ("lax",), "kinds": kinds, **more}
    return Case(name, what, f"send({data})", **options)  # type: ignore[arg-type]


ANSWERS = (
    Case("os_exit", "ending the process", "os._exit(0)", kinds=_ENDED, ways=_THREAD, fast=True),
    Case("os_exit_77", "ending as a jail that could not be closed ends", "os._exit(77)", kinds=("exit",), ways=_THREAD),
    Case("segfault", "a crash", "ctypes.string_at(0)\nreturn [1.0]", kinds=("signal",), ways=_THREAD, fast=True),
    Case(
        "stack_overflow", "an endless recursion in C", """
        sys.setrecursionlimit(1 << 30)
        class Deep:
            def __getattr__(self, name):
                return getattr(self, name + "x")
        value = []
        for _ in range(10**6):
            value = [value]
        f = lambda: f()
        try:
            repr(value)
        except RecursionError:
            libc.qsort.argtypes = None
            back = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
            held = (ctypes.c_int * 2)()
            def again(a, b):
                libc.qsort(held, 2, 4, call)
                return 0
            call = back(again)
            libc.qsort(held, 2, 4, call)
        return [1.0]""",
        wall=15.0, kinds=_ENDED, ways=_THREAD,
    ),
    Case("abort", "a crash with a core file", "os.abort()", kinds=("signal",), ways=_THREAD),
    Case(
        "sys_exit_in_predict", "leaving in the prediction", "return [1.0]", "raise SystemExit(0)",
        kinds=("exit",), ways=_THREAD, fast=True,
    ),
    Case("nan_predictions", "predictions that are not numbers", "return [1.0]", "return np.full(len(X), np.nan)",
         must_fail=True, kinds=("non-finite",), fast=True),
    Case("inf_predictions", "infinite predictions", "return [1.0]", "return np.full(len(X), np.inf)",
         must_fail=True, kinds=("non-finite",)),
    Case("nan_parameters", "parameters that are not numbers", "return [np.nan]", must_fail=True, kinds=("non-finite",)),
    Case("wrong_shape", "a square where a column is asked for", "return [1.0]", "return np.ones((len(X), len(X)))",
         must_fail=True, kinds=("shape",), fast=True),
    Case("broadcast_shape", "one number for all rows", "return [1.0]", "return np.ones(1)",
         must_fail=True, kinds=("shape",)),
    Case(
        "complex_object", "objects that make every difference zero", "return [1.0]", """
        class Equal:
            def __rsub__(self, other): return 0.0
            def __float__(self): raise ValueError
        return np.array([Equal() for _ in X], dtype=object)""",
        must_fail=True, kinds=("shape",), ways=_THREAD, fast=True,
    ),
    Case("complex_numbers", "complex predictions", "return [1.0]", "return np.full(len(X), 1j)",
         must_fail=True, kinds=("shape",)),
    Case(
        "pickle_reduce", "an object that acts where it is unpickled", "return Trap()", kinds=("shape",),
        top="""
        class Trap:
            def __reduce__(self):
                return (open, (os.path.join(@folder@, @mark@), "w"))
        """, fast=True,
    ),
    Case(
        "array_hook", "an object that acts where it is made an array", "return Trap()",
        top="""
        class Trap:
            def __array__(self, *args, **more):
                open(os.path.join(@folder@, @mark@), "w").close()
                return np.ones(1)
        """, ways=_THREAD, fast=True,
    ),
    Case(
        "array_subclass", "an array whose comparisons and sums lie", "return [1.0]", """
        return np.full(len(X), 2.0).view(Liar)""",
        top="""
        class Liar(np.ndarray):
            def __array_ufunc__(self, ufunc, method, *inputs, **more):
                return np.zeros(len(self))
        """, ways=_THREAD,
    ),
    Case(
        "deep_json_header", "a header nested without end", """
        send(frame(b"[" * 60000 + b"]" * 5000))""",
        must_fail=True, kinds=("protocol",), ways=("lax",), fast=True,
    ),
    Case(
        "forge_result_conn", "a result written into the evaluator's own channel", """
        for file in range(3, 32):
            try:
                os.write(file, b'{"accepted": true, "score": 1.0}\\n')
            except OSError:
                pass
        os._exit(0)""",
        must_fail=True, ways=("thread",), fast=True,
    ),
    Case(
        "forge_result_fds", "bytes into every open file", """
        for file in range(3, 64):
            try:
                os.write(file, b"\\x00\\xff" * 100 + b'\\n{"accepted": true, "score": 1.0}\\n')
            except OSError:
                pass
        return [1.0]""",
        must_fail=True, ways=("thread",),
    ),
    Case(
        "answer_then_spin", "an answer, and no end", """
        for file in range(3, 32):
            try:
                os.write(file, frame({"arrays": [["params/0", [1]]], "values": {}, "failure": None}, bytes(8)))
                os.write(file, b'\\n{"accepted": true, "score": 1.0}\\n')
            except OSError:
                pass
        while True:
            pass""",
        wall=0.5, must_fail=True, kinds=("wall-time",), ways=("thread",),
    ),
    _forged("frame_huge_header", "a header said to have 4 GB", f"frame(b'{_HEADER}', bytes(8), 0xFFFFFFFF)", ways=(),
            uncontrolled="a reader that believes this length reads nothing either"),
    _forged("frame_huge_array", "an array said to have 8 EB",
            "frame({'arrays': [['params/0', [1 << 60]]], 'values': {}, 'failure': None}, bytes(8))", fast=True),
    _forged("frame_overflowing_shape", "a shape whose product overflows 64 bits",
            "frame({'arrays': [['params/0', [1 << 32, 1 << 32]]], 'values': {}, 'failure': None})"),
    _forged("frame_nan_literal", "NaN in the header",
            "frame(b'{\"arrays\": [[\"params/0\", [1]]], \"values\": {\"v\": NaN}, \"failure\": null}', bytes(8))",
            fast=True),
    _forged("frame_duplicate_keys", "one key twice, the second one worse",
            "frame(b'{\"arrays\": [], \"arrays\": [[\"params/0\", [9]]], \"values\": {}, \"failure\": null}', bytes(8))"),
    _forged("frame_duplicate_arrays", "two arrays of one name",
            "frame({'arrays': [['params/0', [1]], ['params/0', [1]]], 'values': {}, 'failure': None}, bytes(16))"),
    _forged("frame_negative_length", "an array of negative length",
            "frame({'arrays': [['params/0', [-1]]], 'values': {}, 'failure': None}, bytes(8))"),
    _forged("frame_fraction_length", "a length that is no whole number",
            "frame({'arrays': [['params/0', [1.0]]], 'values': {}, 'failure': None}, bytes(8))"),
    _forged("frame_trailing_bytes", "bytes after the frame",
            "frame({'arrays': [['params/0', [1]]], 'values': {}, 'failure': None}, bytes(9))", fast=True),
    _forged("frame_two_frames", "two frames in one answer",
            "2 * frame({'arrays': [['params/0', [1]]], 'values': {}, 'failure': None}, bytes(8))"),
    _forged("frame_not_finite", "NaN in the numbers of a forged frame",
            "frame({'arrays': [['params/0', [1]]], 'values': {}, 'failure': None}, struct.pack('<d', float('nan')))",
            ("non-finite",)),
    _forged("frame_other_arrays", "arrays that were not asked for",
            "frame({'arrays': [['evil', [1]]], 'values': {}, 'failure': None}, bytes(8))", ("shape",)),
    _forged("frame_path_name", "an array with a path for a name",
            "frame({'arrays': [['../../x\\x00', [1]]], 'values': {}, 'failure': None}, bytes(8))"),
    _forged("frame_false_failure", "a failure that only the host may tell",
            "frame({'arrays': [], 'values': {}, 'failure': ['jail', 'broken']})"),
    _forged("frame_many_arrays", "more arrays than fit",
            "frame({'arrays': [['params/%d' % k, [0]] for k in range(3000)], 'values': {}, 'failure': None})",
            ("shape",)),
    _forged("frame_big_number", "a whole number of 60,000 digits",
            "frame(b'{\"arrays\": [], \"values\": {\"v\": 1e400, \"w\": ' + b'9' * 4000 + b'}, \"failure\": null}')"),
    Case(
        "law_tampering", "a law that is made to fit: targets and operations rewritten",
        law="""
        law.targets.flat[:] = np.arange(30)
        for name in ("law", "tape"):
            module = sys.modules.get(name)
            if module is not None:
                module.run = lambda *arguments: np.zeros(30)
        type(law).residuals = lambda self, p: np.zeros(30)
        type(law).predictions = lambda self, p: np.zeros((30, 1))
        return [0.0, 0.0, 0.0]""",
        ways=_THREAD, fast=True,
    ),
    Case(
        "terminal", "control sequences for the reader's terminal", """
        print("\\x1b]0;title\\x07\\x1b[2J\\x1b[31mdone\\r\\x9b31m\\u202e")
        raise ValueError("\\x1b[2J\\u202e")""",
        kinds=("error",), fast=True,
    ),
)  # fmt: skip
