"""Training steps on a GPU: recorded as a CUDA graph, those of several runs in one graph.

The training loop does not depend on this module: it calls the function that it was given for a step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import torch

from .trainer import Trainer

_EAGER_STEPS = 3  # steps before recording, in which libraries choose their algorithms and allocate workspaces
Result = TypeVar("Result")


class StepGraph:
    """Takes one step of some trainers at a time; `recorded` says whether the last one was a replay.

    The graph has a branch for each trainer, on a stream of its own: what one small network leaves idle on the
    GPU serves the others, and all steps cost one launch. A branch does what the trainer does alone. The graph
    is recorded again when a trainer comes, ends or changes what its step computes. A step that waits for the
    device or depends on its values, as a user's loss may, cannot be recorded and is taken as it is, as are
    all steps on other devices than CUDA.
    """

    def __init__(self) -> None:
        self.recorded = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._streams: dict[Trainer, torch.cuda.Stream] = {}
        self._key: list[tuple[Trainer, int]] = []
        self._eager_steps = 0

    def step_one(self, trainer: Trainer) -> None:
        """One step of one trainer, as `run_step` of a Trainer."""
        for error in self.step([trainer]).values():
            raise error

    def step(self, trainers: Sequence[Trainer]) -> dict[Trainer, Exception]:
        """One step of each trainer (all on one device), and the errors of those whose step failed."""
        if not trainers or trainers[0].device.type != "cuda":
            return _step_each(trainers)
        key = [(trainer, trainer.step_version) for trainer in trainers]
        if key != self._key:
            self._key, self._graph, self._eager_steps = key, None, 0
            self._streams = {t: self._streams.get(t) or torch.cuda.Stream() for t in trainers}
        if self._eager_steps == _EAGER_STEPS:
            self._graph = self._record(trainers)
        self._eager_steps += 1  # also if recording failed: it is tried once
        self.recorded = self._graph is not None
        if self._graph is not None:
            self._graph.replay()
            return {}
        return _step_each(self._on_streams(trainers))

    def _record(self, trainers: Sequence[Trainer]) -> torch.cuda.CUDAGraph | None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                for trainer in self._on_streams(trainers):
                    trainer.step()
        except RuntimeError:
            torch.cuda.synchronize()
            return None
        return graph

    def _on_streams(self, trainers: Sequence[Trainer]) -> Iterator[Trainer]:
        """Each trainer while its own stream is current, which forks from the current one and joins it."""
        main = torch.cuda.current_stream()
        for trainer in trainers:
            self._streams[trainer].wait_stream(main)
            with torch.cuda.stream(self._streams[trainer]):
                yield trainer
        for stream in self._streams.values():
            main.wait_stream(stream)


def _step_each(trainers: Iterable[Trainer]) -> dict[Trainer, Exception]:
    errors = {}
    for trainer in trainers:
        try:
            trainer.step()
        except Exception as error:
            errors[trainer] = error
    return errors


class _Closed(BaseException):
    """Ends a run whose group is closed; no Exception, so that it is not taken for a failed run."""


class RunGroup(Generic[Result]):
    """Runs that train in threads of their own and take each step together.

    The thread that enters the group launches all steps. Only one thread works at a time, the one that holds
    the lock: torch's random state and the recording of a graph belong to the whole process.
    """

    def __init__(self) -> None:
        self._graph = StepGraph()
        self._lock = threading.RLock()
        self._may_continue = threading.Condition(self._lock)  # for the runs
        self._all_wait = threading.Condition(self._lock)  # for the thread that launches
        self._threads: list[threading.Thread] = []
        self._waiting: dict[threading.Thread, Trainer] = {}
        self._errors: dict[Trainer, Exception] = {}
        self._results: list[Result] = []
        self._failure: BaseException | None = None
        self._closed = False

    def __len__(self) -> int:
        """Runs that are not over."""
        return len(self._threads)

    def __enter__(self) -> RunGroup[Result]:
        self._lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        """End the runs that are not over; what they have not saved is lost."""
        self._closed = True
        self._waiting.clear()
        self._may_continue.notify_all()
        self._all_wait.wait_for(lambda: not self._threads)
        self._lock.release()

    def start(self, work: Callable[..., Result]) -> None:
        """Start a run: `work(run_step=...)` trains with that `run_step` and returns a result."""
        thread = threading.Thread(target=self._work, args=(work,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def step(self) -> list[Result]:
        """Wait until each run is due for a step or over, take the steps; the results of those that are over.

        Raises what `work` of a run raised.
        """
        self._all_wait.wait_for(lambda: len(self._waiting) == len(self._threads))
        if self._failure is not None:
            raise self._failure
        self._errors = self._graph.step([self._waiting[thread] for thread in self._threads])
        self._waiting.clear()
        self._may_continue.notify_all()
        results, self._results = self._results, []
        return results

    def _work(self, work: Callable[..., Result]) -> None:
        with self._lock:
            try:
                result = work(run_step=self._wait_for_step)
                self._results.append(result)
            except _Closed:
                pass
            except BaseException as error:
                self._failure = error
            self._threads.remove(threading.current_thread())
            self._all_wait.notify()

    def _wait_for_step(self, trainer: Trainer) -> None:
        """Let the others work until the step of all is taken. Raises the error of the trainer's step."""
        thread = threading.current_thread()
        if not self._closed:
            self._waiting[thread] = trainer
            self._all_wait.notify()
            self._may_continue.wait_for(lambda: thread not in self._waiting)
        if self._closed:
            raise _Closed
        if trainer in self._errors:
            raise self._errors[trainer]
