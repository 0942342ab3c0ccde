"""Runs in this process: one after another, or several together on a GPU, a step of each at a time."""

import contextlib
import functools
import traceback
from collections.abc import Callable, Iterator

import torch

from ..errors import Busy, Diverged, Interrupted, LossbenchError, RunError, with_class
from ..records import Observer
from ..runs.config import RunConfig
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..specs.plugins import folder_and_streams_kept
from ..training.cuda_graph import RunGroup
from ..training.process import Placement
from ..training.train import train
from ..training.trainer import RunStep
from .scheduler import Executor


def train_here(
    config: RunConfig,
    store: Store,
    placement: Placement,
    observer: Observer,
    stop: Callable[[], bool],
    force: bool,
    run_step: RunStep | None = None,
) -> Outcome:
    """Train a run to its end; what goes wrong is its outcome."""
    try:
        with folder_and_streams_kept():
            result = train(
                config,
                store,
                placement=placement,
                observer=observer,
                stop=stop,
                force=force,
                run_step=run_step,
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # user code may raise anything
        return outcome_of_error(store.run(config), error)
    return Outcome(config, result.status, result)


@contextlib.contextmanager
def failures_of_own_code(run: RunFolder) -> Iterator[None]:
    """Turns what the loss or network of a user raises into a RunError that names the log of the run."""
    try:
        with folder_and_streams_kept():
            yield
    except (LossbenchError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if not run.config.own_code:
            raise
        raise RunError(f"{run.name}: failed: {outcome_of_error(run, error).message}") from None


def outcome_of_error(run: RunFolder, error: BaseException) -> Outcome:
    """The outcome of a run that raised an error; an unexpected one leaves its traceback in the log."""
    config, message = run.config, str(error)
    if isinstance(error, Diverged):
        return Outcome(config, Status.DIVERGED, run.result(), message)
    if isinstance(error, Interrupted):
        return Outcome(config, Status.INTERRUPTED, None, message)
    if isinstance(error, Busy):
        return Outcome(config, Status.BUSY, None, message)
    status, log_entry = Status.FAILED, f"failed: {message}"
    if not isinstance(error, LossbenchError):
        log_entry = "failed:\n" + "".join(traceback.format_exception(error))
        if _is_out_of_memory(error):
            status = Status.DIED
        message = f"{with_class(error)} (see {run.path / 'log.txt'})"
        with contextlib.suppress(OSError):
            run.path.mkdir(parents=True, exist_ok=True)  # it may have failed before it began
    run.log(log_entry)
    return Outcome(config, status, None, message)


def _is_out_of_memory(error: BaseException) -> bool:
    # torch's allocator of the CPU raises a RuntimeError like any other
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


class InProcessExecutor(Executor):
    """Trains one run at a time, during `poll`; `stop` is asked after every step."""

    def __init__(
        self, store: Store, placement: Placement, observer: Observer, stop: Callable[[], bool]
    ) -> None:
        self.train = functools.partial(
            train_here, store=store, placement=placement, observer=observer, stop=stop
        )
        self.submitted: list[Callable[[], Outcome]] = []

    def submit(self, config: RunConfig, force: bool) -> None:
        """Keep the run until `poll`."""
        self.submitted.append(functools.partial(self.train, config, force=force))

    def poll(self) -> Iterator[Outcome]:
        """Train the run."""
        yield self.submitted.pop()()


class GroupExecutor(InProcessExecutor):
    """Trains up to `size` runs together, a step of each during `poll`: on a GPU in one CUDA graph.

    They may differ in anything; each is, bit for bit on a CPU, what it is alone, and one that fails or
    diverges does not affect the others.
    """

    def __init__(
        self, store: Store, placement: Placement, observer: Observer, stop: Callable[[], bool], size: int
    ) -> None:
        super().__init__(store, placement, observer, stop)
        self.size, self.group = size, RunGroup[Outcome]()

    def capacity(self) -> int:
        """The number of runs that train together."""
        return self.size

    def submit(self, config: RunConfig, force: bool) -> None:
        """Add a run to the group."""
        self.group.start(functools.partial(self.train, config, force=force))

    def poll(self) -> Iterator[Outcome]:
        """Take a step of every run."""
        yield from self.group.step()

    def close(self) -> None:
        """End the runs that are left; what they have not saved is lost."""
        self.group.close()
