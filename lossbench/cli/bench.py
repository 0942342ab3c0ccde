"""Measure the speed of lossbench on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import LossbenchError, UsageError
from ..runs.config import DEFAULT_DATASET, DEFAULT_NETWORK
from ..runs.config_builder import make_config
from ..specs.expressions import split_names
from ._flags import DEFAULT_RESULTS, Json, LossName, Results, flag
from ._options import DataDir, Dataset, Device, Network
from ._output import command_line, print_json, print_message, print_table

if TYPE_CHECKING:
    from ..benchmarks.result import Benchmark

bench = typer.Typer(help=__doc__, no_args_is_help=True, rich_markup_mode=None, add_completion=False)

Repeats = Annotated[int, flag("--repeats", "Number of timings; the median is shown.", min=1)]
Threads = Annotated[int | None, flag("--threads", "Threads (default: what torch chooses).", min=1)]


@bench.command()
def train(
    networks: Annotated[str | None, flag("--networks", "Networks (default: all).")] = None,
    precisions: Annotated[
        str | None, flag("--precisions", "fp32, bf16 (default: those of the hardware).")
    ] = None,
    threads: Annotated[str | None, flag("--threads", "Thread counts (default: 1 and all cores).")] = None,
    batch_size: Annotated[
        int, flag("--batch-size", "Samples B in a batch, besides the default batch of a run.", min=2)
    ] = 128,
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
    target: Annotated[float, flag("--target", "Test accuracy to reach, in percent.", min=0, max=100)] = 98.5,
    epochs: Annotated[int, flag("--epochs", "Epochs of the public recipe.", min=1)] = 30,
    seed: Annotated[int, flag("--seed", "Seed of both trainings.", min=0)] = 0,
    threads: Annotated[int | None, flag("--threads", "Threads (default: the network's).", min=1)] = None,
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
    runs: Annotated[int | None, flag("--runs", "Runs (default: two per worker).", min=1)] = None,
    jobs: Annotated[int, flag("--jobs", "Workers, each on a CPU thread; 0: one per core.", min=0)] = 0,
    epochs: Annotated[int, flag("--epochs", "Epochs of each run.", min=1)] = 1,
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
    names: Annotated[str | None, flag("--losses", "Losses (default: all).")] = None,
    repeats: Repeats = 25,
    batch_size: Annotated[int, flag("--batch-size", "Samples B in the batch.", min=2)] = 1024,
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
    names: Annotated[str | None, flag("--metrics", "Metrics (default: all).")] = None,
    repeats: Repeats = 3,
    threads: Threads = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Time every metric on as many features as MNIST has, and compare with scikit-learn."""
    from ..benchmarks.metrics import measure

    _print_benchmark(measure(repeats=repeats, threads=threads, names=_split(names)), results, json)


@bench.command()
def gpu(
    parts: Annotated[
        str | None,
        flag("--parts", "tests, networks, graphs, packs, comparisons, accuracy, kernels (default: all)."),
    ] = None,
    repeats: Repeats = 9,
    data_dir: DataDir = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Measure training on a CUDA device, part by part; each is written as soon as it is done."""
    from ..benchmarks.gpu import measure
    from ..training.process import Placement

    measured = measure(_split(parts), repeats=repeats, placement=Placement("cuda", data_dir))
    documents = [_write(benchmark, results, json) for benchmark in measured]
    if json:
        print_json({"parts": documents})


@bench.command()
def start(repeats: Repeats = 5, results: Results = DEFAULT_RESULTS, json: Json = False) -> None:
    """Time fresh processes: the help, the listing of losses, a plot of six runs."""
    from ..benchmarks.start import measure

    _print_benchmark(measure(repeats=repeats), results, json)


def _print_benchmark(benchmark: Benchmark, results: Path, json: bool) -> None:
    document = _write(benchmark, results, json)
    if json:
        print_json(document)


def _write(benchmark: Benchmark, results: Path, json: bool) -> dict[str, Any]:
    """Write the section of the benchmark, print it unless `json` is asked for, and return it for that."""
    from ..benchmarks.result import document, write_section

    if not json:
        print_table(benchmark.table)
    try:
        path = write_section(results, benchmark, command_line())
    except LossbenchError as error:
        error.document = document(benchmark)
        raise
    if not json:
        print_message(f"{benchmark.conditions}\nTable: {path}")
    return document(benchmark) | {"file": str(path)}


def _split(text: str | None) -> list[str] | None:
    return None if text is None else split_names(text)


def _thread_counts(text: str | None) -> list[int] | None:
    counts = [int(word) if word.isdecimal() else 0 for word in _split(text) or ()]
    if 0 in counts:
        raise UsageError(f"--threads {text}: write whole numbers from 1, like 1,2.")
    return counts or None
