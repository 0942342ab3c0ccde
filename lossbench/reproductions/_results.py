"""The numbers of runs as checks see them."""

import math
from collections.abc import Mapping, Sequence

from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.store import Store
from ._checks import Results

_LEARNED = 0.5
"""The test accuracy above which a run counts as `trained`; chance is 0.1 for ten classes."""


def collect_results(
    configs: Mapping[str, Sequence[RunConfig]], outcomes: Mapping[RunConfig, Outcome], store: Store
) -> Results:
    """The numbers of each run that ended, by group and seed. Raises RunError for damaged files."""
    return {
        group: {
            config.seed: _numbers(outcomes[config], store)
            for config in members
            if config in outcomes and outcomes[config].status in (Status.DONE, Status.DIVERGED)
        }
        for group, members in configs.items()
    }


def _numbers(outcome: Outcome, store: Store) -> dict[str, float]:
    numbers = outcome.numbers
    numbers["trained"] = float(numbers.get("test_accuracy", 0.0) > _LEARNED)
    if outcome.result is not None and outcome.status is Status.DONE:
        losses = [record.loss for record in store.run(outcome.config).epochs()]
        if outcome.result.train_accuracy is not None:
            numbers["train_accuracy"] = outcome.result.train_accuracy
        if losses and all(map(math.isfinite, losses)):
            numbers["smallest_loss"] = min(losses)
    return numbers
