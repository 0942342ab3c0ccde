"""lossbench: see what a loss does to a feature space, and trust the comparison.

The functions here do what the commands of the same names do, with the same store of runs: a finished run is
not trained again, an interrupted one is continued. Importing this package loads nothing; a function imports
what it needs when it is called.

Keyword arguments of `train`, `compare`, `sweep`, `tune` and `runs` are the options of the command line, with
`_` for `-`, such as `dataset`, `network`, `feature_dim`, `epochs`, `batch_size`, `lr`, `seed`, `unseen`,
`alpha`, `margin`, `scale`, `device`, `data_dir` and `threads`; `lam` is `--lambda`. docs/options.md has all.
Unknown options and wrong values raise `UsageError`, which is a `ValueError`. All errors of lossbench are
`lossbench.errors.LossbenchError`.
"""

from __future__ import annotations

import os
import sys

if (
    sys.argv[:1] == ["-m"]
    and sys.orig_argv[-len(sys.argv)] in ("lossbench", "-mlossbench")
    and not getattr(sys.flags, "safe_path", sys.flags.isolated)
):
    # `python -m` searches the working folder first; a file there may be named like a library's module
    sys.path.append(sys.path.pop(0))

from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, TypeAlias

    from matplotlib.figure import Figure
    from torch import nn

    from .experiments.loss_search import SearchResult
    from .experiments.tuning_result import TuningResult
    from .losses import Explanation
    from .reports.animation import Animation
    from .reports.experiment import Comparison, Sweep
    from .reports.onnx_file import OnnxFile
    from .runs.run import Run
    from .specs import Value

    Path: TypeAlias = str | os.PathLike[str]
    Loss: TypeAlias = str | type[nn.Module]

__version__ = "0.1.0"
__all__ = ["animate", "compare", "explain", "export", "load", "plot", "runs", "sweep", "train", "tune"]


def train(
    loss: Loss = "softmax",
    *,
    settings: Mapping[str, Value] | None = None,
    results: Path = "results",
    force: bool = False,
    snapshots: int = 0,
    tensorboard: bool = False,
    progress: bool = True,
    **options: Any,
) -> Run:
    """Train one network under one loss; a finished run is returned, an interrupted one continued.

    Args:
        loss: A loss (`lossbench losses` lists them), a weighted sum such as ``"softmax + 0.003*center"``,
            ``"module:Class"``, or a class of your own: a `torch.nn.Module` that is built from `num_classes`
            and `feature_dim`, and takes features (B, D) and labels (B,). A class of a notebook is fine.
        settings: Hyper-parameters of the loss by name, such as ``{"alpha": 0.5}`` or
            ``{"center.alpha": 0.5}``.
        results: The folder of runs, figures and tables.
        force: Train again, and delete what is stored of the run.
        snapshots: Number of snapshots of the features in training, for `animate`; denser early.
        tensorboard: Also write the run for TensorBoard.
        progress: Whether to show a bar (lines of text where there is no terminal, or no ipywidgets in a
            notebook).
        **options: Options of a run, see `help(lossbench)` and docs/options.md.

    Returns:
        The finished run, with features, labels, metrics, network and loss.

    Raises:
        UsageError: For an unknown loss or option, or a wrong value.
        DataError: Where the data set cannot be read.
        Interrupted: On Ctrl-C; the state is saved, and the same call continues.
        Diverged: Where the loss became NaN or infinite.
        RunError: Where the run cannot be written, another process trains it, or your class raised an error.
    """
    from .cli._python import loss_name, open_run, python_request, running
    from .cli.train import train_run
    from .runs.config_builder import config_at
    from .runs.store import Store

    request, storage = python_request(options, settings, results, force, snapshots, tensorboard)
    run = Store(storage.results).run(config_at(loss_name(loss), request.point))
    with running(progress):
        train_run(run, request, storage)
    return open_run(run.path, results, request.data_dir)


