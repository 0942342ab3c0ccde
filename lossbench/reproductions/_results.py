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
            begin = math.ceil(_soft_start(outcome.config) * len(losses))
            numbers["smallest_loss"] = min(losses[begin:] or losses[-1:])
    return numbers


def _soft_start(config: RunConfig) -> float:
    """The part of the training in which the loss is not yet that of the paper, see losses/_soft_start.py."""
    return max(2 * float(dict(term.settings).get("soft_start", 0)) for term in config.terms)
