"""The scheduler of runs: which run starts next, and what follows from the way it ends.

One set of rules for all executors. A run whose worker died or hung is started once more, from its last saved
state. A run that another process is training is tried again later. A failing run does not stop the others;
three failures in a row for one reason do.
"""

import collections
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..errors import LossbenchError, RunError
from ..records import EpochRecord, Observer
from ..runs.config import RunConfig
from ..runs.outcome import STORED, Outcome
from ..runs.result import Status
from ..runs.store import Store

ATTEMPTS = 2
SILENCE_LIMIT = 600.0  # seconds without progress after which the worker of a run counts as hung
BUSY_DELAY = 0.5  # seconds until a run that another process is training is tried again
PAUSE = 0.1  # seconds that a poll may wait for something to happen
STEP_INTERVAL = 0.2  # seconds between two messages of a worker about its steps
EQUAL_FAILURES = 3


class Executor:
    """Trains runs somewhere. It is created with a `ProgressMonitor`, which it reports to during `poll`.
    Here it trains one run at a time, and nothing needs to be done to stop it.

    grace: seconds that running runs have to save their state after `stop`.
    """

    grace = math.inf

    def capacity(self) -> int:
        """How many runs may be submitted and not yet ended, now."""
        return 1

    def submit(self, config: RunConfig, force: bool) -> None:
        """Start a run; `force` deletes what is stored of it."""
        raise NotImplementedError

    def poll(self) -> Iterable[Outcome]:
        """The outcomes of runs that ended, after at most about `PAUSE` seconds.

        Besides the outcomes that a user sees, a run may be BUSY (another process trains it) or have DIED.
        """
        raise NotImplementedError

    def stop(self) -> None:
        """Ask all runs to save their state and end."""

    def kill(self, run_name: str) -> None:
        """End a hung run by force; its outcome is that it DIED."""

    def close(self) -> None:
        """End everything that still runs."""


class ProgressMonitor:
    """Forwards progress to an observer, and knows when each run last made any."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer
        self.last_progress: dict[str, float] = {}
        self.has_started: set[str] = set()

    def note(self, run: str) -> None:
        """The run made progress; from the first call on it must not be silent for too long."""
        self.last_progress[run] = time.monotonic()

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run begins; what was stored before is forgotten where `force` asked for it."""
        self.note(run)
        self.has_started.add(run)
        self.observer.started(run, epochs, steps, done)

    def stepped(self, run: str, steps: int) -> None:
        """Steps were taken."""
        self.note(run)
        self.observer.stepped(run, steps)

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """An epoch is over and saved."""
        self.note(run)
        self.observer.finished_epoch(run, record)

    def warned(self, text: str) -> None:
        """A library or a user's code in a worker process warned."""
        warnings.warn(text, stacklevel=2)

    def pop_silent(self) -> list[str]:
        """The runs that were silent for too long, each returned once."""
        limit = time.monotonic() - SILENCE_LIMIT
        silent = [run for run, moment in self.last_progress.items() if moment < limit]
        for run in silent:
            del self.last_progress[run]
        return silent


class Scheduler:
    """Runs configs on one executor, to the end or until `stop` is true."""

    def __init__(
        self, executor: Executor, monitor: ProgressMonitor, stop: Callable[[], bool], force: bool = False
    ) -> None:
        self.executor, self.monitor, self.stop, self.force = executor, monitor, stop, force
        self.running: dict[str, RunConfig] = {}
        self.attempts: collections.Counter[str] = collections.Counter()
        self.not_before: dict[str, float] = {}
        self.hung: set[str] = set()

    def run(self, configs: Sequence[RunConfig]) -> Iterator[Outcome]:
        """Yield an outcome for each config, in the order of completion; leave nothing running."""
        waiting, deadline = collections.deque(configs), math.inf
        try:
            while self.running or (waiting and not self.stop()):
                self._submit(waiting)
                if self.stop() and deadline == math.inf:
                    deadline = time.monotonic() + self.executor.grace
                    self.executor.stop()
                if time.monotonic() > deadline:
                    return
                for run in self.monitor.pop_silent():
                    self.hung.add(run)
                    self.executor.kill(run)
                if not self.running:
                    time.sleep(PAUSE)  # all that is waiting is trained by other processes
                    continue
                for outcome in self.executor.poll():
                    final = self._final(outcome)
                    if final is None:
                        waiting.append(outcome.config)
                    else:
                        yield final
        finally:
            self.executor.close()

    def _submit(self, waiting: collections.deque[RunConfig]) -> None:
        while not self.stop() and len(self.running) < self.executor.capacity():
            now = time.monotonic()
            config = next((c for c in waiting if self.not_before.get(c.run_name, 0.0) <= now), None)
            if config is None:
                return
            waiting.remove(config)
            run = config.run_name
            self.running[run] = config
            self.attempts[run] += 1
            self.executor.submit(config, self.force and run not in self.monitor.has_started)

    def _final(self, outcome: Outcome) -> Outcome | None:
        """The outcome to report of a run that ended, None when it is to be started again."""
        run = outcome.config.run_name
        del self.running[run]
        self.monitor.last_progress.pop(run, None)
        hung = run in self.hung
        self.hung.discard(run)
        status, message = outcome.status, outcome.message
        if status is Status.BUSY:
            self.not_before[run] = time.monotonic() + BUSY_DELAY
            self.attempts[run] -= 1
            return None
        if status is Status.INTERRUPTED and not self.stop():
            status = Status.DIED  # its worker was stopped from outside
        if status is not Status.DIED:
            return outcome
        if self.attempts[run] < ATTEMPTS:
            return None
        if hung:
            message = f"its worker made no progress for {SILENCE_LIMIT:.0f} s"
        return outcome._replace(status=Status.FAILED, message=message)


def split_stored(
    configs: Iterable[RunConfig], store: Store, force: bool
) -> tuple[list[Outcome], list[RunConfig]]:
    """The outcomes of the runs that need no training, and the configs of the others, each once."""
    outcomes, waiting = [], []
    for config in dict.fromkeys(configs):
        outcome = None if force else stored_outcome(config, store)
        if outcome is None:
            waiting.append(config)
        else:
            outcomes.append(outcome)
    return outcomes, waiting


def stored_outcome(config: RunConfig, store: Store) -> Outcome | None:
    """The outcome of a run that needs no training, None for one that does."""
    try:
        run = store.run(config)
        if (result := run.result()) is not None:
            run.check_code()
    except LossbenchError as error:
        return Outcome(config, Status.FAILED, None, str(error))
    return None if result is None else Outcome(config, result.status, result, STORED)


def stop_after_equal_failures(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    """Pass outcomes on. Three failures in a row for one reason are the machine's fault, not the runs'.

    Raises RunError with the reason then, before any other run starts.
    """
    reasons: collections.deque[str] = collections.deque(maxlen=EQUAL_FAILURES)
    for outcome in outcomes:
        yield outcome
        failed = outcome.status is Status.FAILED
        # a message may contain the name of its run
        reasons.append(outcome.message.replace(outcome.config.run_name, "") if failed else "")
        if failed and reasons.count(reasons[0]) == EQUAL_FAILURES:
            raise RunError(
                f"{EQUAL_FAILURES} runs in a row failed for the same reason, so no other was started: "
                f"{outcome.message}"
            )
