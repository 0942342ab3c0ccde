"""How fast losses are here: value and gradient of each, beside a training step and another library.

All timings are milliseconds on the processor, by the wall clock. What is compared is measured in turns, so
that a machine whose speed wanders wanders for both.
"""

from __future__ import annotations

import importlib.util
import math
import re
import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from . import __version__, catalog
from .checkpoints import build
from .contracts import LossSpec, Value
from .errors import RunError
from .files import write_atomically
from .resolving import make_config
from .runtime import autocast, describe_machine, prepare_process, resolve_precision, seeded
from .splits import normalized
from .tables import Table, number_text, to_markdown

CLASSES, DIM = 10, 2
_WARM_UP = 3
_WIDEST = 256  # samples up to which a library that lists all triplets of a batch stays below a gigabyte


class Timing(NamedTuple):
    """The middle of some timings and their middle half, in milliseconds."""

    median: float
    low: float
    high: float


class LossTiming(NamedTuple):
    """Value and gradient of a loss, and of its counterpart in pytorch-metric-learning (None: not there)."""

    loss: str
    ours: Timing
    theirs: Timing | None
    counterpart: str


class Benchmark(NamedTuple):
    """All that was measured, with its conditions; `step` is one training step of the default network."""

    machine: dict[str, Any]
    batch_size: int
    repeats: int
    step: Timing
    losses: list[LossTiming]


def measure_losses(
    *, repeats: int, batch_size: int, threads: int | None = None, names: Iterable[str] | None = None
) -> Benchmark:
    """Time the losses of the catalogue (or `names`) at their defaults for ten classes in the plane.

    A training step is timed between the losses, all along. Labels are balanced, features random.
    """
    prepare_process(threads)
    device = torch.device("cpu")
    found, steps = [], []
    with seeded(0, "benchmark"):
        step = _training_step(batch_size, device)
        _milliseconds(step, _WARM_UP)
        labels = torch.arange(batch_size) % CLASSES
        features = 2 * torch.randn(batch_size, DIM)
        for name in catalog.names("losses") if names is None else names:
            spec: LossSpec = catalog.spec("losses", name)
            make = catalog.load("losses", name)
            ours = _both_ways(make(CLASSES, DIM), features, labels)
            counterpart, other = _counterpart(make.__name__, spec.resolve(CLASSES, DIM), batch_size)
            theirs = None if other is None else _both_ways(other, features, labels)
            mine, others = _in_turns(ours, theirs, repeats)
            found.append(LossTiming(name, _timing(mine), _timing(others) if others else None, counterpart))
            steps += _milliseconds(step, 2)
    return Benchmark(describe_machine(device), batch_size, repeats, _timing(steps), found)


def loss_table(benchmark: Benchmark) -> Table:
    """One row for each loss."""
    header = ["loss", "ms", "middle half", "% of a step", "pytorch-metric-learning", "ms", "times ours"]
    rows = []
    for loss, ours, theirs, counterpart in benchmark.losses:
        rows.append(
            [
                loss,
                number_text(ours.median, 2),
                _spread(ours),
                number_text(100 * ours.median / benchmark.step.median, 1),
                counterpart or "–",
                number_text(theirs.median if theirs else math.nan, 2),
                number_text(theirs.median / ours.median if theirs else math.nan, 1),
            ]
        )
    return Table(header, rows)


def conditions(benchmark: Benchmark) -> str:
    """One paragraph: what was measured, on what."""
    machine, step = benchmark.machine, benchmark.step
    return (
        f"Value and gradient for features, B = {benchmark.batch_size}, C = {CLASSES}, D = {DIM}, defaults "
        f"throughout; medians of {benchmark.repeats}, in turns with pytorch-metric-learning. A training "
        f"step of the default network takes {step.median:.1f} ms ({_spread(step)}) at that batch. "
        f"{machine['device_name']}, {machine['threads']} threads; torch {machine['torch']}, "
        f"Python {machine['python']}, lossbench {__version__}."
    )


def document(benchmark: Benchmark) -> dict[str, Any]:
    """Plain data for JSON."""
    return benchmark._asdict() | {
        "lossbench": __version__,
        "step": benchmark.step._asdict(),
        "losses": [
            timing._asdict()
            | {
                "ours": timing.ours._asdict(),
                "theirs": timing.theirs._asdict() if timing.theirs else None,
                "percent_of_step": 100 * timing.ours.median / benchmark.step.median,
                "ratio": timing.theirs.median / timing.ours.median if timing.theirs else None,
            }
            for timing in benchmark.losses
        ],
    }


def write_section(root: Path, benchmark: Benchmark, heading: str, command: str) -> Path:
    """Put the table into `root`/benchmarks/<machine>.md, in place of the section of that heading only."""
    slug = re.sub(r"[^a-z0-9]+", "-", str(benchmark.machine["device_name"]).lower()).strip("-") or "machine"
    path = root / "benchmarks" / f"{slug}.md"
    try:
        title = f"# Benchmarks on {benchmark.machine['device_name']}\n"
        before = path.read_text(encoding="utf-8") if path.exists() else title
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path} cannot be read: {error}.") from None
    body = f"## {heading}\n{to_markdown(loss_table(benchmark))}\n\n{conditions(benchmark)}\n\n`{command}`\n"
    sections = re.split(r"^(?=## )", before, flags=re.MULTILINE)
    kept = [text.rstrip("\n") + "\n" for text in sections]
    mine = next((n for n, text in enumerate(kept) if text.startswith(f"## {heading}\n")), len(kept))
    kept[mine : mine + 1] = [body]
    write_atomically(path, "\n".join(kept).encode())
    return path


def _spread(timing: Timing) -> str:
    return f"{timing.low:.2f}–{timing.high:.2f}"


def _timing(milliseconds: list[float]) -> Timing:
    if len(milliseconds) == 1:
        return Timing(*3 * milliseconds)
    low, median, high = statistics.quantiles(milliseconds, n=4, method="inclusive")
    return Timing(median, low, high)


def _milliseconds(work: Callable[[], object], repeats: int) -> list[float]:
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        found.append(1000 * (time.perf_counter() - began))
    return found


def _in_turns(
    ours: Callable[[], object], theirs: Callable[[], object] | None, repeats: int
) -> tuple[list[float], list[float]]:
    mine: list[float] = []
    others: list[float] = []
    for _ in range(_WARM_UP + repeats):
        mine += _milliseconds(ours, 1)
        if theirs is not None:
            others += _milliseconds(theirs, 1)
    return mine[_WARM_UP:], others[_WARM_UP:]


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
    network, loss = build(config)
    network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    precision = resolve_precision(config.precision, device)
    parameters = [*network.parameters(), *loss.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay, fused=True)
    pixels = torch.randint(0, 256, (batch_size, 1, 28, 28), dtype=torch.uint8)
    labels = torch.arange(batch_size) % config.classes

    def work() -> None:
        with autocast(device, precision):
            features = network(normalized(pixels))
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
