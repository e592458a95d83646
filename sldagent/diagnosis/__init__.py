"""What a table and a fitted law look like in numbers: where the law fails, and what the rows say instead.

One concern per module; `study` puts them together.  Everything is computed from training rows alone, and what leaves a
module is an aggregate: no row's target is repeated.
"""

from sldagent.diagnosis.promise import Outcome, Promise, kept, parse_promise, vocabulary
from sldagent.diagnosis.study import LawStudy, Study

__all__ = ["LawStudy", "Outcome", "Promise", "Study", "kept", "parse_promise", "vocabulary"]
