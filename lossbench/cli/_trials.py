"""What the searches of `lossbench tune` share: trials in threads, their progress, the objective."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..records import Result
from ..specs.quantities import parse_metrics
from ._options import Request
from ._output import print_message
from ._progress import RunDisplay

if TYPE_CHECKING:
    from ..experiments.search_space import SeveralLosses, StudyConfig
    from ..runs.store import Store


def in_threads(
    request: Request,
    config: StudyConfig | SeveralLosses,
    store: Store,
    jobs: int | None,
    most: int,
    search: Callable[..., Result],
) -> Result:
    """Call `search` in one thread, or in one for each of the trials, at most `most`, that run at a time."""
    from ..engines import open_trainer
    from ..experiments.trials import TrialWorker
    from ..runs.store import Store
    from ..training.process import StopRequest

    placement = request.placement
    store = Store(store.root.absolute())  # the start of a worker changes the working directory for a moment
    with ExitStack() as stack:
        trainer = open_trainer(config.default_run, engine=request.engine, placement=placement, workers=jobs)
        train, at_once = stack.enter_context(trainer)
        at_once = min(at_once, most)
        stop = stack.enter_context(StopRequest().watching())
        display = stack.enter_context(RunDisplay(total_runs=0))
        errors: list[BaseException] = []

        def work(_: int) -> Result | None:
            bars = _TrialBars(display)
            try:
                worker = TrialWorker(placement, bars, lambda: stop() or bool(errors), bars.report, train)
                return search(store, worker)
            except BaseException as error:
                errors.append(error)  # the other threads stop, too
                return None

        results = [work(0)] if at_once == 1 else list(ThreadPoolExecutor(at_once).map(work, range(at_once)))
    if errors:
        raise errors[0]
    assert results[0] is not None
    return results[0]


class _TrialBars:
    """The bars of one trial at a time: when it ends they disappear, and a line stays."""

    def __init__(self, display: RunDisplay) -> None:
        self.display, self.runs = display, list[str]()
        self.stepped, self.finished_epoch = display.stepped, display.finished_epoch

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run of the trial begins."""
        self.runs.append(run)
        self.display.started(run, epochs, steps, done)

    def report(self, text: str) -> None:
        """The trial has ended."""
        for run in self.runs:
            self.display.close(run)
        self.runs.clear()
        print_message(text)


def objective(metric: str) -> str:
    """The one metric of a search. Raises UsageError."""
    names = parse_metrics(metric, unseen=False)
    if len(names) > 1 or names[0] == "test_accuracy":
        raise UsageError(f"--metric {metric}: tuning takes one metric, and never looks at the test split.")
    return names[0]
