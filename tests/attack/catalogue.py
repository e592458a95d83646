"""Every attack by name."""

from __future__ import annotations

from tests.attack.case import Case
from tests.attack.cases_answers import ANSWERS
from tests.attack.cases_kernel import KERNEL
from tests.attack.cases_load import LOAD
from tests.attack.cases_network import NETWORK
from tests.attack.cases_reading import READING
from tests.attack.cases_staying import STAYING

CASES: dict[str, Case] = {case.name: case for case in (*READING, *NETWORK, *LOAD, *ANSWERS, *KERNEL, *STAYING)}
"""Names are unique."""
