"""Every error that a user can cause, under one root.

The command line turns any `SldagentError` into one sentence on standard error and exit code 2
(`RunFailed`: 4); anything else is a defect.
A message names the file, row, column or key at fault and the way out.
"""


class SldagentError(Exception):
    """Root of all errors a user can cause."""


class TableError(SldagentError):
    """A table cannot be read or used: missing column, text in a number column, non-finite value, no rows."""


class CardError(SldagentError):
    """A task card is malformed: unknown key, wrong type, contradictory roles."""


class LawError(SldagentError):
    """A law's text is not in the language.

    Attributes:
        line, column: 1-based position of the offending text where known, else None.
    """

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        where = "" if line is None else f" (line {line}, column {column})"
        super().__init__(f"{message}{where}")
        self.line = line
        self.column = column


class FitError(SldagentError):
    """A law cannot be bound to a task's rows: unknown variable, too few rows, log of a non-positive target."""


class ArchiveError(SldagentError):
    """The archive cannot be opened, written or understood, or holds no such run or law."""


class ArchiveUnavailable(ArchiveError):
    """The archive's database server does not answer; what was committed before is safe."""


class RunFailed(SldagentError):
    """A run that had begun could not go on; what it has is safe, and it can be resumed (exit code 4)."""


class ExportError(SldagentError):
    """A law cannot be exported as asked."""


class PlanError(SldagentError):
    """A plan cannot be made as asked: unknown name, no optimum in the bounds, a target that the law never reaches."""


class ConfigError(SldagentError):
    """A configuration or option has an unknown key or a value out of range."""


class JailUnavailable(SldagentError):
    """Untrusted code cannot be run safely on this host."""


class ChatError(SldagentError):
    """A language model cannot be asked, or gave no usable answer."""