def compare(
    losses: str | Sequence[Loss] | None = None,
    *,
    seeds: int | str | Iterable[int] = 0,
    baseline: Loss | None = None,
    metric: str | Sequence[str] = "test_accuracy",
    datasets: Sequence[str] | None = None,
    tuned: bool = False,
    jobs: int | None = None,
    settings: Mapping[str, Value] | None = None,
    results: Path = "results",
    force: bool = False,
    snapshots: int = 0,
    progress: bool = True,
    **options: Any,
) -> Comparison:
    """Compare losses with a baseline over the same seeds; what is missing is trained.

    Args:
        losses: Losses as in `train`; ``"all"`` stands for every loss. By default softmax, center loss and
            ArcFace.
        seeds: For example ``range(10)`` or ``"0-9"``.
        baseline: The loss that the others are compared with. By default softmax, else the first.
        metric: Metrics to compare by; ``"all"`` for every metric.
        datasets: Several data sets. By default the one of the option `dataset`.
        tuned: Use the settings that `tune` found for each loss.
        jobs: Runs trained at the same time, on a CPU thread each; 0 is as many as fit. By default 1 on a
            CPU. This is safe in notebooks and in scripts without ``if __name__ == "__main__"``: a worker
            never imports them. With a class or a data function that is defined there, `jobs` is 1.
        settings, results, force, snapshots, progress, **options: As in `train`.

    Returns:
        A comparison with `table()`, `differences()`, `to_latex()`, `figure()`, `rows` and `runs`.

    Raises:
        RunError: Where a run failed; those that diverged are counted in the table.
        UsageError, DataError, Interrupted: As in `train`.
    """
    from .cli._options import names_of_data
    from .cli._python import (
        check_outcomes,
        loss_name,
        loss_names,
        names_of,
        number_of,
        python_request,
        running,
        seeds_of,
    )
    from .cli._training import run_comparison
    from .errors import UsageError
    from .specs.quantities import parse_metrics

    request, storage = python_request(options, settings, results, force, snapshots, several_runs=True)
    axes = {**request.axes, "seed": seeds_of(seeds)}
    if datasets is not None:
        if "dataset" in axes:
            raise UsageError("dataset and datasets exclude each other.")
        axes["dataset"] = names_of_data(names_of("datasets", datasets), storage.results)
    with running(progress):
        comparison = run_comparison(
            loss_names(losses),
            axes,
            request,
            storage,
            baseline=None if baseline is None else loss_name(baseline),
            metrics=parse_metrics(",".join(names_of("metric", metric)), unseen="unseen" in request.axes),
            tuned=tuned,
            jobs=number_of("jobs", jobs),
            command="lossbench.compare (Python)",
        )
    check_outcomes(comparison.outcomes)
    return comparison


def sweep(
    loss: Loss,
    *,
    seeds: int | str | Iterable[int] = 0,
    jobs: int | None = None,
    settings: Mapping[str, Any] | None = None,
    results: Path = "results",
    force: bool = False,
    snapshots: int = 0,
    progress: bool = True,
    **options: Any,
) -> Sweep:
    """Train a grid of settings: any numeric option, and any of `settings`, takes several values.

    Args:
        loss: As in `train`.
        seeds: For example ``range(3)`` or ``"0-2"``.
        jobs: As in `compare`; by default as many as fit.
        settings, results, force, snapshots, progress, **options: As in `train`; several values are a list, a
            range, an array of numbers, or a text such as ``"1e-4:1e-1:log:7"``.

    Returns:
        A sweep with `table()`, `to_latex()`, `figure()`, `varied` and `runs`.

    Raises:
        RunError: Where a run failed; those that diverged are counted in the table.
        UsageError, DataError, Interrupted: As in `train`.

    Examples:
        >>> lossbench.sweep("center", lam=[0, 0.01, 0.1], seeds=range(3))  # doctest: +SKIP
    """
    from .cli._python import check_outcomes, loss_name, number_of, python_request, running, seeds_of
    from .cli._training import run_sweep

    request, storage = python_request(options, settings, results, force, snapshots, several_runs=True)
    axes = {**request.axes, "seed": seeds_of(seeds)}
    with running(progress):
        swept = run_sweep(
            loss_name(loss),
            axes,
            request,
            storage,
            jobs=number_of("jobs", jobs) or 0,
            command="lossbench.sweep (Python)",
        )
    check_outcomes(swept.outcomes)
    return swept


@overload
def tune(
    loss: Loss,
    *,
    trials: int | None = None,
    metric: str = ...,
    seeds: int | str | Iterable[int] | None = None,
    jobs: int | None = None,
    settings: Mapping[str, Value] | None = None,
    results: Path = ...,
    progress: bool = ...,
    **options: Any,
) -> TuningResult: ...


@overload
def tune(
    *,
    losses: str | Sequence[Loss],
    budget: str | float | None = None,
    metric: str = ...,
    seeds: int | str | Iterable[int] | None = None,
    jobs: int | None = None,
    settings: Mapping[str, Value] | None = None,
    results: Path = ...,
    progress: bool = ...,
    **options: Any,
) -> SearchResult: ...


