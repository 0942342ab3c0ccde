"""Measure the speed of lossbench on this machine."""

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

Repeats = Annotated[int, typer.Option("--repeats", min=1, help="Number of timings; the median is shown.")]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads (default: what torch chooses).")
]


@bench.command()
def train(
    networks: Annotated[str | None, typer.Option("--networks", help="Networks (default: all).")] = None,
    precisions: Annotated[
        str | None, typer.Option("--precisions", help="fp32, bf16 (default: those of the hardware).")
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
    """Time training steps of every network, and compare with plain PyTorch and the peak of the machine."""
    from ..benchmarks.train import measure
    from ..training.process import Placement

    benchmark = measure(
        networks=_split(networks),
        precisions=_split(precisions),
        threads=_thread_counts(threads),
        batch_size=batch_size,
        repeats=repeats,
        dataset=dataset,
        placement=Placement(device, data_dir),
    )
    _print_benchmark(benchmark, results, json)


@bench.command()
def quality(
    loss: LossName = "center",
    network: Network = DEFAULT_NETWORK,
    target: Annotated[
        float, typer.Option("--target", min=0, max=100, help="Test accuracy to reach, in percent.")
    ] = 98.5,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Epochs of the public recipe.")] = 30,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of both trainings.")] = 0,
    threads: Threads = None,
    dataset: Dataset = DEFAULT_DATASET,
    data_dir: DataDir = None,
    device: Device = "auto",
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time training to a test accuracy, and compare with the recipe of public repositories."""
    from ..benchmarks.quality import measure
    from ..training.process import Placement

    config = make_config(loss=loss, network=network, dataset=dataset, seed=seed)
    place = Placement(device, data_dir, threads)
    _print_benchmark(measure(config, target=target / 100, epochs=epochs, placement=place), results, json)


@bench.command()
def sweep(
    runs: Annotated[int | None, typer.Option("--runs", min=1, help="Runs (default: two per worker).")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=0, help="Workers, each on a share of the cores; 0: one per core.")
    ] = 0,
    epochs: Annotated[int, typer.Option("--epochs", min=1, help="Epochs of each run.")] = 1,
    network: Network = DEFAULT_NETWORK,
    dataset: Dataset = DEFAULT_DATASET,
    data_dir: DataDir = None,
    device: Device = "auto",
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Compare runs in sequence with runs on parallel workers: throughput, overhead, memory."""
    from ..benchmarks.sweep import measure
    from ..training.device import cores
    from ..training.process import Placement

    workers = jobs or cores()
    configs = [
        make_config(seed=seed, network=network, dataset=dataset, epochs=epochs)
        for seed in range(runs or 2 * workers)
    ]
    _print_benchmark(measure(configs, workers=workers, placement=Placement(device, data_dir)), results, json)


@bench.command()
def losses(
    names: Annotated[str | None, typer.Option("--losses", help="Losses (default: all).")] = None,
    repeats: Repeats = 25,
    batch_size: Annotated[int, typer.Option("--batch-size", min=2, help="Samples B in the batch.")] = 1024,
    threads: Threads = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time value and gradient of every loss, and compare with pytorch-metric-learning."""
    from ..benchmarks.losses import measure

    benchmark = measure(repeats=repeats, batch_size=batch_size, threads=threads, names=_split(names))
    _print_benchmark(benchmark, results, json)


@bench.command()
def metrics(
    names: Annotated[str | None, typer.Option("--metrics", help="Metrics (default: all).")] = None,
    repeats: Repeats = 3,
    threads: Threads = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time every metric on as many features as MNIST has, and compare with scikit-learn."""
    from ..benchmarks.metrics import measure

    _print_benchmark(measure(repeats=repeats, threads=threads, names=_split(names)), results, json)


@bench.command()
def start(repeats: Repeats = 5, results: Results = DEFAULT_RESULTS, json: Json = False) -> None:
    """Time fresh processes: the help, the listing of losses, a plot of six runs."""
    from ..benchmarks.start import measure

    _print_benchmark(measure(repeats=repeats), results, json)


def _print_benchmark(benchmark: Benchmark, results: Path, json: bool) -> None:
    from ..benchmarks.result import document, write_section

    path = write_section(results, benchmark, command_line())
    if json:
        print_json(document(benchmark) | {"file": str(path)})
        return
    print_table(benchmark.table)
    say(f"{benchmark.conditions}\nTable: {path}")


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _thread_counts(text: str | None) -> list[int] | None:
    counts = [int(word) if word.isdecimal() else 0 for word in _split(text) or ()]
    if 0 in counts:
        raise UsageError(f"--threads {text}: write whole numbers from 1, like 1,2.")
    return counts or None
