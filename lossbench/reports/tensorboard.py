"""Runs as TensorBoard sees them: numbers while they are trained; figure and features when they are done.

They are in the run's folder, in tensorboard/, so that `tensorboard --logdir results/runs` shows every run.
"""

from __future__ import annotations

import contextlib
import math
import shutil
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..errors import LossbenchError, UsageError, first_line
from ..figures import displayable
from ..files import refuse_links, writing
from ..records import EpochRecord, Observer
from ..runs.config import RunConfig
from ..runs.run_folder import RunFolder
from ..runs.store import Store
from ..runs.stored_run import StoredRun
from .figure_files import compose_figure, render_pixels

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FEATURES = 2000
"""Test features of the projector, evenly from the split: as many as its browser page turns smoothly."""
_SPRITE = 64
"""Pixels of the longer side of an image in the projector, which takes pictures of 8,192 pixels for all."""


class Tracker:
    """An observer that writes each epoch's numbers as they come, and passes everything on to another."""

    def __init__(self, observer: Observer, store: Store, data_dir: Path | None = None) -> None:
        _tensorboard()  # before any training
        self.observer, self.store, self.data_dir = observer, store, data_dir
        self.stepped = observer.stepped
        self.writers: dict[str, SummaryWriter] = {}
        self.problems: list[str] = []
        """A sentence for each run whose files could not all be written at its end."""

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, where: TracebackType | None) -> None:
        for run in list(self.writers):
            self._close(run)

    def started(self, run: str, epochs: int, steps: int, done: int) -> None:
        """A run begins, or continues: its folder starts empty, so that no point is there twice."""
        self.observer.started(run, epochs, steps, done)
        self._close(run)
        folder = self.store.find(run)
        self.writers[run] = _writer(folder)
        for record in folder.epochs()[: done // steps]:
            _write_numbers(self.writers[run], record)
        self.writers[run].flush()

    def finished_epoch(self, run: str, record: EpochRecord) -> None:
        """An epoch is over."""
        self.observer.finished_epoch(run, record)
        _write_numbers(self.writers[run], record)
        self.writers[run].flush()

    def complete(self, config: RunConfig, *, trained: bool = True) -> None:
        """This run is done, now (`trained`) or long ago: everything is written from what it stored.

        What fails is a problem beside the result. Raises LossbenchError where nothing was trained.
        """
        self._close(config.run_name)
        try:
            write_tensorboard(StoredRun(self.store.run(config), self.data_dir))
        except Exception as error:  # Matplotlib and its fonts fail in many ways; the other runs go on
            if isinstance(error, LossbenchError) and not trained:
                raise
            self.problems.append(
                f"{config.run_name}: TensorBoard's files are incomplete ({first_line(error)})."
            )

    def _close(self, run: str) -> None:
        if run in self.writers:
            self.writers.pop(run).close()


def write_tensorboard(run: StoredRun) -> Path:
    """Write all of a stored run, in place of what was there. Returns the folder.

    Each epoch has the time at which it ended. Raises UsageError without TensorBoard, RunError where the
    folder cannot be written, DataError where the images cannot be read.
    """
    began = datetime.fromisoformat(run.result.finished).timestamp()
    began -= sum(record.seconds for record in run.epochs)
    with _writer(run.folder) as writer:
        for record in run.epochs:
            began += record.seconds
            _write_numbers(writer, record, began)
        last = run.epochs[-1].epoch
        tested = run.splits["test"]
        indices = np.linspace(0, len(tested.labels) - 1, min(FEATURES, len(tested.labels))).astype(int)
        writer.add_embedding(
            torch.from_numpy(_in_space(tested.features[indices])),
            metadata=[run.class_names[label] for label in tested.labels[indices]],
            label_img=_sprites(run.images("test")[indices]),
            global_step=last,
            tag="test features",
        )
        picture = render_pixels(compose_figure("features", [run]))
        writer.add_image("features", picture, last, began, dataformats="HWC")
    return run.folder.path / "tensorboard"


def _write_numbers(writer: SummaryWriter, record: EpochRecord, moment: float | None = None) -> None:
    numbers = {"loss/total": record.loss}
    numbers |= {f"loss/{term}": value for term, value in record.terms.items()}
    numbers |= {"learning rate": record.learning_rate, "validation/accuracy": record.val_accuracy}
    numbers |= {"validation/spread": record.spread, "validation/gap": record.gap}
    for name, value in numbers.items():
        if math.isfinite(value):
            writer.add_scalar(name, value, record.epoch, moment)


def _in_space(features: np.ndarray) -> np.ndarray:
    """Features (N, D) padded with zeros to three dimensions, as the projector shows no fewer."""
    return np.pad(features, ((0, 0), (0, max(0, 3 - features.shape[1]))))


def _sprites(images: np.ndarray) -> torch.Tensor:
    """Images (N, C, H, W) uint8 as the projector's pictures (N, 1 or 3, h, w), from 0 to 1."""
    pictures = displayable(images, _SPRITE)
    channels = pictures[:, None] if pictures.ndim == 3 else np.moveaxis(pictures, -1, 1)
    return torch.from_numpy(np.ascontiguousarray(channels)) / 255


def _writer(run: RunFolder) -> SummaryWriter:
    """A writer into the run's folder, emptied; the folder itself stays, as TensorBoard may be watching it."""
    folder = run.path / "tensorboard"
    refuse_links(run.path)
    with writing(folder):
        folder.mkdir(exist_ok=True)
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        return _tensorboard()(folder)


def _tensorboard() -> type[SummaryWriter]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise UsageError(
            "TensorBoard's files need TensorBoard: pip install 'lossbench[tensorboard]'."
        ) from None
    return SummaryWriter
