"""Runs on a Ray cluster, one core task each; no file system is shared.

A task gets the run's state and the data out of Ray's object store, trains in a temporary folder of its
node, and returns the files, which are written here; the last saved state comes back on the way. This
process holds the lock of every run that is away. What dies with its node is tried once more elsewhere.
"""

from __future__ import annotations

import collections
import contextlib
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..data import from_arrays
from ..errors import Busy, LossbenchError, RunError, first_line
from ..protocols import Observer
from ..records import EpochRecord, SplitSpec
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.store import RunFolder, Store
from ..training.process import Placement
from ._cluster import Cluster, Share, connected, difference, imported, versions
from ._outcomes import data_of, run_here, sorted_out, stored, while_there_is_hope

_ATTEMPTS = 2
_PAUSE = 0.1  # seconds between two looks at the mailbox
_STEP_MESSAGES = 0.2  # seconds between two messages about steps
_STATE_MESSAGES = 5.0  # seconds between two states on their way home
_QUEUED = 4  # tasks beyond those that fit, so that no node waits for the next one
_AT_MOST = 400  # tasks in flight: each holds a lock, which is an open file
_GRACE = 20.0  # seconds for the nodes to finish their step and send the state


def run_all(
    configs: Sequence[RunConfig],
    store: Store,
    *,
    placement: Placement,
    share: Share,
    address: str | None,
    workers: int,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool = False,
) -> Iterator[Outcome]:
    """Train what is not complete and yield an outcome for each config, in the order of completion.

    As `local.run_all`; at most `workers` at a time (0: as many as fit). Nothing is connected to when all
    is stored. Raises what `connected` raises, and RunError for a node with other versions.
    """
    finished, waiting = sorted_out(configs, store, force)
    yield from while_there_is_hope(finished)
    if waiting:
        imported()
        data = data_of(waiting, placement.data_dir)
        with connected(address, share) as cluster:
            sweep = Sweep(cluster, store, cluster.put(data), placement, workers, observer, stop, force)
            yield from while_there_is_hope(sweep.run(waiting))


class _Away(NamedTuple):
    """A run that is away, and what gives its lock back."""

    run: RunFolder
    lock: contextlib.ExitStack


class Sweep:
    """Runs in flight, each by the reference to its task's result."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        data: Mapping[SplitSpec, Any],
        placement: Placement,
        workers: int,
        observer: Observer,
        stop: Callable[[], bool],
        force: bool,
    ) -> None:
        self.cluster, self.ray, self.store, self.data = cluster, cluster.ray, store, data
        self.placement = placement._replace(data_dir=None, threads=cluster.share.cpus)
        if placement.device == "auto" and not cluster.share.gpus:
            self.placement = self.placement._replace(device="cpu")
        self.workers, self.observer, self.stop, self.force = workers, observer, stop, force
        self.box, self.room, self.looked = uuid.uuid4().hex, 0, 0.0
        self.away: dict[Any, _Away] = {}
        self.begun: set[str] = set()
        self.attempts: collections.Counter[RunConfig] = collections.Counter()
        share = {"num_cpus": cluster.share.cpus, "num_gpus": cluster.share.gpus}
        # a second attempt is for us to make: it starts from the state that came home
        self.task = self.ray.remote(_train).options(max_retries=0, **share)

    def run(self, configs: Sequence[RunConfig]) -> Iterator[Outcome]:
        """Yield the outcomes; leave no task behind, however this ends."""
        waiting, stopping_since = collections.deque(configs), None
        try:
            while self.away or (waiting and not self.stop()):
                while waiting and not self.stop() and len(self.away) < self._room():
                    outcome = self._send(waiting.popleft())
                    if outcome is not None and outcome.status is Status.BUSY:
                        waiting.append(outcome.config)
                        break  # it is looked at again after the others
                    if outcome is not None:
                        yield outcome
                if self.stop() and stopping_since is None:
                    stopping_since = time.monotonic()
                    self._recall()
                if stopping_since is not None and time.monotonic() - stopping_since > _GRACE:
                    return
                for task in self._ready():
                    away = self.away.pop(task)
                    with away.lock:
                        outcome = self._receive(task, away.run)
                    if outcome.status is Status.DIED:
                        if self.attempts[outcome.config] < _ATTEMPTS:
                            waiting.append(outcome.config)
                            continue
                        outcome = outcome._replace(status=Status.FAILED)
                    yield outcome
        finally:
            for task, away in self.away.items():
                self.ray.cancel(task, force=True)
                away.lock.close()
            self.cluster.mailbox.close.remote(self.box)

    def _room(self) -> int:
        """How many tasks may be in flight; nodes come and go."""
        if time.monotonic() - self.looked > 1:
            self.room, self.looked = max(1, self.cluster.slots()) + _QUEUED, time.monotonic()
        return min(self.workers or _AT_MOST, self.room, _AT_MOST)

    def _send(self, config: RunConfig) -> Outcome | None:
        """Send a run to the cluster; its outcome where it needs not or cannot go."""
        run, lock = self.store.run(config), contextlib.ExitStack()
        try:
            lock.enter_context(run.lock())
            if self.force and not self.attempts[config]:
                run.clear()
            elif (finished := stored(config, self.store)) is not None:
                lock.close()
                return finished
            files = run.pack()
        except LossbenchError as error:
            lock.close()
            if isinstance(error, Busy):
                return Outcome(config, Status.BUSY, None, str(error))
            run.log(f"failed: {error}")
            return Outcome(config, Status.FAILED, None, str(error))
        self.attempts[config] += 1
        parcel = _Parcel(config, self.placement, files, str(self.store.root), self.box, versions())
        task = self.task.remote(parcel, self.cluster.mailbox, self.data[config.split_spec])
        self.away[task] = _Away(run, lock)
        return None

    def _recall(self) -> None:
        """Tell the nodes to save and send; what has not begun need not."""
        self._hear()
        for task, away in self.away.items():
            if away.run.name not in self.begun:
                self.ray.cancel(task)

    def _ready(self) -> list[Any]:
        """Tasks that are over, after a moment's wait; what they said before is heard first."""
        tasks = list(self.away)
        if not tasks:
            time.sleep(_PAUSE)
        elif self.ray.wait(tasks, timeout=_PAUSE)[0]:
            tasks = self.ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]
        else:
            tasks = []
        self._hear()
        return tasks

    def _hear(self) -> None:
        """Pass on what runs in flight have said, and tell them whether to stop."""
        runs = {away.run.name: away.run for away in self.away.values()}
        try:
            messages = self.ray.get(self.cluster.mailbox.collect.remote(self.box, self.stop()))
        except self.ray.exceptions.RayError as error:
            raise RunError(f"The connection to the Ray cluster is lost: {first_line(error)}") from None
        for kind, name, *content in messages:
            if name not in runs:
                continue  # of an attempt whose node was given up
            if kind == "begun":
                self.begun.add(name)
            elif kind == "files":
                runs[name].unpack(*content)
            elif kind != "over":
                if kind == "started":
                    runs[name].begin()
                getattr(self.observer, kind)(name, *content)

    def _receive(self, task: Any, run: RunFolder) -> Outcome:
        """The outcome of a task that is over, its files written."""
        begun, errors = run.name in self.begun, self.ray.exceptions
        self.begun.discard(run.name)
        try:
            outcome: Outcome
            outcome, files = self.ray.get(task)
            run.unpack(files)
        except errors.RayError as error:
            # a task that is cancelled while its worker comes up fails in many ways
            if isinstance(error, errors.TaskCancelledError) or (self.stop() and not begun):
                return Outcome(run.config, Status.INTERRUPTED, None, f"{run.name} had not begun.")
            if not isinstance(error, errors.RayTaskError):
                return Outcome(run.config, Status.DIED, None, f"its node or worker died: {first_line(error)}")
            if isinstance(error, ImportError | AttributeError):  # as it is raised where a module is not
                raise RunError(f"A node of the Ray cluster lacks this lossbench: {_cause(error)}.") from None
            return Outcome(run.config, Status.FAILED, None, f"its node could not train it: {_cause(error)}")
        except LossbenchError as error:  # the files cannot be written
            return Outcome(run.config, Status.FAILED, None, str(error))
        if outcome.status is Status.MISMATCH:
            raise RunError(outcome.message)
        return outcome


