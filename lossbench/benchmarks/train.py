"""How fast training is here: our step, beside the usual way and beside what the machine could do.

A step takes its batch from the data, goes forward, through the loss, backward and through the optimiser.
The usual way is `_usual`, with a linear layer and cross-entropy on the same network. The ceiling is a large
matrix product in the same precision: its operations per second over those that the network's products and
convolutions take per image. All three are timed in turns.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..data import epoch_batches, load_splits
from ..errors import UsageError
from ..protocols import Silent
from ..randomness import seeded
from ..runs.config import DEFAULT_DATASET, PRECISIONS, RunConfig, dataset_spec
from ..runs.config_builder import make_config
from ..runs.model import build
from ..runs.result import Machine
from ..runs.store import RunFolder
from ..specs import catalog
from ..tables import Table, number_text
from ..training.cuda_graph import StepGraph
from ..training.device import cores, describe_machine, resolve_device, resolve_precision
from ..training.process import Placement
from ..training.trainer import Trainer
from ._timing import Timing, in_turns, spread, threads_set, timing
from ._usual import RECIPE, Usual, endless, loader
from .result import Benchmark, on_machine

STEPS = 4
"""Steps of a turn: a device may run ahead inside it, as it does in training."""
_COUNTED = 16  # images in the batch whose operations are counted
_SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}


class Pace(NamedTuple):
    """One network at one precision and thread count; images per second, `ratio` and `share` turn by turn."""

    network: str
    precision: str
    threads: int
    ours: Timing
    usual: Timing
    ratio: Timing
    ceiling: Timing
    share: Timing


def measure(
    *,
    networks: Sequence[str] | None = None,
    precisions: Sequence[str] | None = None,
    threads: Sequence[int] | None = None,
    batch_size: int = 128,
    repeats: int = 9,
    dataset: str = DEFAULT_DATASET,
    placement: Placement,
) -> Benchmark:
    """Time every network x precision x thread count. Raises UsageError for an unknown one, DataError."""
    device = resolve_device(placement.device)
    names = networks or catalog.names("networks")
    counts = threads or sorted({1, cores()})
    chosen = [
        make_config(network=name, precision=precision, batch_size=batch_size, dataset=dataset)
        for name in names
        for precision in _precisions(precisions, device)
    ]
    paces = []
    for config, count in itertools.product(chosen, counts):
        with threads_set(count), seeded(0, "benchmark"):
            paces.append(_pace(config, count, repeats, placement, device))
    operations = {config.network: counted(config) for config in chosen}
    return _told(paces, operations, describe_machine(device), batch_size, repeats, dataset)


def counted(config: RunConfig) -> float:
    """Floating-point operations that a training step takes per image, of products and convolutions."""
    network, loss = build(config)
    images, labels = (
        torch.zeros(_COUNTED, *dataset_spec(config.dataset).shape),
        torch.arange(_COUNTED) % config.classes,
    )
    with FlopCounterMode(display=False) as counter:
        loss(network(images), labels).backward()
    return float(counter.get_total_flops()) / _COUNTED


def _precisions(asked: Sequence[str] | None, device: torch.device) -> tuple[str, ...]:
    known = tuple(name for name in PRECISIONS if name != "auto")
    for name in asked or ():
        if name not in known:
            raise UsageError(f"--precisions {name} is none of {', '.join(known)}.")
    native = resolve_precision("auto", device)
    return tuple(
        asked or (name for name in known if resolve_precision(name, device) in (torch.float32, native))
    )


def _pace(config: RunConfig, threads: int, repeats: int, placement: Placement, device: torch.device) -> Pace:
    ours, usual = _our_steps(config, placement), _usual_steps(config, placement, device)
    side, precision = _SIDE[device.type], resolve_precision(config.precision, device)
    product = _product(side, precision, device)
    taken, others, products = in_turns([ours, usual, product], repeats, device=device)
    images, per_image = STEPS * config.batch_size, counted(config)
    ceilings = [2 * side**3 / second / per_image for second in products]
    return Pace(
        config.network,
        config.precision,
        threads,
        timing([images / second for second in taken]),
        timing([images / second for second in others]),
        timing([other / own for own, other in zip(taken, others, strict=True)]),
        timing(ceilings),
        timing([images / own / ceiling for own, ceiling in zip(taken, ceilings, strict=True)]),
    )


def _our_steps(config: RunConfig, placement: Placement) -> Callable[[], None]:
    trainer = Trainer(RunFolder(Path(), config), placement, Silent(), lambda: False)
    order = epoch_batches(
        trainer.splits.train.labels, batch_size=config.batch_size, seed=config.seed, epoch=0
    ).to(trainer.device)
    turn, graph = itertools.cycle(range(trainer.steps_per_epoch)), StepGraph()

    def work() -> None:
        for _ in range(STEPS):
            trainer.batch_indices.copy_(order[next(turn)])
            graph.step_one(trainer)

    return work


def _usual_steps(config: RunConfig, placement: Placement, device: torch.device) -> Callable[[], None]:
    network: nn.Module = catalog.load("networks", config.network)(
        dataset_spec(config.dataset).shape, config.feature_dim
    )
    head = nn.Linear(config.feature_dim, config.classes)
    usual = Usual(network, head, lambda x, labels: F.cross_entropy(head(x), labels), device)
    batches = endless(loader(load_splits(config.split_spec, placement.data_dir).train, config.batch_size))

    def work() -> None:
        for _ in range(STEPS):
            usual.step(*next(batches))

    return work


def _product(side: int, precision: torch.dtype, device: torch.device) -> Callable[[], None]:
    a, b = (torch.randn(side, side, device=device).to(precision) for _ in range(2))
    out = torch.empty_like(a)

    def work() -> None:
        if device.type != "cuda":
            torch.mm(a, b, out=out)
            return
        before = torch.backends.cuda.matmul.allow_tf32
        # convolutions take TF32 unless told otherwise, products do not: compare the same arithmetic
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
        torch.mm(a, b, out=out)
        torch.backends.cuda.matmul.allow_tf32 = before

    return work


def _told(
    paces: Sequence[Pace],
    operations: Mapping[str, float],
    machine: Machine,
    batch_size: int,
    repeats: int,
    dataset: str,
) -> Benchmark:
    header = ["network", "precision", "threads", "images/s", "middle half", "usual images/s", "middle half"]
    header += ["ours/usual", "middle half", "ceiling images/s", "% of ceiling", "middle half"]
    rows = [
        [
            pace.network,
            pace.precision,
            str(pace.threads),
            *_cells(pace.ours, 0),
            *_cells(pace.usual, 0),
            *_cells(pace.ratio, 2),
            number_text(pace.ceiling.median, 0),
            *_cells(pace.share.times(100), 1),
        ]
        for pace in paces
    ]
    side = _SIDE[machine.device]
    counts = " or ".join(map(str, dict.fromkeys(pace.threads for pace in paces)))
    took = ", ".join(f"{name} {count / 1e6:.1f}" for name, count in operations.items())
    conditions = (
        f"Training steps on {dataset}, B = {batch_size}: data, forward, loss, backward, optimiser; medians "
        f"of {repeats} turns of {STEPS} steps, all of a row in turns. Usual: the same network, {RECIPE}, in "
        "the same process, which keeps the memory that is freed. "
        f"Ceiling: a {side} x {side} matrix product in the same precision, over the operations counted per "
        f"image (millions: {took}). {on_machine(machine, counts)}"
    )
    data = {
        "dataset": dataset,
        "batch_size": batch_size,
        "repeats": repeats,
        "operations_per_image": dict(operations),
        "paces": [
            {key: value._asdict() if isinstance(value, Timing) else value for key, value in found.items()}
            for found in (pace._asdict() for pace in paces)
        ],
    }
    return Benchmark("train", machine, Table(header, rows), conditions, data)


def _cells(found: Timing, digits: int) -> list[str]:
    return [number_text(found.median, digits), spread(found, digits)]
