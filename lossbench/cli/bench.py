"""Measure how fast things are on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..runs.config import DEFAULT_DATASET, DEFAULT_NETWORK
from ..runs.config_builder import make_config
from ._options import DEFAULT_RESULTS, DataDir, Dataset, Device, Json, LossName, Network, Results
from ._output import command_line, print_json, print_table, say

if TYPE_CHECKING:
    from ..benchmarks.result import Benchmark

bench = typer.Typer(help=__doc__, no_args_is_help=True)

Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Timings, of which the median is shown.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads (default: what torch chooses).")
]


@bench.command()
def train(
    networks: Annotated[str | None, typer.Option("--networks", help="Networks (default: all).")] = None,
    precisions: Annotated[
        str | None, typer.Option("--precisions", help="fp32, bf16 (default: those that the hardware has).")
    ] = None,
    threads: Annotated[
        str | None, typer.Option("--threads", help="Thread counts (default: 1 and all cores).")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Samples B in the batch.")] = 128,
    repeats: Repeats = 9,
    dataset: Dataset = DEFAULT_DATASET,
    data_dir: DataDir = None,
    device: Device = "auto",
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time training steps of every network, beside the usual way and the machine's ceiling."""
    from ..benchmarks.train import measure
    from ..training.process import Placement

    found = measure(
        networks=_listed(networks),
        precisions=_listed(precisions),
        threads=_counts(threads),
        batch_size=batch_size,
        repeats=repeats,
        dataset=dataset,
        placement=Placement(device, data_dir),
    )
    _show(found, results, json)


@bench.command()
def quality(
    loss: LossName = "center",
    network: Network = DEFAULT_NETWORK,
    target: Annotated[
        float, typer.Option("--target", min=0, max=100, help="Test accuracy to reach, in percent.")
    ] = 98.5,
    epochs: Annotated[
        int, typer.Option("--epochs", min=1, help="Epochs after which the usual way ends.")
    ] = 30,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of both.")] = 0,
    threads: Threads = None,
    dataset: Dataset = DEFAULT_DATASET,
    data_dir: DataDir = None,
    device: Device = "auto",
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Train to a test accuracy, and by the recipe of public repositories: how much sooner is ours?"""
    from ..benchmarks.quality import measure
    from ..training.process import Placement

    config = make_config(loss=loss, network=network, dataset=dataset, seed=seed)
    place = Placement(device, data_dir, threads)
    _show(measure(config, target=target / 100, epochs=epochs, placement=place), results, json)


@bench.command()
def sweep(
    runs: Annotated[int | None, typer.Option("--runs", min=1, help="Runs (default: two per worker).")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=0, help="Workers, each on its share of the cores; 0: one per core.")
    ] = 0,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Epochs of each run.")] = 1,
    network: Network = DEFAULT_NETWORK,
    dataset: Dataset = DEFAULT_DATASET,
    data_dir: DataDir = None,
    device: Device = "auto",
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Train the same runs one after another and on parallel workers: throughput, overhead, memory."""
    from ..benchmarks.sweep import measure
    from ..training.device import cores
    from ..training.process import Placement

    workers = jobs or cores()
    configs = [
        make_config(seed=seed, network=network, dataset=dataset, epochs=epochs)
        for seed in range(runs or 2 * workers)
    ]
    _show(measure(configs, workers=workers, placement=Placement(device, data_dir)), results, json)


@bench.command()
def losses(
    names: Annotated[str | None, typer.Option("--losses", help="Losses (default: all).")] = None,
    repeats: Repeats = 25,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Samples B in the batch.")] = 1024,
    threads: Threads = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time value and gradient of every loss, beside a training step and pytorch-metric-learning."""
    from ..benchmarks.losses import measure

    found = measure(repeats=repeats, batch_size=batch_size, threads=threads, names=_listed(names))
    _show(found, results, json)


@bench.command()
def metrics(
    names: Annotated[str | None, typer.Option("--metrics", help="Metrics (default: all).")] = None,
    repeats: Repeats = 3,
    threads: Threads = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time every metric on features as many as MNIST's, beside scikit-learn's where there is one."""
    from ..benchmarks.metrics import measure

    _show(measure(repeats=repeats, threads=threads, names=_listed(names)), results, json)


@bench.command()
def start(repeats: Repeats = 5, results: Results = DEFAULT_RESULTS, json: Json = False) -> None:
    """Time fresh processes: the help, the listing of losses, a plot of six runs."""
    from ..benchmarks.start import measure

    _show(measure(repeats=repeats), results, json)


def _show(found: Benchmark, results: Path, json: bool) -> None:
    from ..benchmarks.result import document, write_section

    path = write_section(results, found, command_line())
    if json:
        print_json(document(found) | {"file": str(path)})
        return
    print_table(found.table)
    say(f"{found.conditions}\nTable: {path}")


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _counts(text: str | None) -> list[int] | None:
    counts = [int(word) if word.isdecimal() else 0 for word in _listed(text) or ()]
    if 0 in counts:
        raise UsageError(f"--threads {text}: write whole numbers from 1, like 1,2.")
    return counts or None
