"""How fast losses are here: value and gradient of each, beside a training step and another library.

All timings are milliseconds on the processor. Labels are balanced, features random.
"""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..data import normalize
from ..randomness import seeded
from ..runs.config import dataset_spec
from ..runs.config_builder import make_config
from ..runs.model import build
from ..runs.result import Machine
from ..specs import LossSpec, Value, catalog
from ..tables import Table, number_text
from ..training.device import autocast, describe_machine, resolve_precision
from ._timing import Timing, in_turns, spread, threads_set, timing
from .result import Benchmark, on_machine

CLASSES, DIM = 10, 2
_AROUND = 4  # training steps before, and again after each loss
_WIDEST = 256  # samples up to which a library that lists all triplets of a batch stays below a gigabyte


class LossTiming(NamedTuple):
    """Value and gradient of a loss, and of its counterpart in pytorch-metric-learning (None: not there).

    step: training steps right before and after, since a machine's pace changes from one second to the next.
    """

    loss: str
    ours: Timing
    step: Timing
    theirs: Timing | None
    counterpart: str

    @property
    def percent_of_step(self) -> float:
        """What the loss takes of a step, were it part of one."""
        return 100 * self.ours.median / self.step.median

    @property
    def ratio(self) -> float:
        """How many times ours theirs takes; NaN without it."""
        return self.theirs.median / self.ours.median if self.theirs else math.nan


def measure(
    *, repeats: int, batch_size: int, threads: int | None = None, names: Iterable[str] | None = None
) -> Benchmark:
    """Time the losses of the catalogue (or `names`) at their defaults for ten classes in the plane.

    A training step of the default network is timed between the losses, all along. Raises UsageError for an
    unknown name.
    """
    device, found = torch.device("cpu"), []
    specs = {name: catalog.spec("losses", name) for name in names or catalog.names("losses")}
    with threads_set(threads), seeded(0, "benchmark"):
        step = _training_step(batch_size, device)
        labels = torch.arange(batch_size) % CLASSES
        features = 2 * torch.randn(batch_size, DIM)
        steps = in_turns([step], _AROUND, warm_up=3)[0]
        for name, spec in specs.items():
            works, counterpart = _works(name, spec, features, labels)
            times = in_turns(works, repeats, warm_up=3)
            mine, *others = (timing(own).times(1000) for own in times)
            steps += in_turns([step], _AROUND, warm_up=0)[0]
            near = timing(steps[-2 * _AROUND :]).times(1000)
            found.append(LossTiming(name, mine, near, others[0] if others else None, counterpart))
        machine = describe_machine(device)
    return told(machine, found, timing(steps).times(1000), batch_size=batch_size, repeats=repeats)


def told(
    machine: Machine, found: list[LossTiming], step: Timing, *, batch_size: int, repeats: int
) -> Benchmark:
    """What was measured, in a table and in words; `step` is a step of the default network, of all of them."""
    header = ["loss", "ms", "middle half", "% of a step", "pytorch-metric-learning", "ms", "times ours"]
    rows = [
        [
            each.loss,
            number_text(each.ours.median, 2),
            spread(each.ours),
            number_text(each.percent_of_step, 1),
            each.counterpart or "–",
            number_text(each.theirs.median if each.theirs else math.nan, 2),
            number_text(each.ratio, 1),
        ]
        for each in found
    ]
    conditions = (
        f"Value and gradient for features, B = {batch_size}, C = {CLASSES}, D = {DIM}, defaults "
        f"throughout; medians of {repeats}, in turns with pytorch-metric-learning. A training "
        f"step of the default network, timed around each, takes {step.median:.1f} ms ({spread(step)}). "
        f"{on_machine(machine)}"
    )
    lines = [
        each._asdict()
        | {
            "ours": each.ours._asdict(),
            "step": each.step._asdict(),
            "theirs": each.theirs._asdict() if each.theirs else None,
            "percent_of_step": each.percent_of_step,
            "ratio": each.ratio if each.theirs else None,
        }
        for each in found
    ]
    data = {"batch_size": batch_size, "repeats": repeats, "step": step._asdict(), "losses": lines}
    return Benchmark("losses", machine, Table(header, rows), conditions, data)


