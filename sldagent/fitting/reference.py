"""The numpy tape interpreter of the jail's guest, loaded from its own stand-alone file so that host and guest share it."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

from sldagent.resources import shipped

_NAME = "sldagent_guest_tape"


def load_reference() -> ModuleType:
    """The module ``sandbox/tape.py``."""
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(_NAME, shipped("sandbox") / "tape.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = module
        spec.loader.exec_module(module)
    return sys.modules[_NAME]


reference = load_reference()