class _Parcel(NamedTuple):
    """What a task is told: the run, its files so far, and whom to report to."""

    config: RunConfig
    placement: Placement
    files: Mapping[str, bytes]
    home: str
    box: str
    versions: Mapping[str, str]


def _train(parcel: _Parcel, mailbox: Any, data: Any) -> tuple[Outcome, dict[str, bytes]]:
    """A run on the node that this is called on: its outcome and its files."""
    if told := difference(parcel.versions):
        return Outcome(parcel.config, Status.MISMATCH, None, told), {}
    with tempfile.TemporaryDirectory(prefix="lossbench-") as folder:
        store = Store(Path(folder))
        run = store.run(parcel.config)
        line = _Line(mailbox, parcel.box, run)
        if line.tell("begun"):
            return Outcome(parcel.config, Status.INTERRUPTED, None, f"{run.name} had not begun."), {}
        run.unpack(parcel.files)
        here = parcel.placement._replace(splits=from_arrays(data))
        outcome = run_here(parcel.config, store, here, line, line.stop, False)
        line.tell("over")
        return outcome._replace(message=outcome.message.replace(folder, parcel.home)), run.pack()


class _Line:
    """The observer on a node: reports home, and hears in reply whether to stop."""

    def __init__(self, mailbox: Any, box: str, run: RunFolder) -> None:
        self.ray, self.mailbox, self.box, self.run = imported(), mailbox, box, run
        self.reply: Any = None
        self.stopping, self.stepped_at, self.saved_at = False, 0.0, 0.0

    def stop(self) -> bool:
        """Whether to stop, as of the last reply."""
        return self.stopping

    def tell(self, kind: str) -> bool:
        """Say something of the run and wait for the reply: whether to stop."""
        with contextlib.suppress(self.ray.exceptions.RayError):
            self.reply = self._post(kind, self.run.name)
            self.stopping = self.ray.get(self.reply)
        return self.stopping

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        self.reply = self._post("started", run, epochs, steps, done)

    def stepped(self, run: str, steps: int) -> None:
        if time.monotonic() - self.stepped_at < _STEP_MESSAGES:
            return
        self.stepped_at = time.monotonic()
        if self.ray.wait([self.reply], timeout=0)[0]:  # else the last one is still on its way
            with contextlib.suppress(self.ray.exceptions.RayError):
                self.stopping = self.ray.get(self.reply)
            self.reply = self._post("stepped", run, steps)

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        if not self.saved_at or time.monotonic() - self.saved_at > _STATE_MESSAGES:
            self.saved_at = time.monotonic()
            self._post("files", run, self.run.pack())
        self.reply = self._post("finished_epoch", run, record)

    def _post(self, *message: object) -> Any:
        return self.mailbox.post.remote(self.box, *message)


def _cause(error: Any) -> str:
    return f"{type(error.cause).__name__}: {error.cause}"
