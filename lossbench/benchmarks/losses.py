"""The speed of losses: value and gradient of each, compared with a training step and another library.

All timings are milliseconds on the processor. Labels are balanced, features random.
"""

import importlib.util
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..data import Splits
from ..files import plain
from ..randomness import seeded
from ..records import LabelledImages
from ..runs.config_builder import make_config
from ..runs.result import Machine
from ..specs import LossSpec, Value, catalog
from ..tables import Table, number_text
from ..training.device import describe_machine
from ..training.process import Placement
from ._timing import Task, Timing, thread_count, time_alternately, timing
from ._trainers import make_trainer
from .result import Benchmark, machine_text

CLASSES, DIM = 10, 2
_MAX_TRIPLET_BATCH = 256  # a library that lists all triplets of a batch then stays below a gigabyte


class LossTiming(NamedTuple):
    """Value and gradient of a loss, and of its counterpart in pytorch-metric-learning (None: there is none).

    step: training steps in turns with them, since the pace of a machine changes from second to second; and
    because a step leaves the caches as the loss finds them in training.
    """

    loss: str
    ours: Timing
    step: Timing
    theirs: Timing | None
    counterpart: str

    @property
    def percent_of_step(self) -> float:
        """The share of the loss in a training step that contained it."""
        return 100 * self.ours.median / self.step.median

    @property
    def ratio(self) -> float | None:
        """The time of the counterpart over that of the loss."""
        return self.theirs.median / self.ours.median if self.theirs else None


def measure(
    *, repeats: int, batch_size: int, threads: int | None = None, names: Iterable[str] | None = None
) -> Benchmark:
    """Time the losses of the catalogue (or `names`) at their defaults for ten classes in the plane, with the
    default batch size, and with `batch_size`.

    Training steps of the default network are timed in turns with each. Raises UsageError for an unknown name.
    """
    measured = map(catalog.canonical, names or catalog.names("losses"))
    specs = {name: catalog.spec("losses", name) for name in measured}
    with thread_count(threads), seeded(0, "benchmark"):
        batches = [_measure_batch(size, specs, repeats) for size in {make_config().batch_size, batch_size}]
        machine = describe_machine(torch.device("cpu"))
    return to_benchmark(machine, sorted(batches), batch_size, repeats)


class BatchTimings(NamedTuple):
    """Timings at one batch size; `step`: of all training steps."""

    batch_size: int
    step: Timing
    losses: list[LossTiming]


def _measure_batch(batch_size: int, specs: Mapping[str, LossSpec], repeats: int) -> BatchTimings:
    timings, steps = [], list[float]()
    step = _training_step(batch_size)
    labels = torch.arange(batch_size) % CLASSES
    features = 2 * torch.randn(batch_size, DIM)
    for name, spec in specs.items():
        tasks, counterpart = _own_and_counterpart(name, spec, features, labels)
        seconds = time_alternately([step, *tasks], repeats, warm_up=3)
        near, ours, *theirs = (timing(each).scaled(1000) for each in seconds)
        steps += seconds[0]
        timings.append(LossTiming(name, ours, near, theirs[0] if theirs else None, counterpart))
    return BatchTimings(batch_size, timing(steps).scaled(1000), timings)


def to_benchmark(
    machine: Machine, batches: Sequence[BatchTimings], batch_size: int, repeats: int
) -> Benchmark:
    """The timings as table, text and data, whose main part is that of `batch_size`."""
    header = ["loss", "B", "ms", "middle half", "% of a step", "pytorch-metric-learning", "ms", "times ours"]
    rows = [
        [
            each.loss,
            str(batch.batch_size),
            *each.ours.cells(),
            number_text(each.percent_of_step, 1),
            each.counterpart or "–",
            number_text(each.theirs.median if each.theirs else math.nan, 2),
            number_text(math.nan if each.ratio is None else each.ratio, 1),
        ]
        for batch in batches
        for each in batch.losses
    ]
    steps = " and ".join(
        f"{batch.step.median:.1f} ms ({batch.step.range_text()}) at B = {batch.batch_size}"
        for batch in batches
    )
    conditions = (
        f"Value and gradient for features of a batch of B, C = {CLASSES}, D = {DIM}, defaults "
        f"throughout; medians of {repeats}, in turns with pytorch-metric-learning and a training step of the "
        f"default network, which takes {steps}. {machine_text(machine)}"
    )
    data: dict[int, dict[str, Any]] = {}
    for batch in batches:
        lines = [
            {**each._asdict(), "percent_of_step": each.percent_of_step, "ratio": each.ratio}
            for each in batch.losses
        ]
        data[batch.batch_size] = {**batch._asdict(), "losses": lines}
    whole = {**data[batch_size], "repeats": repeats, "batches": list(data.values())}
    return Benchmark("losses", machine, Table(header, rows), conditions, plain(whole))


def _own_and_counterpart(
    name: str, spec: LossSpec, features: Tensor, labels: Tensor
) -> tuple[list[Task], str]:
    """Our loss, then the other library's where it is run; and that one's name."""
    make = catalog.load("losses", name)
    counterpart, other = _counterpart(make.__name__, spec.resolve(CLASSES, DIM), len(labels))
    losses = [make(CLASSES, DIM), *([] if other is None else [other])]
    return [_value_and_gradient(loss, features, labels) for loss in losses], counterpart


def _value_and_gradient(loss: nn.Module, features: Tensor, labels: Tensor) -> Task:
    leaf = features.clone().requires_grad_()
    loss.train()

    def run() -> None:
        leaf.grad = None
        loss.zero_grad()
        loss(leaf, labels).backward()

    return run


