"""Runs on a Ray cluster, one task each; no file system is shared.

A task gets the run's state and the data from Ray's object store, trains in a temporary folder of its node,
and returns the files, which are written here. The last saved state is sent back during training. This
process holds the lock of every run that it submitted.
"""

import contextlib
import socket
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..data import from_arrays
from ..errors import LossbenchError, RunError, UsageError, first_line, with_class
from ..records import EpochRecord, SplitSpec
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.run_folder import RunFolder, differing
from ..runs.store import Store
from ..training.process import Placement
from ._cluster import Cluster, check_versions, import_ray, versions
from .in_process import outcome_of_error, train_here
from .scheduler import PAUSE, STEP_INTERVAL, Executor, ProgressMonitor, stored_outcome

_STATE_INTERVAL = 5.0  # seconds between two states sent back during training
_QUEUED = 4  # tasks beyond those that fit, so that no node waits for the next one
_MAX_TASKS = 400  # submitted at a time: each holds a lock, which is an open file


@dataclass(eq=False)
class _Submitted:
    """A run whose task was submitted, what releases its lock, and whether a node has begun it."""

    run: RunFolder
    lock: contextlib.ExitStack
    has_begun: bool = False


class RayExecutor(Executor):
    """Trains each run as a task on a cluster; at most `workers` at a time (0: as many as fit)."""

    grace = 20.0  # seconds for the nodes to finish a step and send the state

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        splits: Mapping[SplitSpec, Any],
        placement: Placement,
        monitor: ProgressMonitor,
        workers: int = 0,
    ) -> None:
        self.cluster, self.ray, self.store, self.splits = cluster, cluster.ray, store, splits
        options = cluster.options
        self.placement = placement._replace(data_dir=None, threads=options.cpus)
        if placement.device == "auto" and not options.gpus:
            self.placement = self.placement._replace(device="cpu")
        self.monitor, self.workers = monitor, workers
        self.queue, self.stopping = uuid.uuid4().hex, False
        self.slots, self.slots_counted_at = 0, 0.0
        self.submitted: dict[Any, _Submitted] = {}
        self.unsubmitted: list[Outcome] = []
        # the scheduler makes the second attempt: it starts from the state that was sent back
        resources = {"max_retries": 0, "num_cpus": options.cpus, "num_gpus": options.gpus}
        self.task = self.ray.remote(_train).options(**resources)
        # a worker keeps what it imported: user code, which may be edited, gets one of its own
        self.own_code_task = self.ray.remote(max_calls=1)(_train).options(**resources)

    def capacity(self) -> int:
        """How many tasks may be submitted; nodes come and go."""
        if time.monotonic() - self.slots_counted_at > 1:
            self.slots, self.slots_counted_at = max(1, self.cluster.slots()), time.monotonic()
        return min(self.workers or _MAX_TASKS, self.slots + _QUEUED, _MAX_TASKS)

    def submit(self, config: RunConfig, force: bool) -> None:
        """Lock a run and submit its task; `poll` returns the outcome of one that need not or cannot run."""
        run, lock = self.store.run(config), contextlib.ExitStack()
        try:
            lock.enter_context(run.lock())
            if force:
                run.clear()
            elif (outcome := stored_outcome(config, self.store)) is not None:
                lock.close()
                self.unsubmitted.append(outcome)
                return
            files, code = run.pack(), run.code_digests()
            if "resume.pt" not in files:
                files |= run.pack_initial()
        except LossbenchError as error:
            lock.close()
            self.unsubmitted.append(outcome_of_error(run, error))
            return
        results = str(self.store.root)
        task_input = _TaskInput(config, self.placement, files, results, self.queue, versions(), code)
        submitted = self.own_code_task if code else self.task
        task = submitted.remote(task_input, self.cluster.queues, self.splits[config.split_spec])
        self.submitted[task] = _Submitted(run, lock)

    def poll(self) -> Iterator[Outcome]:
        """Pass on the messages that arrived, then return the outcomes of tasks that ended."""
        yield from self.unsubmitted
        self.unsubmitted = []
        ended, tasks = [], list(self.submitted)
        if tasks and self.ray.wait(tasks, timeout=PAUSE)[0]:
            ended = self.ray.wait(tasks, num_returns=len(tasks), timeout=0)[0]
        self._take_messages()
        for task in ended:
            submitted = self.submitted.pop(task)
            with submitted.lock:
                outcome = self._outcome(task, submitted)
            yield outcome

    def stop(self) -> None:
        """Tell the nodes to save and send the state; cancel what has not begun."""
        self.stopping = True
        self._take_messages()
        for task, submitted in self.submitted.items():
            if not submitted.has_begun:
                self.ray.cancel(task)

    def kill(self, run_name: str) -> None:
        """Kill the worker of a task."""
        for task, submitted in self.submitted.items():
            if submitted.run.name == run_name:
                self.ray.cancel(task, force=True)

    def close(self) -> None:
        """Cancel all tasks and release the locks."""
        for task, submitted in self.submitted.items():
            self.ray.cancel(task, force=True)
            submitted.lock.close()
        self.cluster.queues.close.remote(self.queue)

    def _take_messages(self) -> None:
        """Pass on what tasks have sent, and tell them whether to stop."""
        by_name = {submitted.run.name: submitted for submitted in self.submitted.values()}
        try:
            messages = self.ray.get(self.cluster.queues.take.remote(self.queue, self.stopping))
        except self.ray.exceptions.RayError as error:
            raise RunError(f"The connection to the Ray cluster is lost: {first_line(error)}") from None
        for kind, name, *content in messages:
            if name not in by_name:
                continue  # from an attempt whose node was given up
            if kind == "begun":
                by_name[name].has_begun = True
                self.monitor.note(name)
            elif kind == "files":
                by_name[name].run.unpack(*content)
            elif kind != "ended":
                if kind == "started":
                    by_name[name].run.begin()
                getattr(self.monitor, kind)(name, *content)

    def _outcome(self, task: Any, submitted: _Submitted) -> Outcome:
        """The outcome of a task that ended, its files written."""
        run = submitted.run
        try:
            outcome: Outcome
            outcome, files = self.ray.get(task)
            run.unpack(files)
        except self.ray.exceptions.RayError as error:
            return self._failure(error, submitted)
        except LossbenchError as error:  # the files cannot be written
            return Outcome(run.config, Status.FAILED, None, str(error))
        return outcome

    def _failure(self, error: Any, submitted: _Submitted) -> Outcome:
        """The outcome of a task without a result. Raises RunError for a node where no run can train."""
        run, errors = submitted.run, self.ray.exceptions
        if self.stopping and not submitted.has_begun:
            # a task that is cancelled while its worker starts fails in many ways
            return Outcome(run.config, Status.INTERRUPTED, None, f"{run.name} had not begun.")
        if not isinstance(error, errors.RayTaskError):
            return Outcome(run.config, Status.DIED, None, f"its node or worker died: {first_line(error)}")
        cause: BaseException = error.cause
        reason = with_class(cause)
        if isinstance(cause, RunError):  # its versions
            raise RunError(str(cause)) from None
        if isinstance(cause, ImportError | AttributeError):  # raised where a module is missing
            raise RunError(
                f"A node of the Ray cluster does not have this version of lossbench: {reason}."
            ) from None
        return Outcome(run.config, Status.FAILED, None, f"its node could not train it: {reason}")


