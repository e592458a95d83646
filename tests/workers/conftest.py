"""Lets the tests, and the worker processes that they start, import the helper modules of this folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