def tune(
    loss: Loss | None = None,
    *,
    losses: str | Sequence[Loss] | None = None,
    trials: int | None = None,
    budget: str | float | None = None,
    metric: str = "val_accuracy",
    seeds: int | str | Iterable[int] | None = None,
    jobs: int | None = None,
    settings: Mapping[str, Value] | None = None,
    results: Path = "results",
    progress: bool = True,
    **options: Any,
) -> TuningResult | SearchResult:
    """Search the settings and the learning rate of a loss, or the best of several losses and their settings.

    Only the validation split is used. The same call continues a search that was stopped, as the command
    does; several processes can work on one search at once.

    Args:
        loss: As in `train`. Either this is given, with `trials`, or `losses`, with `budget`.
        losses: Losses to choose from, as a sequence or separated by commas; ``"all"`` stands for every loss.
        trials: Trials of `loss`, by default 30; give every loss the same number.
        budget: Time for `losses`: seconds, or a text such as ``"90s"``, ``"10m"`` or ``"2h"``. By default 10
            minutes.
        metric: The objective, measured on the validation split.
        seeds: Seeds over which the objective is averaged, by default 1000 and 1001, for `losses` 1000 to
            1004. Compare with other ones afterwards.
        jobs: Trials run at the same time, on a CPU thread each; 0 is as many as fit. By default 1.
        settings, results, progress, **options: As in `train`; what is given here is not searched.

    Returns:
        For `loss` a TuningResult with `point`, the best settings, `value` there and `default_value`.
        For `losses` a SearchResult with `outcomes`, one for each loss, the best first, and `candidates`, the
        best loss and those not distinguishable from it.
        ``compare(..., tuned=True)`` uses the settings that either found.

    Raises:
        UsageError: Without the extra `tune`, for options of `loss` and of `losses` at once, where nothing is
            left to search, or as in `train`.
        RunError: Where no trial finished, or files cannot be written.
        DataError, Interrupted: As in `train`.

    Examples:
        >>> found = lossbench.tune(losses=["softmax", "center"], budget="10m")  # doctest: +SKIP
        >>> lossbench.compare(found.candidates, tuned=True, seeds=range(10))  # doctest: +SKIP
    """
    from .cli._python import loss_name, loss_names, names_of, number_of, python_request, running, seeds_of
    from .cli._training import without_workers
    from .cli.tune import search
    from .runs.store import Store

    request, storage = python_request(options, settings, results, several_runs=True)
    name = None if loss is None else loss_name(loss)
    names = None if losses is None else loss_names(losses)
    jobs, trials = number_of("jobs", jobs), number_of("trials", trials)
    named = [name, *(names or ()), request.point.get("network"), request.point.get("dataset")]
    if any("__main__:" in str(each) for each in named):
        jobs = without_workers(jobs, request)
    averaged = None if seeds is None else seeds_of(seeds)
    goal = ",".join(names_of("metric", metric))
    with running(progress):
        return search(request, Store(storage.results), name, names, trials, budget, goal, averaged, jobs)


def load(run: Path, *, results: Path = "results", data_dir: Path | None = None) -> Run:
    """Open a finished run. This runs none of your code.

    Args:
        run: Its folder; or its name, its id, or the beginning of either, for a run in `results`.
        results: The folder of runs, figures and tables.
        data_dir: Where the data set is, for `Run.images`. By default ``$LOSSBENCH_DATA``, else the user's
            cache.

    Raises:
        UsageError: Where no run, or more than one, has this name.
        RunError: Where the run is not complete, damaged, or changed by hand.
    """
    from .cli._python import open_run

    return open_run(run, results, data_dir)


def runs(
    *,
    loss: Loss | Sequence[Loss] | None = None,
    results: Path = "results",
    data_dir: Path | None = None,
    **options: Any,
) -> list[Run]:
    """All finished runs with one of these losses and these values of options, oldest first.

    Args:
        loss: As in `train`. By default any.
        results, data_dir: As in `load`.
        **options: Options of a run with one value or several, such as ``seed=0`` or ``epochs=[10, 20]``.

    Raises:
        UsageError: For an unknown loss or option, or a wrong value.
    """
    from .cli._python import find_runs

    return find_runs(loss, options, results, data_dir)