class _TaskInput(NamedTuple):
    """What a task is given: the run, its files so far, the results folder of its user, its message queue,
    the versions and the digests of the user's code that its node must have."""

    config: RunConfig
    placement: Placement
    files: Mapping[str, bytes]
    results: str
    queue: str
    versions: Mapping[str, str]
    code: Mapping[str, str]


def _train(task_input: _TaskInput, queues: Any, arrays: Any) -> tuple[Outcome, dict[str, bytes]]:
    """Train a run on the node that this is called on; its outcome and its files."""
    check_versions(task_input.versions)
    with tempfile.TemporaryDirectory(prefix="lossbench-") as folder:
        store = Store(Path(folder))
        run = store.run(task_input.config)
        reporter = _Reporter(queues, task_input.queue, run)
        if reporter.send_and_wait("begun"):
            return Outcome(run.config, Status.INTERRUPTED, None, f"{run.name} had not begun."), {}
        if problem := _code_problem(run, task_input.code):
            return Outcome(run.config, Status.FAILED, None, problem), {}
        run.unpack(task_input.files)
        placement = task_input.placement._replace(splits=from_arrays(arrays))
        outcome = train_here(run.config, store, placement, reporter, reporter.stop, False)
        reporter.send_and_wait("ended")
        message = outcome.message.replace(folder, task_input.results)
        return outcome._replace(message=message), run.pack()


def _code_problem(run: RunFolder, code: Mapping[str, str]) -> str:
    """Why this node cannot run the user code of a run; empty where it can."""
    node = f"Node {socket.gethostname()}"
    try:
        here = run.code_digests()
    except UsageError as error:
        return f"{node}: {error}"
    changed = differing(code, here)
    if not changed:
        return ""
    return f"{node} has other code of {', '.join(changed)} than this process; copy it to all nodes."


class _Reporter:
    """The observer on a node: sends progress, and learns from each reply whether to stop."""

    def __init__(self, queues: Any, queue: str, run: RunFolder) -> None:
        self.ray, self.queues, self.queue, self.run = import_ray(), queues, queue, run
        self.reply: Any = None
        self.stopping, self.last_step_message, self.last_state_message = False, 0.0, 0.0

    def stop(self) -> bool:
        """Whether to stop, according to the last reply."""
        return self.stopping

    def send_and_wait(self, kind: str) -> bool:
        """Send a message about the run and wait for the reply: whether to stop."""
        with contextlib.suppress(self.ray.exceptions.RayError):
            self.reply = self._send(kind, self.run.name)
            self.stopping = self.ray.get(self.reply)
        return self.stopping

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        self.reply = self._send("started", run, epochs, steps, done)

    def stepped(self, run: str, steps: int) -> None:
        if time.monotonic() - self.last_step_message < STEP_INTERVAL:
            return
        self.last_step_message = time.monotonic()
        if self.ray.wait([self.reply], timeout=0)[0]:  # else the last message is still on its way
            with contextlib.suppress(self.ray.exceptions.RayError):
                self.stopping = self.ray.get(self.reply)
            self.reply = self._send("stepped", run, steps)

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        if not self.last_state_message or time.monotonic() - self.last_state_message > _STATE_INTERVAL:
            self.last_state_message = time.monotonic()
            self._send("files", run, self.run.pack())
        self.reply = self._send("finished_epoch", run, record)

    def _send(self, *message: object) -> Any:
        return self.queues.put.remote(self.queue, *message)
