"""Lets the fault tests, and the processes that they start, import the helpers of this folder, the pools and the search."""

import sys
from pathlib import Path

for folder in ("", "../workers", "../evolution"):
    sys.path.insert(0, str((Path(__file__).parent / folder).resolve()))
