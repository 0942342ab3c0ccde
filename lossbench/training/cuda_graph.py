"""Training steps on a GPU: recorded as a CUDA graph, the steps of several runs in one graph.

The training loop does not depend on this module: it calls the function that it was given for a step.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

import torch

from .trainer import Trainer

_EAGER_STEPS = 3  # steps before recording, in which libraries choose their algorithms and allocate workspaces
Result = TypeVar("Result")


class StepGraph:
    """Takes a step of one or several trainers; `recorded` says whether the last one was a replay.

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
        """One step of one trainer: the `run_step` of a Trainer."""
        for error in self.step([trainer]).values():
            raise error

    def step(self, trainers: Sequence[Trainer]) -> dict[Trainer, BaseException]:
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


def _step_each(trainers: Iterable[Trainer]) -> dict[Trainer, BaseException]:
    errors: dict[Trainer, BaseException] = {}
    for trainer in trainers:
        try:
            trainer.step()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # code of a user may raise anything
            errors[trainer] = error
    return errors


class RunGroup(Generic[Result]):
    """Runs that train in threads of their own and take each step together.

    The thread that created the group launches all steps. Only the thread that holds the lock works: torch's
    random state and the recording of a graph belong to the whole process.
    """

    def __init__(self) -> None:
        self._graph = StepGraph()
        self._lock = threading.RLock()
        self._lock.acquire()
        self._step_taken = threading.Condition(self._lock)
        self._all_due = threading.Condition(self._lock)
        self._due: dict[threading.Thread, Trainer | None] = {}  # the trainer, when it waits for a step
        self._errors: dict[Trainer, BaseException] = {}
        self._over: list[Future[Result]] = []
        self._closed = False

    def __len__(self) -> int:
        """Runs that are not over."""
        return len(self._due)

    def start(self, work: Callable[..., Result]) -> None:
        """Start a run: `work(run_step=...)` trains with that `run_step`, and returns a result."""
        thread = threading.Thread(target=self._work, args=(work,), daemon=True)
        self._due[thread] = None
        thread.start()

    def step(self) -> list[Result]:
        """Wait until every run is due for a step or over, and take the step.

        Returns the results of the runs that are over; raises the error of their `work`.
        """
        self._all_due.wait_for(lambda: all(self._due.values()))
        self._errors = self._graph.step([trainer for trainer in self._due.values() if trainer])
        self._due = dict.fromkeys(self._due)
        self._step_taken.notify_all()
        over, self._over = self._over, []
        return [future.result() for future in over]

    def close(self) -> None:
        """End the runs that are not over; what they have not saved is lost."""
        self._closed = True
        self._step_taken.notify_all()
        self._all_due.wait_for(lambda: not self._due)
        self._lock.release()

    def _work(self, work: Callable[..., Result]) -> None:
        future: Future[Result] = Future()
        with self._lock:
            try:
                future.set_result(work(run_step=self._wait_for_step))
            except BaseException as error:
                future.set_exception(error)
            self._over.append(future)
            del self._due[threading.current_thread()]
            self._all_due.notify()

    def _wait_for_step(self, trainer: Trainer) -> None:
        """Let the other threads work until the step is taken. Raises the error of the trainer's step."""
        thread = threading.current_thread()
        self._due[thread] = trainer
        self._all_due.notify()
        self._step_taken.wait_for(lambda: self._closed or self._due[thread] is None)
        if self._closed:
            raise KeyboardInterrupt  # any other would count as a failed run
        if trainer in self._errors:
            raise self._errors[trainer]
