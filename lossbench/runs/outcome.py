"""The outcome of a run in a command that asked for it."""

from typing import NamedTuple

from .config import RunConfig
from .result import RunResult, Status


class Outcome(NamedTuple):
    """A run's status, its result where it has one, and the reason where it has none.

    The message of a run that was not trained because its result was stored is `STORED`.
    """

    config: RunConfig
    status: Status
    result: RunResult | None = None
    message: str = ""

    @property
    def numbers(self) -> dict[str, float]:
        """All finite numbers of the result of a run that is done, by name; empty for any other."""
        return self.result.numbers if self.result is not None and self.status is Status.DONE else {}


STORED = "stored"