def plot(
    figure: str = "features",
    runs: Run | Sequence[Run] | None = None,
    *,
    style: str = "paper",
    results: Path = "results",
    data_dir: Path | None = None,
    **choices: str | None,
) -> Figure:
    """Draw a figure of finished runs, without training.

    Args:
        figure: A figure of docs/figures.md, such as ``"features"``, ``"regions"`` or ``"curves"``.
        runs: The runs to show. By default those that the command `lossbench plot` shows. Titles say in what
            the runs differ.
        style: ``"paper"``, ``"slides"`` or ``"dark"``.
        results, data_dir: As in `load`.
        **choices: Options of the figure: `split`, `view`, `metric`, `over`, `projection`, `label`.

    Returns:
        A matplotlib Figure. A notebook shows it; ``figure.savefig("features.pdf")`` writes it. It is not
        registered with pyplot.

    Raises:
        UsageError: For an unknown figure or choice.
        RunError: Where runs lack what the figure shows.
    """
    from .cli._python import selected_runs
    from .reports.figure_files import check_texts, compose_figure, render_figure
    from .specs import catalog

    check_texts(choices)
    spec = catalog.spec("figures", str(figure))
    views = selected_runs(
        runs, results, spec.default, data_dir, axes=spec.axes, over=choices.get("over"), dim=spec.dim
    )
    return render_figure(compose_figure(figure, views, **choices), style)


def animate(
    runs: Run | Sequence[Run] | None = None,
    output: Path | None = None,
    *,
    view: str = "raw",
    fps: float = 4.0,
    style: str = "paper",
    results: Path = "results",
) -> Animation:
    """Animate runs that were trained with `snapshots`: one frame per snapshot, runs side by side.

    Args:
        runs: The runs to show. By default those that the command `lossbench animate` shows.
        output: The file, a GIF, or an MP4 with the extra `video`. By default a GIF in ``results/figures``.
        view: ``"raw"`` for the plane, ``"normalized"`` for directions on the unit circle.
        fps: Frames per second.
        style, results: As in `plot`.

    Returns:
        An animation with its `path`; a notebook shows it.

    Raises:
        RunError: Where a run has no snapshots, or the file cannot be written.
        UsageError: For an unknown format or choice.
    """
    from .cli._flags import as_path
    from .cli._python import number_of, selected_runs
    from .cli.animate import VIEWS, write_animation
    from .reports.animation import Animation
    from .reports.figure_files import check_choice
    from .runs.store import Store

    check_choice("--view", view, VIEWS)
    rate = number_of("fps", fps)
    views = selected_runs(runs, results, snapshots=True)
    path = write_animation(
        Store(as_path(results)),
        views,
        None if output is None else as_path(output),
        view=view,
        style=style,
        fps=rate,
        command="lossbench.animate (Python)",
    )
    return Animation(path)


def export(run: Run, output: Path) -> OnnxFile:
    """Write the network of a run as an ONNX file, with class scores where there are classes.

    Args:
        run: The run.
        output: The file, ending in ``.onnx``. Its input is `images` (N, channels, height, width), float32
            and normalized as its metadata says; its outputs are `features` (N, D) and `scores` (N, C).

    Returns:
        A file with its `path`, `outputs`, `difference` (the largest one to PyTorch on 1,000 images, relative
        to the largest number) and `left_out` (why there are no scores: they need the code of your own loss,
        which this runs, and it cannot be used).

    Raises:
        UsageError: Without the extra `onnx`, or for another kind of file.
        RunError: Where the file would differ from PyTorch by more than 1e-4, or cannot be written.
    """
    from .cli._flags import as_path
    from .cli._python import view_of
    from .reports.onnx_file import export as write

    return write(view_of(run), as_path(output))


def explain(
    loss: str, classes: int = 10, dim: int = 2, *, settings: Mapping[str, Value] | None = None
) -> Explanation:
    """The limits of a loss for C classes in D dimensions, and what it can reach at its settings.

    Args:
        loss: A loss by name.
        classes, dim: C and D.
        settings: Hyper-parameters by name; the others have their defaults.

    Returns:
        Settings, the largest margins (radians, and of the cosine), the smallest useful scale, the best
        probability, and the curve of the target logit. `lossbench.losses.documentation(loss)` is the text.

    Raises:
        UsageError: For an unknown loss or setting, or a value out of bounds.
    """
    from .cli._python import checked_settings, loss_name
    from .losses import explain as explain_loss

    return explain_loss(loss_name(loss), checked_settings(settings), classes, dim)
