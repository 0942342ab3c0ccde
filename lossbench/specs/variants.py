"""The records that describe a variant (no torch at run time).

Letters everywhere: B batch, D feature dimension, C classes, P classes per balanced batch, K samples
per class, W class weights (C, D), c class centres (C, D), s scale, m margin (radians when an angle),
lambda the weight of a term, alpha the rate of centre updates.

A variant file holds one public class or function and one `SPEC`: at the top of the file, or, for a loss, in
the class, above its hyper-parameters. Both use names of `lossbench.specs` and `math` alone, so that they can
be read without importing torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from ..errors import UsageError
from ..files import slug
from .hyperparameter import HyperParameter, Value


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """What a loss is: where it comes from, what it needs, what can be set.

    settings: its hyper-parameters by name, in the order of the constructor.
    kind: `classifier` has class scores; `auxiliary` joins softmax and has a weight lambda; `pairs`
    compares samples of one batch and has no classes of its own.
    sampler: `balanced` batches hold K samples of each of P classes, `shuffled` any.
    weight: the lambda with which the term joins a sum (auxiliary terms only).
    aliases: other names by which people know it, taken wherever a loss is named.
    tags: `angular` when only directions count in `logits`; `no-probabilities` when softmax of `logits` is
    not what the loss fits; free words otherwise.
    minima: for a setting the smallest value that the others allow, a function of all of them; below it the
    command line warns.
    exceptions: checks of tests/losses/test_contract.py that do not apply, each with the reason.
    """

    title: str
    summary: str
    paper: str
    equation: str
    kind: Literal["classifier", "auxiliary", "pairs"]
    settings: Mapping[str, HyperParameter] = field(default_factory=dict)
    weight: HyperParameter | None = None
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    aliases: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    minima: Mapping[str, Callable[..., float]] = field(default_factory=dict)
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def with_settings(self, namespace: Mapping[str, Any]) -> LossSpec:
        """This SPEC with the hyper-parameters among the values of a namespace, such as a class body."""
        fields = {name: value for name, value in namespace.items() if isinstance(value, HyperParameter)}
        return replace(self, settings={**self.settings, **fields})

    def resolve(self, num_classes: int, feature_dim: int, **values: Value | None) -> dict[str, Value]:
        """All settings for (C, D): the given ones checked, None replaced by the default.

        Raises UsageError (a ValueError) for an unknown setting or a value out of bounds.
        """
        for size in (num_classes, feature_dim):
            if isinstance(size, bool) or not hasattr(size, "__index__") or size < 1:
                raise UsageError(f"num_classes and feature_dim are whole numbers from 1, not {size!r}.")
        for name in values:
            if name not in self.settings:
                known = ", ".join(self.settings) or "none"
                raise UsageError(f"{self.title} has no setting '{name}'; it has: {known}.")
        return {
            name: setting.check(
                name, setting.default_for(num_classes, feature_dim) if value is None else value
            )
            for name, setting in self.settings.items()
            for value in (values.get(name),)
        }

    def recommended(self, num_classes: int, feature_dim: int) -> dict[str, float]:
        """The numbers to start from for (C, D), of the settings that depend on it: the default, within what
        is feasible."""
        values = {}
        for name, setting in self.settings.items():
            largest, smallest = (
                limit(num_classes, feature_dim) if limit else none
                for limit, none in ((setting.largest, math.inf), (setting.smallest, -math.inf))
            )
            if callable(setting.default) or setting.largest or setting.smallest:
                value = float(setting.default_for(num_classes, feature_dim))
                if value < smallest < math.inf:
                    value = math.ceil(100 * smallest) / 100
                values[name] = min(value, math.floor(1000 * largest) / 1000) if largest < math.inf else value
        return values

    def warnings(self, values: Mapping[str, Any], num_classes: int, feature_dim: int) -> list[str]:
        """A sentence for each value beyond what C directions in D dimensions, or the other values, allow."""
        shape = f"{num_classes} classes in {feature_dim} dimensions"
        warnings = []
        for name, value in values.items():
            setting = self.settings[name]
            if setting.largest and float(value) > (limit := setting.largest(num_classes, feature_dim)):
                warnings.append(f"{name} {value:g} cannot hold for {shape}; the largest is {limit:.3f}.")
            if setting.smallest and float(value) < (limit := setting.smallest(num_classes, feature_dim)):
                warnings.append(
                    f"{name} {value:g} is small for {shape}; below {limit:.3g} not even a sample on its "
                    "class direction is classified with confidence."
                )
            if name in self.minima and float(value) < (limit := self.minima[name](**values)):
                warnings.append(
                    f"{name} {value:g} is too small for the other settings; the smallest is {limit:.3g}."
                )
        return warnings


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """What a network is and where it comes from; its class is built from (input_shape, feature_dim).

    smallest_batch: the samples that a training step needs, two with batch norm.
    threads: CPU threads of a run that trains alone; more than 1 only where that is clearly faster.
    """

    title: str
    summary: str
    paper: str = ""
    smallest_batch: int = 1
    threads: int = 1


class _HasOptions:
    @property
    def options(self) -> tuple[str, ...]:
        """The names of the options of a run that it has; their defaults are its attributes."""
        return tuple(
            each.name
            for each in fields(self)  # type: ignore[arg-type]
            if each.name not in ("title", "summary", "source") and getattr(self, each.name) is not None
        )


@dataclass(frozen=True, kw_only=True)
class OptimizerSpec(_HasOptions):
    """What an optimizer is, and the defaults that suit it: `lr` is the peak learning rate.

    None is an option that the optimizer does not have.
    """

    title: str
    summary: str
    source: str
    lr: float
    weight_decay: float
    momentum: float | None = None
    nesterov: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleSpec(_HasOptions):
    """What a learning-rate schedule is, and its defaults; None is an option that it does not have.

    warmup: the fraction of the steps in which the rate rises linearly. milestones: the fractions of the
    steps after which it is multiplied by `decay`.
    """

    title: str
    summary: str
    source: str = ""
    warmup: float = 0.0
    milestones: str | None = None
    decay: float | None = None


@dataclass(frozen=True, kw_only=True)
class RecipeSpec:
    """A way of training as data: values of the options of a run that replace their defaults.

    by_loss: stands for the recipe whose `losses` has the loss of the run. settings: of losses, as
    `center.alpha`; those of losses that a run does not have are left out. weights: lambda of the terms of a
    sum. epoch_share: what the data set's number of epochs is multiplied by, unless `options` has another.
    departures: what differs from the source.
    """

    title: str
    summary: str
    source: str = ""
    by_loss: bool = False
    losses: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Value] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    epoch_share: float = 1.0
    departures: str = ""


AUGMENTATIONS = ("shift", "rotate")
"""The random changes of training images, in the order in which they are applied."""
NO_AUGMENTATION = "none"


_USUAL_SAMPLES = 240_000  # that a training takes by default, where a user's data set has some thousands


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What a data set is.

    classes: the name of each class, in the order of the labels. shape: (channels, height, width) of an image,
    or (D0,) of a vector of features.
    mean, deviation: what is subtracted from the values of a sample, and what they are then divided by, before
    a network sees them: one number for all channels or one for each. The default is Caffe-face's.
    val_size, epochs: the defaults of a run that suit its size.
    digest, location, samples: of a user's data set, SHA-256 of its content, the path or `module:function`,
    and the number of training samples.
    """

    title: str
    summary: str
    source: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    val_size: int
    epochs: int
    mean: tuple[float, ...] = (127.5,)
    deviation: tuple[float, ...] = (128.0,)
    needs_files: bool = True
    digest: str = ""
    location: str = field(default="", compare=False)
    samples: int = 0

    @property
    def augment(self) -> str:
        """How training changes images by default; vectors of features stay as they are."""
        return AUGMENTATIONS[0] if len(self.shape) == 3 else NO_AUGMENTATION

    @property
    def name(self) -> str:
        """The name of a user's data set in options and stored runs: its title and the beginning of its
        digest, so that other data are another data set."""
        return f"{slug(self.title)[:40] or 'data'}@{self.digest[:10]}"

    @classmethod
    def of_user(
        cls,
        title: str,
        digest: str,
        *,
        samples: int,
        classes: tuple[str, ...],
        shape: tuple[int, ...],
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        location: str = "",
    ) -> DatasetSpec:
        """A user's data set with so many training samples, whose defaults follow from what was found."""
        return cls(
            title=title,
            summary=f"{samples:,} training samples of {len(classes)} classes",
            source=location,
            classes=classes,
            shape=shape,
            val_size=min(samples // 10, 5000),
            epochs=min(max(6, round(_USUAL_SAMPLES / samples)), 40),
            mean=mean,
            deviation=deviation,
            digest=digest,
            location=location,
            samples=samples,
        )

    def to_dict(self) -> dict[str, Any]:
        """What a run stores of a user's data set, as plain data; `from_dict` reads it."""
        lists = {name: list(getattr(self, name)) for name in ("classes", "shape", "mean", "deviation")}
        return {"title": self.title, "digest": self.digest, "samples": self.samples, **lists}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DatasetSpec:
        """A user's data set from what a run stored of it. Raises ValueError, KeyError or TypeError."""
        classes, shape, mean, deviation = (tuple(data[k]) for k in ("classes", "shape", "mean", "deviation"))
        title, digest, samples = data["title"], data["digest"], data["samples"]
        numbers = (*mean, *deviation)
        if (
            not all(isinstance(text, str) for text in (title, digest, *classes))
            or not re.fullmatch("[0-9a-f]{64}", digest)
            or len(set(classes)) != len(classes)
            or len(shape) not in (1, 3)
            or not all(type(size) is int and 0 < size <= 2**31 for size in (samples, *shape))
            or {len(mean), len(deviation)} - {1, shape[0]}
            or not all(type(number) is float and math.isfinite(number) for number in numbers)
            or not all(deviation)
        ):
            raise ValueError("the description of its data set was changed")
        return cls.of_user(
            title, digest, samples=samples, classes=classes, shape=shape, mean=mean, deviation=deviation
        )


Unit = Literal["", "percent", "fraction", "degrees", "nats", "feature units", "s", "images/s"]
"""Of a metric: `percent` is stored as a fraction and shown times 100, `fraction` is shown as it is; ''
is a number without a unit that can be any size."""


Needs = Literal[
    "features", "validation features", "reference", "scores", "probabilities", "predictions", "weight",
    "validation", "unknown", "unknown scores", "images",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """What a metric measures, in which unit, and whether more is better (None: neither).

    column: a title for the column of a table, where `title` is too long.
    needs: `features` and their labels alone, or also `validation features`, on which a threshold is chosen:
    these can be measured on classes never trained on, too; or also the `reference` (training features of the
    same classes), the `scores` of each class
    (predictions included), or scores that are the logits of `probabilities`; `predictions` and the
    reference; the class `weight`; `probabilities` on the `validation` split as well; features of `unknown`
    classes and the reference; `unknown scores`; or the network and the `images`.
    cheap: every training measures it; the others are measured when asked for.
    """

    title: str
    summary: str
    column: str = ""
    needs: Needs = "features"
    unit: Unit = ""
    higher_is_better: bool | None = None
    source: str = ""
    cheap: bool = True


@dataclass(frozen=True, kw_only=True)
class FigureSpec:
    """What a figure shows, which published figure it follows, and what it is drawn from.

    drawn_from: stored `runs`, by the file's `draw_figure(figure, runs, **choices)`; or what a command
    computed from them: a `comparison`, the `ranks` of losses, `searches`, the `benchmark` of all losses.
    default: which runs, when none is named, all under the same conditions (all but loss and seed): the newest
    of each loss `compared` by default, of one seed; of the newest one all its `seeds`; `all` of a sweep over
    `axes` settings, or of one seed those of all its `settings`; `every` one under the conditions that most
    runs share; or the `untrained` losses at their defaults.
    choices: options of `plot` that this figure takes, the allowed values of each, the default first
    (nothing: any value).
    """

    title: str
    summary: str
    after: str = ""
    drawn_from: Literal["runs", "comparison", "ranks", "searches", "benchmark"] = "runs"
    default: Literal["compared", "seeds", "all", "settings", "every", "untrained"] = "compared"
    axes: int = 1
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