def _works(
    name: str, spec: LossSpec, features: Tensor, labels: Tensor
) -> tuple[list[Callable[[], None]], str]:
    """Our loss, then the other library's where it is run; and that one's name."""
    make = catalog.load("losses", name)
    counterpart, other = _counterpart(make.__name__, spec.resolve(CLASSES, DIM), len(labels))
    losses = [make(CLASSES, DIM), *([] if other is None else [other])]
    return [_both_ways(loss, features, labels) for loss in losses], counterpart


def _both_ways(loss: nn.Module, features: Tensor, labels: Tensor) -> Callable[[], None]:
    leaf = features.clone().requires_grad_()
    loss.train()

    def work() -> None:
        leaf.grad = None
        loss.zero_grad()
        loss(leaf, labels).backward()

    return work


def _training_step(batch_size: int, device: torch.device) -> Callable[[], None]:
    """One step of the default network under its default loss, on made-up images; as the loop takes it."""
    config = make_config(batch_size=batch_size)
    data = dataset_spec(config.dataset)
    network, loss = build(config)
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    precision = resolve_precision(config.precision, device)
    parameters = [*network.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
    pixels = torch.randint(0, 256, (batch_size, *data.shape), dtype=torch.uint8)
    labels = torch.arange(batch_size) % config.classes

    def work() -> None:
        with autocast(device, precision):
            features = network(normalize(pixels, data))
        loss.total(loss.terms(features, labels)).backward()
        optimizer.step()
        optimizer.zero_grad()

    return work


def _counterpart(kind: str, chosen: Mapping[str, Value], batch_size: int) -> tuple[str, nn.Module | None]:
    """The library's loss of the same kind with the same arguments; a name and None where it is not run."""
    name, options = _COUNTERPARTS.get(kind, ("", {}))
    if not name or importlib.util.find_spec("pytorch_metric_learning") is None:
        return name, None
    from pytorch_metric_learning import distances, losses, miners

    if kind in _LISTS_TRIPLETS and batch_size > _WIDEST:
        return f"{name} (too large)", None
    given: dict[str, Any] = {key: make(chosen) for key, make in options.items()}
    if given.pop("euclidean", False):
        given["distance"] = distances.LpDistance(normalize_embeddings=False)
    if given.pop("inner", False):
        given["distance"] = distances.DotProductSimilarity(normalize_embeddings=False)
    epsilon = given.pop("mined", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # one of them puts tensors into scipy
        loss: nn.Module = getattr(losses, name)(**given)
    if epsilon is None:
        return name, loss
    return name, _Mined(loss, miners.MultiSimilarityMiner(epsilon=epsilon))


class _Mined(nn.Module):
    def __init__(self, loss: nn.Module, miner: nn.Module) -> None:
        super().__init__()
        self.loss, self.miner = loss, miner

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        value: Tensor = self.loss(features, labels, self.miner(features, labels))
        return value


Argument = Callable[[Mapping[str, Value]], Any]


def _same(key: str) -> Argument:
    return lambda chosen: chosen[key]


def _always(value: Any) -> Argument:
    return lambda _: value


_SHAPE = {"num_classes": _always(CLASSES), "embedding_size": _always(DIM)}
_EUCLIDEAN = {"euclidean": _always(True)}  # stands for the library's distance of that name
_LISTS_TRIPLETS = ("Lifted", "Triplet")  # positive pairs times negatives, that is
_SOFTMAX = ("NormalizedSoftmaxLoss", _SHAPE | {"temperature": lambda chosen: 1 / float(chosen["scale"])})
_DEGREES = {"margin": lambda chosen: math.degrees(float(chosen["margin"])), "scale": _same("scale")}
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
}
"""By the name of our class: theirs, and how its arguments follow from our settings."""
