"""One step of one or more trainings: recorded as a CUDA graph and replayed, or taken in turn elsewhere.

A graph holds a branch for each training, on a stream of its own: what small networks leave idle on a GPU
serves the others, and a step costs one launch. Each branch is what the training alone would do, so any
loss, network and setting goes together with any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

import torch

_EAGER = 3  # steps before recording, in which libraries choose their algorithms and make their workspaces


class Member(Protocol):
    """A training: its device, a number that changes with what its step does, and the step itself."""

    device: torch.device
    phase: int

    def take_step(self) -> None:
        """Launch one step; on CUDA without waiting for the device."""


class Steps:
    """Takes a step of all members; `recorded` says whether the last one was a replay."""

    def __init__(self) -> None:
        self.recorded = False
        self._graph: torch.cuda.CUDAGraph | None = None
        self._streams: dict[Member, torch.cuda.Stream] = {}
        self._key: list[tuple[Member, int]] = []  # the members themselves: an id may come again
        self._eager = 0

    def take(self, members: Sequence[Member]) -> dict[Member, Exception]:
        """One step of each, and the errors of those that failed; recorded anew when one comes or changes.

        A step that waits for the device or decides by its values, as a user's loss may, cannot be recorded.
        """
        if not members or members[0].device.type != "cuda":
            return _attempts(members)
        key = [(member, member.phase) for member in members]
        if key != self._key:
            self._key, self._graph, self._eager = key, None, 0
            self._streams = {m: self._streams.get(m) or torch.cuda.Stream() for m in members}
        if self._eager == _EAGER:
            self._graph = self._record(members)
        self._eager += 1  # whatever came of it, recording is tried once
        self.recorded = self._graph is not None
        if self._graph is not None:
            self._graph.replay()
            return {}
        return _attempts(self._branches(members))

    def _record(self, members: Sequence[Member]) -> torch.cuda.CUDAGraph | None:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                for member in self._branches(members):
                    member.take_step()
        except RuntimeError:
            torch.cuda.synchronize()
            return None
        return graph

    def _branches(self, members: Sequence[Member]) -> Iterator[Member]:
        """Each member while its own stream, which leaves from the current one and joins it, is current."""
        trunk = torch.cuda.current_stream()
        for member in members:
            self._streams[member].wait_stream(trunk)
            with torch.cuda.stream(self._streams[member]):
                yield member
        for stream in self._streams.values():
            trunk.wait_stream(stream)


def _attempts(members: Iterable[Member]) -> dict[Member, Exception]:
    failures = {}
    for member in members:
        try:
            member.take_step()
        except Exception as error:
            failures[member] = error
    return failures
