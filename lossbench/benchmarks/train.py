"""The speed of training steps, compared with the usual way and with the limit of the machine.

A step takes its batch from the data, goes forward, through the loss, backward and through the optimizer.
The usual way is `_plain_pytorch`, with a linear layer and cross-entropy on the same network. The ceiling is a
large matrix product in the same precision: its operations per second over those that the network's products
and convolutions take per image. All three are timed alternately.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ..data import epoch_batches, load_splits
from ..errors import UsageError
from ..files import plain
from ..randomness import seeded
from ..runs.config import DEFAULT_DATASET, PRECISIONS, RunConfig
from ..runs.config_builder import make_config
from ..runs.model import build
from ..runs.result import Machine
from ..specs import catalog
from ..tables import Table, number_text
from ..training.cuda_graph import StepGraph
from ..training.device import cores, describe_machine, resolve_device, resolve_precision
from ..training.process import Placement
from ._plain_pytorch import RECIPE, PlainTraining, endless, loader
from ._timing import Task, Timing, thread_count, time_alternately, timing
from ._trainers import STEPS, make_trainer
from .result import Benchmark, machine_text

_COUNTED = 16  # images in the batch whose operations are counted
_SIDE = {"cpu": 2048, "cuda": 8192, "mps": 4096}


class StepTiming(NamedTuple):
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
    configs = [
        make_config(network=name, precision=precision, batch_size=batch_size, dataset=dataset)
        for name in names
        for precision in _precisions(precisions, device)
    ]
    timings = []
    for config, count in itertools.product(configs, counts):
        with thread_count(count), seeded(0, "benchmark"):
            timings.append(_time_steps(config, count, repeats, placement, device))
    operations = {config.network: operations_per_image(config) for config in configs}
    return _to_benchmark(timings, operations, describe_machine(device), batch_size, repeats, dataset)


def operations_per_image(config: RunConfig) -> float:
    """Floating-point operations that a training step takes per image, of products and convolutions."""
    network, loss = build(config)
    images = torch.zeros(_COUNTED, *config.input_shape)
    labels = torch.arange(_COUNTED) % config.classes
    with FlopCounterMode(display=False) as counter:
        loss(network(images), labels).backward()
    return float(counter.get_total_flops()) / _COUNTED


def _precisions(asked: Sequence[str] | None, device: torch.device) -> tuple[str, ...]:
    explicit = tuple(name for name in PRECISIONS if name != "auto")
    for name in asked or ():
        if name not in explicit:
            raise UsageError(f"--precisions {name} is not one of {', '.join(explicit)}.")
    native = resolve_precision("auto", device)
    return tuple(
        asked or (name for name in explicit if resolve_precision(name, device) in (torch.float32, native))
    )


def _time_steps(
    config: RunConfig, threads: int, repeats: int, placement: Placement, device: torch.device
) -> StepTiming:
    ours, usual = _our_steps(config, placement), _usual_steps(config, placement, device)
    side, precision = _SIDE[device.type], resolve_precision(config.precision, device)
    product = _matrix_product(side, precision, device)
    seconds, usual_seconds, products = time_alternately([ours, usual, product], repeats, device=device)
    images, per_image = STEPS * config.batch_size, operations_per_image(config)
    ceilings = [2 * side**3 / second / per_image for second in products]
    return StepTiming(
        config.network,
        config.precision,
        threads,
        timing([images / second for second in seconds]),
        timing([images / second for second in usual_seconds]),
        timing([usual / second for second, usual in zip(seconds, usual_seconds, strict=True)]),
        timing(ceilings),
        timing([images / second / ceiling for second, ceiling in zip(seconds, ceilings, strict=True)]),
    )


def _our_steps(config: RunConfig, placement: Placement) -> Task:
    trainer = make_trainer(config, placement)
    order = epoch_batches(
        trainer.splits.train.labels, batch_size=config.batch_size, seed=config.seed, epoch=0
    ).to(trainer.device)
    turn, graph = itertools.cycle(range(trainer.steps_per_epoch)), StepGraph()

    def run() -> None:
        for _ in range(STEPS):
            trainer.batch_indices.copy_(order[next(turn)])
            graph.step_one(trainer)

    return run


def _usual_steps(config: RunConfig, placement: Placement, device: torch.device) -> Task:
    network: nn.Module = catalog.load("networks", config.network)(config.input_shape, config.feature_dim)
    head = nn.Linear(config.feature_dim, config.classes)
    usual = PlainTraining(network, head, lambda x, labels: F.cross_entropy(head(x), labels), device)
    batches = endless(loader(load_splits(config.split_spec, placement.data_dir).train, config.batch_size))

    def run() -> None:
        for _ in range(STEPS):
            usual.step(*next(batches))

    return run


def _matrix_product(side: int, precision: torch.dtype, device: torch.device) -> Task:
    a, b = (torch.randn(side, side, device=device).to(precision) for _ in range(2))
    out = torch.empty_like(a)

    def run() -> None:
        if device.type != "cuda":
            torch.mm(a, b, out=out)
            return
        before = torch.backends.cuda.matmul.allow_tf32
        # convolutions take TF32 unless told otherwise, products do not: compare the same arithmetic
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
        torch.mm(a, b, out=out)
        torch.backends.cuda.matmul.allow_tf32 = before

    return run


def _to_benchmark(
    timings: Sequence[StepTiming],
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
            each.network,
            each.precision,
            str(each.threads),
            *each.ours.cells(0),
            *each.usual.cells(0),
            *each.ratio.cells(),
            number_text(each.ceiling.median, 0),
            *each.share.scaled(100).cells(1),
        ]
        for each in timings
    ]
    side = _SIDE[machine.device]
    counts = " or ".join(map(str, dict.fromkeys(each.threads for each in timings)))
    took = ", ".join(f"{name} {count / 1e6:.1f}" for name, count in operations.items())
    conditions = (
        f"Training steps on {dataset}, B = {batch_size}: data, forward, loss, backward, optimizer; medians "
        f"of {repeats} turns of {STEPS} steps, all of a row in turns. Usual: the same network, {RECIPE}, in "
        "the same process, which keeps the memory that is freed. "
        f"Ceiling: a {side} x {side} matrix product in the same precision, over the operations counted per "
        f"image (millions: {took}). {machine_text(machine, counts)}"
    )
    data = {
        "dataset": dataset,
        "batch_size": batch_size,
        "repeats": repeats,
        "operations_per_image": operations,
        "paces": timings,
    }
    return Benchmark("train", machine, Table(header, rows), conditions, plain(data))
