"""The training loop.

Under one seed every loss starts from the same network, and losses with the same sampler see the same batches
in the same order. A step touches no file and does not wait for the device: losses are read once an epoch.
"""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Literal

import torch
from torch import Tensor

from .. import __version__
from ..data import SPLIT_SEED, augment, epoch_batches, load_splits, normalize, on_device, under_conditions
from ..errors import Interrupted, RunError, UsageError, first_line
from ..optimizers import Optimizer
from ..randomness import Randomness
from ..records import EpochRecord, Observer
from ..runs.config import dataset_spec
from ..runs.model import build, check_features, check_terms, load_initial, model_bytes
from ..runs.result import RunResult, Status
from ..runs.run_folder import RunFolder
from ..schedules import Schedule
from ..specs import NO_AUGMENTATION, catalog
from .checkpoint import load_state, state_bytes
from .device import autocast, describe_machine, resolve_device, resolve_precision
from .evaluation import Evaluator
from .process import Placement
from .snapshots import SnapshotRecorder

_AUGMENTED_EPOCHS = 0.75  # of the epochs; the rest fits the images as they are, which is more accurate
_INTERRUPTED = "{} was interrupted; the same command continues it."
RunStep = Callable[["Trainer"], None]
"""Takes one step of the trainer, usually by calling its `step`."""


