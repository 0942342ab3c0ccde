"""The records that describe a variant (no torch at run time); `loss_spec` and `dataset_spec` have two more.

Letters everywhere: B batch, D feature dimension, C classes, P classes per balanced batch, K samples
per class, W class weights (C, D), c class centers (C, D), s scale, m margin (radians when an angle),
lambda the weight of a term, alpha the rate of center updates.

A variant file holds one public class or function and one `SPEC`: at the top of the file, or, for a loss, in
the class, above its hyper-parameters. Both use names of `lossbench.specs` and `math` alone, so that they can
be read without importing torch. Variants of one function that differ in its `arguments` share a file: in
place of `SPEC` it has `SPECS`, a dictionary from the name of each to its spec.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from .hyperparameter import Value


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
    least: the smallest number it can be; a fraction is at most 1. Intervals are cut off there.
    needs: `features` and their labels alone, or also `validation features`, on which a threshold is chosen:
    these can be measured on classes never trained on, too; or also the `reference` (training features of the
    same classes), the `scores` of each class
    (predictions included), or scores that are the logits of `probabilities`; `predictions` and the
    reference; the class `weight`; `probabilities` on the `validation` split as well; features of `unknown`
    classes and the reference; `unknown scores`; or the network and the `images`.
    as_loss_compares: whether it compares features as the loss does, by cosine or by Euclidean distance.
    cheap: every training measures it; the others are measured when asked for.
    gradients: about how many, each through the network by one image, it takes where these are many, for
    estimates of the time. Training on an image takes one, a pass forward a third.
    arguments: of `compute` besides the inputs, where several metrics share it.
    """

    title: str
    summary: str
    column: str = ""
    needs: Needs = "features"
    unit: Unit = ""
    least: float = 0.0
    higher_is_better: bool | None = None
    source: str = ""
    as_loss_compares: bool = False
    cheap: bool = True
    gradients: int = 0
    arguments: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FigureSpec:
    """What a figure shows, which published figure it follows, and what it is drawn from.

    drawn_from: stored `runs`, by the file's `draw_figure(figure, runs, **choices)`; or what a command
    computed from them: a `comparison`, the `ranks` of losses, `searches`, the `benchmark` of all losses.
    default: which runs, when none is named, all under the same conditions (all but loss and seed): the newest
    of each loss `compared` by default, of one seed; of the newest one all its `seeds`; `all` of a sweep over
    `axes` settings, or of one seed those of all its `settings`; `every` one under the conditions that most
    runs share; or the `untrained` losses at their defaults.
    dim: the feature dimension without which it cannot be drawn; 0: any.
    choices: options of `plot` that this figure takes, the allowed values of each, the default first
    (nothing: any value).
    """

    title: str
    summary: str
    after: str = ""
    drawn_from: Literal["runs", "comparison", "ranks", "searches", "benchmark"] = "runs"
    default: Literal["compared", "seeds", "all", "settings", "every", "untrained"] = "compared"
    axes: int = 1
    dim: int = 0
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def pooled(self) -> bool:
        """Whether it shows several seeds of a setting as one."""
        return self.default in POOLED


POOLED = ("seeds", "all", "every")
"""The values of `FigureSpec.default` of figures that show several seeds as one."""
