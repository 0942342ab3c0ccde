"""Runs on a Ray cluster that are asked for one at a time, by a search that waits for each before the next."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ..errors import Diverged, Interrupted, RunError
from ..protocols import Observer
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import RunResult, Status
from ..runs.store import Store
from ..training.process import Placement
from ._cluster import Share, connected, imported
from ._outcomes import data_of, stored
from .ray import Sweep

_ERRORS = {Status.DIVERGED: Diverged, Status.INTERRUPTED: Interrupted}
Train = Callable[..., RunResult]


@contextlib.contextmanager
def training_on_ray(
    config: RunConfig, placement: Placement, share: Share, address: str | None
) -> Iterator[tuple[Train, int]]:
    """`running.train` on a cluster, for runs on the data of `config`, and how many fit there at once.

    It may be called by so many threads, each with an observer and a wish to stop of its own. Raises what
    `ray.run_all` raises.
    """
    imported()
    data = data_of([config], placement.data_dir)
    with connected(address, share) as cluster:
        kept = cluster.put(data)

        def train(
            config: RunConfig,
            store: Store,
            *,
            placement: Placement,
            observer: Observer,
            stop: Callable[[], bool],
        ) -> RunResult:
            if (outcome := stored(config, store)) is not None:
                return _result(outcome)
            sweep = Sweep(cluster, store, kept, placement, 1, observer, stop, False)
            found = list(sweep.run([config]))
            return _result(
                found[0] if found else Outcome(config, Status.INTERRUPTED, None, "It had not begun.")
            )

        yield train, cluster.slots()


def _result(outcome: Outcome) -> RunResult:
    """The result, or the error that training here would have raised."""
    if outcome.status in _ERRORS:
        raise _ERRORS[outcome.status](outcome.message)
    if outcome.result is None:
        raise RunError(outcome.message)
    return outcome.result