class Trainer:
    """Trains one run: its modules, its optimizer, and its progress.

    `run_step` is called for each step; the default calls `step`. `stop` is asked after each step.
    """

    def __init__(
        self,
        run: RunFolder,
        placement: Placement,
        observer: Observer,
        stop: Callable[[], bool],
        run_step: RunStep = lambda trainer: trainer.step(),
    ) -> None:
        self.run, self.config, self.observer, self.stop = run, run.config, observer, stop
        self.run_step = run_step
        self.device = resolve_device(placement.device)
        self.precision = resolve_precision(self.config.precision, self.device)
        splits = placement.splits or load_splits(self.config.split_spec, placement.data_dir, self.device)
        splits = under_conditions(splits, self.config.training_conditions, self.config.seed)
        self.splits = on_device(splits, self.device)
        self.images = self.splits.train.images  # of the epoch; the same memory for all epochs
        if self.config.augment != NO_AUGMENTATION:
            self.images = self.images.clone()
        self.steps_per_epoch = len(self.splits.train.labels) // self.config.batch_size
        if not self.steps_per_epoch:
            p, k = self.config.classes_per_batch, self.config.samples_per_class
            size = f"--classes-per-batch {p} times --samples-per-class {k}" if k else "--batch-size"
            raise UsageError(
                f"{size}{' =' if k else ''} {self.config.batch_size} is more than the "
                f"{len(self.splits.train.labels)} training images there are."
            )
        network, loss = build(self.config)
        if self.config.init and run.read_bytes("resume.pt") is None:
            load_initial(network, run.initial_model() or b"", self.config)
        self.network = network.to(self.device).to(memory_format=torch.channels_last)
        self.loss = loss.to(self.device)
        self.loss.set_class_counts(torch.bincount(self.splits.train.labels, minlength=self.config.classes))
        options = {name: value for name, value in self._options("optimizers").items() if name != "lr"}
        self.optimizer: Optimizer = catalog.load("optimizers", self.config.optimizer)(
            self.network, self.loss, lr_scale=self.config.lr_scales, device=self.device, **options
        )
        self.schedule: Schedule = functools.partial(
            catalog.load("schedules", self.config.schedule), **self._options("schedules")
        )
        self.random = Randomness(self.config.seed, "training")
        self.evaluator = Evaluator(self.network, self.loss, self.splits, self.config, self.precision)
        self.snapshots = SnapshotRecorder(self.evaluator, self.steps_per_epoch, placement.snapshots)
        self.epoch = 0  # epochs that are over
        self.batch = 0  # batches of the current epoch that are done
        self.records: list[EpochRecord] = []
        self.seconds = self.epoch_seconds = 0.0
        self.step_version = 0  # changes when `step` computes something else than before
        self.batch_indices = torch.zeros(self.config.batch_size, dtype=torch.int64, device=self.device)
        self.loss_sums = torch.zeros(1 + len(self.config.terms), device=self.device)
        """Over the steps of the epoch: the loss, and each of its terms."""

    def train(self) -> RunResult:
        """Train to the end, evaluate and store. Raises Interrupted once the state is saved."""
        self._resume()
        self.observer.started(self.run.name, self.config.epochs, self.steps_per_epoch, self.steps_done)
        self.snapshots.record(self.steps_done)
        for epoch in range(self.epoch, self.config.epochs):
            batches = self._batches(epoch)
            self.network.train()
            self.loss.train()
            began = time.perf_counter() - self.epoch_seconds
            self._augment(epoch)
            for indices in batches[self.batch :]:
                self._set_progress(self.steps_done / (self.config.epochs * self.steps_per_epoch))
                self.batch_indices.copy_(indices)
                self.run_step(self)
                self.batch += 1
                self.snapshots.record(self.steps_done)
                self.observer.stepped(self.run.name, self.steps_done)
                if self.stop() and self.batch < self.steps_per_epoch:
                    self.epoch_seconds = time.perf_counter() - began
                    self._save()
                    raise Interrupted(_INTERRUPTED.format(self.run.name))
            record = self._evaluate_epoch(began)
            if not math.isfinite(record.loss):
                return self._store_diverged(record.epoch)
            self.records.append(record)
            self.epoch, self.batch, self.epoch_seconds = epoch + 1, 0, 0.0
            self.loss_sums.zero_()
            self._save()
            self.run.log(f"epoch {record.epoch}: loss {record.loss:.5f}, val {record.val_accuracy:.4f}")
            self.observer.finished_epoch(self.run.name, record)
            if self.stop() and self.epoch < self.config.epochs:
                raise Interrupted(_INTERRUPTED.format(self.run.name))
        return self._store_done()

    def step(self) -> None:
        """One step on the training images `batch_indices` (B,); on CUDA without waiting for the device."""
        pixels = self.images.index_select(0, self.batch_indices)
        images = normalize(pixels, dataset_spec(self.config.dataset))
        labels = self.splits.train.labels.index_select(0, self.batch_indices)
        with self.random:
            with autocast(self.device, self.precision):
                features = check_features(self.network(images), len(labels), self.config)
                features = features.float()  # a network from outside may stay in bf16
            terms = self.loss.terms(features, labels)
        check_terms(self.loss, terms, features, first=self.steps_done == 0)
        total = self.loss.total(terms)
        total.backward()
        self.optimizer.step()
        self.loss_sums += torch.stack([total.detach(), *(term.detach() for term in terms)])

    @property
    def steps_done(self) -> int:
        """Steps since the beginning of the training."""
        return self.epoch * self.steps_per_epoch + self.batch

    def _options(self, kind: Literal["optimizers", "schedules"]) -> dict[str, Any]:
        """The values of the options that the run's optimizer or schedule has, by name."""
        name = self.config.optimizer if kind == "optimizers" else self.config.schedule
        return {option: getattr(self.config, option) for option in catalog.spec(kind, name).options}

    def _batches(self, epoch: int) -> Tensor:
        """Indices (steps, B) of the training images of each step."""
        return epoch_batches(
            self.splits.train.labels,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            epoch=epoch,
            classes_per_batch=self.config.classes_per_batch,
            samples_per_class=self.config.samples_per_class,
        ).to(self.device)

    def _augment(self, epoch: int) -> None:
        """Set the images of the epoch: changed ones, and at the end of training those of the data set."""
        if self.config.augment == NO_AUGMENTATION:
            return
        changed = epoch < _AUGMENTED_EPOCHS * self.config.epochs
        names = self.config.augment if changed else NO_AUGMENTATION
        self.images.copy_(augment(self.splits.train.images, names, seed=self.config.seed, epoch=epoch))

    def _set_progress(self, progress: float) -> None:
        """Set what depends on the fraction of the training that is done: learning rate, soft start."""
        self.optimizer.set_rate(self.config.lr * self.schedule(progress))
        self.step_version += self.loss.advance(progress)

    def _evaluate_epoch(self, began: float) -> EpochRecord:
        """Means over the epoch that began at this time, and the metrics of the validation split."""
        means = (self.loss_sums / self.steps_per_epoch).tolist()  # waits for the device
        self.epoch_seconds = time.perf_counter() - began
        validation = self.evaluator.validate()
        self.seconds += time.perf_counter() - began
        return EpochRecord(
            epoch=self.epoch + 1,
            learning_rate=float(self.optimizer.rate),
            loss=means[0],
            terms=dict(zip(self.loss.names, means[1:], strict=True)),
            seconds=self.epoch_seconds,
            images_per_second=self.steps_per_epoch * self.config.batch_size / self.epoch_seconds,
            **validation,
        )

    def _store_done(self) -> RunResult:
        """Evaluate the trained network and store features, snapshots, weights and, last, the result."""
        self.loss.advance(1)
        embeddings = self.evaluator.evaluate()
        directions = {name: self.loss.directions(name) for name in ("weight", "bias", "centers")}
        self.run.write_features(
            embeddings, {name: d.float().cpu().numpy() for name, d in directions.items() if d is not None}
        )
        self.run.write_snapshots(self.snapshots.result())
        self._store_model()
        result = self._result(Status.DONE, **self.evaluator.results(embeddings))
        self.run.write_result(result)
        return result

    def _store_diverged(self, epoch: int) -> RunResult:
        """Store the weights before this epoch, where there are any, and a result of the epochs before it."""
        if (content := self.run.read_bytes("resume.pt")) is not None:
            self._restore(content)
            self._store_model()
        val_accuracy = self.records[-1].val_accuracy if self.records else None
        result = self._result(Status.DIVERGED, epoch=epoch, val_accuracy=val_accuracy)
        self.run.write_result(result)
        self.run.log(f"diverged in epoch {epoch}")
        return result

    def _store_model(self) -> None:
        self.run.write_bytes("model.safetensors", model_bytes(self.network, self.loss, self.config))

    def _result(self, status: Status, **values: Any) -> RunResult:
        trained = sum(record.seconds for record in self.records) or math.nan
        last = self.records[-1] if self.records else None
        return RunResult(
            run=self.run.name,
            status=status,
            rule=self.config.rule,
            epochs=len(self.records),
            seconds=self.seconds,
            images_per_second=len(self.records) * self.steps_per_epoch * self.config.batch_size / trained,
            parameters=sum(p.numel() for p in self.network.parameters()),
            precision=str(self.precision).removeprefix("torch."),
            split_seed=SPLIT_SEED,
            finished=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            lossbench=__version__,
            machine=describe_machine(self.device),
            loss=last.loss if last else None,
            terms=last.terms if last else {},
            **values,
        )

    def _save(self) -> None:
        """Write epochs.csv and resume.pt."""
        state = {
            "network": self.network.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.batch,
            "sums": self.loss_sums,
            "seconds": [self.seconds, self.epoch_seconds],
            "snapshots": self.snapshots.arrays,
            "records": [[*record[:3], dict(record.terms), *record[4:]] for record in self.records],
            "threads": torch.get_num_threads(),
            "random": self.random.state,
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }
        self.run.write_epochs(self.records)  # first: after a kill between the two, the epoch is trained again
        self.run.write_bytes("resume.pt", state_bytes(state))

    def _resume(self) -> None:
        """Continue from resume.pt, if there is one."""
        if (content := self.run.read_bytes("resume.pt")) is None:
            self.run.log(f"starts: {self.config.to_dict()}")
            return
        self._restore(content)
        self.run.log(
            f"continues in epoch {self.epoch + 1} after {self.batch} of {self.steps_per_epoch} steps"
        )

    def _restore(self, content: bytes) -> None:
        state = load_state(content, str(self.run.path))
        try:
            self._load_state_dict(state)
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise RunError(
                f"{self.run.path}/resume.pt is of another run ({first_line(error)}); --force starts over."
            ) from None

    def _load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.loss.load_state_dict(state["loss"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.batch = state["epoch"], state["step"]
        self.loss_sums.copy_(state["sums"])
        self.seconds, self.epoch_seconds = state["seconds"]
        self.records = [EpochRecord(*record) for record in state["records"]]
        if len(self.records) != self.epoch or self.epoch > self.config.epochs:
            raise ValueError(f"it has {len(self.records)} epochs")
        if not 0 <= self.batch < self.steps_per_epoch:
            raise ValueError(f"it has {self.batch} steps of an epoch")
        self.snapshots.arrays = dict(state.get("snapshots", {}))
        torch.set_num_threads(state["threads"])  # sums depend on how the work was divided
        self.random.state = torch.Generator().set_state(state["random"]).get_state()
        if state["cuda_random"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda_random"])
