"""Training steps on a GPU: recorded as a CUDA graph, the steps of several runs in one graph.

The training loop does not depend on this module: it calls the function that it was given for a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Generic

import torch
from greenlet import greenlet

from ..records import Result
from .trainer import Trainer

_EAGER_STEPS = 3  # steps before recording, in which libraries choose their algorithms and allocate workspaces


class StepGraph:
    """Takes a step of one or several trainers; `recorded` says whether the last one was a replay.

    The graph has a branch for each trainer, on a stream of its own: what one small network leaves idle on the
    GPU serves the others, and all steps cost one launch. A branch does what the trainer does alone, except
    that all draw from one generator of the device. The graph is recorded again when a trainer comes, ends or
    changes what its step computes, once each has taken some steps that were not recorded. A step that waits
    for the device or depends on its values, as a user's loss may, cannot be recorded and is taken as it is,
    as are all steps on other devices than CUDA.
    """

    def __init__(self) -> None:
        self.recorded = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._streams: dict[Trainer, torch.cuda.Stream] = {}
        self._eager_steps: dict[tuple[Trainer, int], int] = {}
        """Of each trainer, since its step last changed."""
        self._is_tried = False

    def step_one(self, trainer: Trainer) -> None:
        """One step of one trainer: the `run_step` of a Trainer."""
        for error in self.step([trainer]).values():
            raise error

    def step(self, trainers: Sequence[Trainer]) -> dict[Trainer, BaseException]:
        """One step of each trainer (all on one device), and the errors of those whose step failed."""
        if not trainers or trainers[0].device.type != "cuda":
            return _step_each(trainers)
        keys = [(trainer, trainer.step_version) for trainer in trainers]
        if keys != list(self._eager_steps):
            self._eager_steps = {key: self._eager_steps.get(key, 0) for key in keys}
            self._graph, self._is_tried = None, False
            self._streams = {t: self._streams.get(t) or torch.cuda.Stream() for t in trainers}
        if not self._is_tried and min(self._eager_steps.values()) >= _EAGER_STEPS:
            self._graph, self._is_tried = self._record(trainers), True
        self.recorded = self._graph is not None
        if self._graph is not None:
            self._graph.replay()
            return {}
        self._eager_steps = {key: count + 1 for key, count in self._eager_steps.items()}
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
        except BaseException as error:  # user code may raise anything
            errors[trainer] = error
    return errors


class RunGroup(Generic[Result]):
    """Runs that take each step together. Each is a greenlet: a call that can pause, in this same thread.

    With a thread for each run, two changes of the thread in every step took longer than the step.
    """

    def __init__(self) -> None:
        self._graph = StepGraph()
        self._members: list[_Member[Result]] = []

    def __len__(self) -> int:
        """Runs that are not over."""
        return len(self._members)

    def start(self, work: Callable[..., Result]) -> None:
        """Add a run: `work(run_step=...)` trains with that `run_step`, and returns a result."""
        self._members.append(_Member(work))

    def step(self) -> list[Result]:
        """Let every run work until it is due for a step or over, and take the step.

        Returns the results of the runs that are over; raises the error of their `work`.
        """
        over = [member for member in self._members if member.work_on()]
        self._members = [member for member in self._members if member not in over]
        errors = self._graph.step([member.trainer for member in self._members if member.trainer])
        for member in self._members:
            member.error = errors.get(member.trainer) if member.trainer else None
        return [member.result() for member in over]

    def close(self) -> None:
        """End the runs that are not over; what they have not saved is lost."""
        for member in self._members:
            member.error = KeyboardInterrupt()  # any other would count as a failed run
            while not member.work_on():
                pass
        self._members = []


class _Member(Generic[Result]):
    """A run that works during `work_on` only."""

    def __init__(self, work: Callable[..., Result]) -> None:
        self.work = work
        self.trainer: Trainer | None = None
        self.error: BaseException | None = None
        """What its last step raised."""
        self.result: Callable[[], Result]
        """Once it is over: returns its result, or raises the error of its `work`."""
        self._run, self._group = greenlet(self._train), greenlet.getcurrent()

    def work_on(self) -> bool:
        """Let the run work until it is due for a step or over; whether it is over."""
        self._run.switch()
        return bool(self._run.dead)

    def _train(self) -> None:
        future: Future[Result] = Future()
        self.result = future.result
        try:
            future.set_result(self.work(run_step=self._wait_for_step))
        except BaseException as error:
            future.set_exception(error)

    def _wait_for_step(self, trainer: Trainer) -> None:
        """Pause until the step is taken. Raises the error of the trainer's step."""
        self.trainer = trainer
        self._group.switch()
        if self.error is not None:
            raise self.error
