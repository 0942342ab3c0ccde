"""The training loop, read top to bottom.

Under one seed every loss starts from the same network, sees the same batches in the same order and takes
the same number of steps. A step touches no file and waits for nothing: losses are read once an epoch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator
from datetime import datetime, timezone
from typing import Any

import torch
from torch import nn

from .. import __version__
from ..data import SPLIT_SEED, Splits, epoch_batches, load_splits, normalized, on_device
from ..errors import Interrupted, UsageError
from ..losses import WeightedSum
from ..optimizers import Optimizer
from ..protocols import Observer
from ..randomness import Randomness
from ..records import EpochRecord
from ..runs.config import DEFAULT_OPTIMIZER, DEFAULT_SCHEDULE, RunConfig
from ..runs.model import build, model_bytes
from ..runs.store import RunFolder
from ..schedules import Schedule
from ..specs import catalog
from .checkpoint import state_bytes, state_of, tensors_to
from .device import autocast, describe_machine, resolve_device, resolve_precision
from .evaluation import judge, quick_look
from .process import Placement
from .snapshots import Album


class Training:
    """One training: its modules, its optimiser, and where in the epochs it stands."""

    def __init__(
        self, run: RunFolder, placement: Placement, observer: Observer, stop: Callable[[], bool]
    ) -> None:
        self.run, self.config, self.observer, self.stop = run, run.config, observer, stop
        self.device = resolve_device(placement.device)
        self.precision = resolve_precision(self.config.precision, self.device)
        here = placement.splits or load_splits(self.config.split_spec, placement.data_dir, self.device)
        self.splits = on_device(here, self.device)
        if not self.steps:
            raise UsageError(
                f"--batch-size {self.config.batch_size} is more than the "
                f"{len(self.splits.train.labels)} training images there are."
            )
        network, loss = build(self.config)
        self.network = network.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.loss = loss.to(self.device)
        self.optimizer: Optimizer = catalog.load("optimizers", DEFAULT_OPTIMIZER)(
            {"network": list(self.network.parameters()), "loss": list(self.loss.parameters())},
            weight_decay=self.config.weight_decay,
            device=self.device,
        )
        self.schedule: Schedule = catalog.load("schedules", DEFAULT_SCHEDULE)
        self.index = torch.zeros(self.config.batch_size, dtype=torch.int64, device=self.device)
        self.sums = torch.zeros(1 + len(self.config.terms), device=self.device)
        self.random = Randomness(self.config.seed, "training")
        self.epoch = self.step = self.phase = 0
        self._goodbye = f"{run.name} was interrupted; the same command continues it."
        self.seconds = self.epoch_seconds = 0.0
        self.records: list[EpochRecord] = []
        self.album = Album(self.config, self.splits, self.steps, placement.snapshots)

    def turns(self) -> Generator[Training, None, dict[str, Any]]:
        """Train to the end, evaluate, store; a step is due at each yield. Raises Interrupted or Diverged."""
        self._resume()
        self.observer.started(self.run.name, self.config.epochs, self.steps, self.steps_done)
        self.album.look(self.steps_done, *self._judged())
        while self.epoch < self.config.epochs:
            yield from self._epoch()
            record = self._record()
            if not math.isfinite(record.loss):
                return self._diverged(record)
            self.records.append(record)
            self.epoch, self.step, self.epoch_seconds = self.epoch + 1, 0, 0.0
            self.sums.zero_()
            self._save()
            self.run.log(f"epoch {record.epoch}: loss {record.loss:.5f}, val {record.val_accuracy:.4f}")
            self.observer.finished_epoch(self.run.name, record)
            if self.stop() and self.epoch < self.config.epochs:
                raise Interrupted(self._goodbye)
        return self._finish()

    @property
    def steps(self) -> int:
        """Steps of one epoch."""
        return len(self.splits.train.labels) // self.config.batch_size

    @property
    def steps_done(self) -> int:
        """Steps since the very beginning."""
        return self.epoch * self.steps + self.step

    def _epoch(self) -> Generator[Training, None, None]:
        order = epoch_batches(
            self.splits.train.labels,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            epoch=self.epoch,
            classes_per_batch=self.config.classes_per_batch,
            samples_per_class=self.config.samples_per_class,
        ).to(self.device)
        total = self.steps * self.config.epochs
        self.network.train()
        self.loss.train()
        began = time.perf_counter()
        while self.step < self.steps:
            self.optimizer.set_rate(self.config.lr * self.schedule(self.steps_done / total))
            self.phase += self.loss.advance(self.steps_done / total)
            self.index.copy_(order[self.step])
            yield self
            self.step += 1
            self.album.look(self.steps_done, *self._judged())
            self.observer.stepped(self.run.name, self.steps_done)
            if self.stop() and self.step < self.steps:
                self.epoch_seconds += time.perf_counter() - began
                self._save()
                raise Interrupted(self._goodbye)
        self.epoch_seconds += time.perf_counter() - began

    def take_step(self) -> None:
        """One step on the training images that `index` (B,) names."""
        part = self.splits.train
        images = normalized(part.images.index_select(0, self.index))
        labels = part.labels.index_select(0, self.index)
        with self.random:
            with autocast(self.device, self.precision):
                features = self.network(images)
            values = self.loss.terms(features, labels)
        total = self.loss.total(values)
        total.backward()
        self.optimizer.step()
        self.sums += torch.stack([total.detach(), *(value.detach() for value in values)])

    def _record(self) -> EpochRecord:
        began = time.perf_counter()
        means = (self.sums / self.steps).tolist()  # waits for the device: the steps' time ends here
        waited = time.perf_counter()
        self.epoch_seconds += waited - began
        seen = quick_look(*self._judged())
        self.seconds += self.epoch_seconds + time.perf_counter() - waited
        return EpochRecord(
            epoch=self.epoch + 1,
            learning_rate=float(self.optimizer.rate),
            loss=means[0],
            terms=dict(zip(self.loss.names, means[1:], strict=True)),
            seconds=self.epoch_seconds,
            images_per_second=self.steps * self.config.batch_size / self.epoch_seconds,
            **seen,
        )

    def _finish(self) -> dict[str, Any]:
        self.loss.advance(1)
        embeddings, findings = judge(*self._judged())
        found = {name: self.loss.directions(name) for name in ("weight", "bias", "centers")}
        directions = {name: d.float().cpu().numpy() for name, d in found.items() if d is not None}
        self.run.write_features(embeddings, directions)
        self.run.write_snapshots(self.album.finished())
        self.run.write_bytes("model.safetensors", model_bytes(self.network, self.loss, self.config))
        last = {"loss": self.records[-1].loss, "terms": dict(self.records[-1].terms)}
        result = self._result("done") | findings | last
        self.run.write_result(result)
        return result

    def _diverged(self, record: EpochRecord) -> dict[str, Any]:
        """Store how far it came; the weights before this epoch are kept where there are any."""
        if (content := self.run.read_bytes("resume.pt")) is not None:
            self._restore(content)
            self.run.write_bytes("model.safetensors", model_bytes(self.network, self.loss, self.config))
        last = next(reversed(self.records), None)
        result = self._result("diverged") | {
            "epoch": record.epoch,
            "test_accuracy": None,
            "val_accuracy": last.val_accuracy if last else None,
            "loss": last.loss if last else None,
            "terms": dict(last.terms) if last else {},
        }
        self.run.write_result(result)
        self.run.log(f"diverged in epoch {record.epoch}")
        return result

    def _result(self, status: str) -> dict[str, Any]:
        trained = sum(record.seconds for record in self.records) or math.nan
        return {
            "run": self.run.name,
            "status": status,
            "rule": self.config.rule,
            "epochs": len(self.records),
            "seconds": self.seconds,
            "images_per_second": len(self.records) * self.steps * self.config.batch_size / trained,
            "parameters": sum(p.numel() for p in self.network.parameters()),
            "precision": str(self.precision).removeprefix("torch."),
            "split_seed": SPLIT_SEED,
            "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "lossbench": __version__,
            "machine": describe_machine(self.device),
        }

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "loss": self.loss.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "sums": self.sums,
            "seconds": [self.seconds, self.epoch_seconds],
            "snapshots": self.album.pages,
            "records": [[*record[:3], dict(record.terms), *record[4:]] for record in self.records],
            "threads": torch.get_num_threads(),
            "random": self.random.state,
            "cuda_random": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        }
        self.run.write_epochs(self.records)  # first: who dies between the two does the epoch again, and this
        self.run.write_bytes("resume.pt", state_bytes(state))

    def _resume(self) -> None:
        if (content := self.run.read_bytes("resume.pt")) is None:
            return self.run.log(f"starts: {self.config.to_dict()}")
        self._restore(content)
        return self.run.log(f"continues in epoch {self.epoch + 1} after {self.step} of {self.steps} steps")

    def _restore(self, content: bytes) -> None:
        with state_of(content, str(self.run.path)) as state:
            self.network.load_state_dict(state["network"])
            self.loss.load_state_dict(state["loss"])
            self.optimizer.load_state_dict(tensors_to(self.device, state["optimizer"]))
            self.epoch, self.step = state["epoch"], state["step"]
            self.sums.copy_(state["sums"])
            self.seconds, self.epoch_seconds = state["seconds"]
            self.records = [EpochRecord(*record) for record in state["records"]]
            if not (len(self.records) == self.epoch <= self.config.epochs and 0 <= self.step < self.steps):
                raise ValueError("it is beyond the end")
            self.album.pages = dict(state.get("snapshots", {}))
            torch.set_num_threads(state["threads"])  # sums depend on how the work was divided
            self.random.state = torch.Generator().set_state(state["random"]).get_state()
            if state["cuda_random"] is not None and self.device.type == "cuda":
                torch.cuda.set_rng_state(state["cuda_random"])

    def _judged(self) -> tuple[nn.Module, WeightedSum, Splits, RunConfig, torch.dtype]:
        return self.network, self.loss, self.splits, self.config, self.precision