def _training_step(batch_size: int) -> Task:
    """A step of the default network under its default loss, on random images."""
    config = make_config(batch_size=batch_size)
    pixels = torch.randint(0, 256, (batch_size, *config.input_shape), dtype=torch.uint8)
    images = LabelledImages(pixels, torch.arange(batch_size) % config.classes)
    none = images.at(slice(0))
    placement = Placement("cpu", splits=Splits(images, none, none, none))
    return make_trainer(config, placement).step


def _counterpart(kind: str, settings: Mapping[str, Value], batch_size: int) -> tuple[str, nn.Module | None]:
    """The library's loss of the same kind with the same arguments, and its name, with what it does less than
    ours; None where it is not run."""
    name, options = _COUNTERPARTS.get(kind, ("", {}))
    shown = f"{name} ({_DOES_LESS[kind]})" if kind in _DOES_LESS else name
    if not name or importlib.util.find_spec("pytorch_metric_learning") is None:
        return shown, None
    from pytorch_metric_learning import distances, losses, miners, regularizers

    if kind in _ENUMERATES_TRIPLETS and batch_size > _MAX_TRIPLET_BATCH:
        return f"{name} (too large)", None
    given: dict[str, Any] = {key: make(settings) for key, make in options.items()}
    if given.pop("euclidean", False):
        given["distance"] = distances.LpDistance(normalize_embeddings=False)
    if given.pop("inner", False):
        given["distance"] = distances.DotProductSimilarity(normalize_embeddings=False)
    if given.pop("sparse", False):
        given["weight_regularizer"] = regularizers.SparseCentersRegularizer(
            CLASSES, given["centers_per_class"]
        )
    epsilon = given.pop("mined", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # one of them puts tensors into scipy
        loss: nn.Module = getattr(losses, name)(**given)
    if epsilon is None:
        return shown, loss
    return shown, _Mined(loss, miners.MultiSimilarityMiner(epsilon=epsilon))


class _Mined(nn.Module):
    def __init__(self, loss: nn.Module, miner: nn.Module) -> None:
        super().__init__()
        self.loss, self.miner = loss, miner

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        value: Tensor = self.loss(features, labels, self.miner(features, labels))
        return value


Argument = Callable[[Mapping[str, Value]], Any]


def _same(key: str) -> Argument:
    return lambda settings: settings[key]


def _always(value: Any) -> Argument:
    return lambda _: value


_SHAPE = {"num_classes": _always(CLASSES), "embedding_size": _always(DIM)}
_EUCLIDEAN = {"euclidean": _always(True)}  # stands for the library's distance of that name
_ENUMERATES_TRIPLETS = ("Lifted", "MarginPair", "Triplet")  # positive pairs times negatives, that is
_DOES_LESS = {"NPair": "one pair per class"}  # ours takes all of them
_SOFTMAX = ("NormalizedSoftmaxLoss", _SHAPE | {"temperature": lambda settings: 1 / float(settings["scale"])})
_DEGREES = {"margin": lambda settings: math.degrees(float(settings["margin"])), "scale": _same("scale")}
_COUNTERPARTS: dict[str, tuple[str, dict[str, Argument]]] = {
    "ArcFace": ("ArcFaceLoss", _SHAPE | _DEGREES),
    "SubcenterArcFace": ("SubCenterArcFaceLoss", _SHAPE | _DEGREES | {"sub_centers": _same("subcenters")}),
    "CosFace": ("CosFaceLoss", _SHAPE | {"margin": _same("margin"), "scale": _same("scale")}),
    "SphereFace": ("SphereFaceLoss", _SHAPE | {"margin": _same("margin"), "scale": _always(1)}),
    "LSoftmax": ("LargeMarginSoftmaxLoss", _SHAPE | {"margin": _same("margin"), "scale": _always(1)}),
    "NormFace": _SOFTMAX,
    "Coco": _SOFTMAX,
    "ModifiedSoftmax": (
        "NormalizedSoftmaxLoss",
        _SHAPE | {"temperature": _always(1), "inner": _always(True)},
    ),
    "ProxyAnchor": ("ProxyAnchorLoss", _SHAPE | {"margin": _same("margin"), "alpha": _same("scale")}),
    "ProxyNCA": ("ProxyNCALoss", _SHAPE | {"softmax_scale": _same("scale")}),
    "SupCon": ("SupConLoss", {"temperature": _same("temperature")}),
    "CirclePair": ("CircleLoss", {"m": _same("margin"), "gamma": _same("gamma")}),
    "MultiSimilarity": (
        "MultiSimilarityLoss",
        {key: _same(key) for key in ("alpha", "beta", "base")} | {"mined": _same("epsilon")},
    ),
    "NPair": ("NPairsLoss", {"inner": _always(True)}),
    "Lifted": ("LiftedStructureLoss", {"neg_margin": _same("margin"), "pos_margin": _always(0)} | _EUCLIDEAN),
    "Contrastive": (
        "ContrastiveLoss",
        {"pos_margin": _always(0), "neg_margin": _same("margin")} | _EUCLIDEAN,
    ),
    "Triplet": ("TripletMarginLoss", {"margin": _same("margin")} | _EUCLIDEAN),
    "MarginPair": (
        "MarginLoss",
        {"margin": _same("margin"), "beta": _same("boundary"), "learn_beta": _same("learnable")} | _EUCLIDEAN,
    ),
    "SoftTriple": (
        "SoftTripleLoss",
        {"centers_per_class": _same("subcenters"), "la": _same("scale"), "weight_reg_weight": _same("tau")}
        | {"sparse": _always(True)}  # stands for the library's regularizer of that name
        | {key: _same(key) for key in ("gamma", "margin")}
        | _SHAPE,
    ),
}
"""By the name of our class: theirs, and how its arguments follow from our settings."""
