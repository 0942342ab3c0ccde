"""The result and the status of a run."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from ..specs.quantities import RUN_NUMBERS, UNSEEN


class Status(str, Enum):
    """The status of a run.

    A stored result is done or diverged. Without one a run is incomplete, or broken where its files cannot be
    read. In a command it may also have failed or been interrupted. The others are between an executor and
    the scheduler: another process trains the run (busy), or its worker died.
    """

    DONE = "done"
    DIVERGED = "diverged"
    INCOMPLETE = "incomplete"
    BROKEN = "broken"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    BUSY = "busy"
    DIED = "died"

    def __str__(self) -> str:
        return self.value


class Machine(NamedTuple):
    """What a time depends on: device, threads of the run, versions."""

    device: str = ""
    device_name: str = ""
    threads: int = 0
    torch: str = ""
    python: str = ""
    system: str = ""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """The content of result.json.

    Accuracies are fractions, None where there is no such split or nothing was evaluated. `metrics` are those
    of the evaluated split, `unseen` those of the classes kept out of training, None where not defined.
    seconds: of training, with the evaluation after each epoch. loss, terms: means over the last epoch.
    epoch: the one that diverged. `rule` is how a sample is classified, see RunConfig.rule.
    """

    run: str
    status: Status
    rule: str = ""
    epochs: int = 0
    seconds: float = math.nan
    images_per_second: float = math.nan
    parameters: int = 0
    precision: str = ""
    split_seed: int = 0
    finished: str = ""
    lossbench: str = ""
    machine: Machine = field(default_factory=Machine)
    test_accuracy: float | None = None
    val_accuracy: float | None = None
    train_accuracy: float | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    unseen_classes: str = ""
    unseen: Mapping[str, float | None] = field(default_factory=dict)
    loss: float | None = None
    terms: Mapping[str, float | None] = field(default_factory=dict)
    epoch: int | None = None

    @property
    def numbers(self) -> dict[str, float]:
        """All finite numbers by name: accuracies, times, metrics, and `unseen-` metrics of unseen classes."""
        numbers = {name: getattr(self, name) for name in RUN_NUMBERS} | dict(self.metrics)
        numbers |= {UNSEEN + name: value for name, value in self.unseen.items()}
        return {name: value for name, value in numbers.items() if value is not None and math.isfinite(value)}

    def accuracy(self, split: str) -> float | None:
        """The accuracy on `test`, `val` or `train`."""
        value: float | None = getattr(self, f"{split}_accuracy")
        return value

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON, without what does not apply; `from_dict` gives the same result back."""
        data = {name: getattr(self, name) for name in _FIELDS}
        data |= {"status": self.status.value, "machine": self.machine._asdict()}
        if not self.unseen_classes:
            del data["unseen_classes"], data["unseen"]
        if self.epoch is None:
            del data["epoch"]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunResult:
        """A result from the plain data of `to_dict`; keys that this version does not know are ignored.

        Raises ValueError for data that is not a result.
        """
        values = {name: data[name] for name in _FIELDS if name in data}
        for name, kinds in _KINDS.items():
            if name in values and not isinstance(values[name], kinds):
                raise ValueError(f"{name} is {values[name]!r}")
        for name in ("metrics", "unseen", "terms"):
            if not all(isinstance(value, _NUMBER) for value in values.get(name, {}).values()):
                raise ValueError(f"{name} holds something that is not a number")
        for name in ("seconds", "images_per_second"):  # JSON has no NaN
            if name in values and values[name] is None:
                values[name] = math.nan
        machine = values.get("machine", {})
        values["machine"] = Machine(**{name: machine[name] for name in Machine._fields if name in machine})
        return cls(**values | {"status": Status(values["status"])})


def diverged_text(result: RunResult) -> str:
    """What happened to a run that diverged, as a sentence."""
    return f"{result.run} diverged in epoch {result.epoch}: its loss became NaN or infinite."


_FIELDS = tuple(f.name for f in dataclasses.fields(RunResult))
_NUMBER = (int, float, type(None))
_KINDS: Mapping[str, Any] = {
    **dict.fromkeys(("run", "status", "rule", "precision", "finished", "lossbench", "unseen_classes"), str),
    **dict.fromkeys(("epochs", "parameters", "split_seed"), int),
    **dict.fromkeys(("seconds", "images_per_second", "loss", "epoch"), _NUMBER),
    **dict.fromkeys(("test_accuracy", "val_accuracy", "train_accuracy"), _NUMBER),
    **dict.fromkeys(("machine", "metrics", "unseen", "terms"), Mapping),
}
