"""`lossbench compare`: several losses under equal conditions; tables, panel figure, paired statistics."""

from typing import Annotated, Any

from ..errors import UsageError
from ..experiments.grid import parse_seeds
from ..runs.config import COMPARED_LOSSES
from ..specs.expressions import split_names
from ..specs.quantities import parse_metrics
from ._flags import Jobs, Json, Seeds, canonical_losses, flag
from ._options import Request, Storage, names_of_data, run_options
from ._output import command_line

Losses = Annotated[
    str,
    flag(
        "--losses",
        "Losses or sums, separated by commas; `all` for every one.",
        "Loss",
        callback=canonical_losses,
    ),
]
Baseline = Annotated[
    str | None,
    flag(
        "--baseline",
        "The loss that the others are compared with, seed by seed (default: softmax, else the first).",
        "Comparison",
        callback=canonical_losses,
    ),
]
Metric = Annotated[
    str,
    flag(
        "--metric",
        "Metrics to compare by, separated by commas; `all` for every one. The first is drawn.",
        "Comparison",
    ),
]
Datasets = Annotated[
    str | None, flag("--datasets", "Several data sets, separated by commas (default: --dataset).", "Data")
]
Tuned = Annotated[
    bool, flag("--tuned", "Use the settings that `lossbench tune` found for each loss.", "Comparison")
]
_DEFAULT = ",".join(COMPARED_LOSSES)


@run_options()
def compare(
    request: Request,
    storage: Storage,
    losses: Losses = _DEFAULT,
    seeds: Seeds = "0",
    baseline: Baseline = None,
    metric: Metric = "test_accuracy",
    datasets: Datasets = None,
    tuned: Tuned = False,
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Train what is missing; compare with a baseline over paired seeds; draw features and differences."""
    from ._publish import publish
    from ._training import run_comparison

    axes: dict[str, Any] = {**request.axes, "seed": parse_seeds(seeds)}
    if datasets is not None:
        if "dataset" in axes:
            raise UsageError("--dataset and --datasets exclude each other.")
        axes["dataset"] = names_of_data(dict.fromkeys(split_names(datasets)), storage.results)
    comparison = run_comparison(
        split_names(losses),
        axes,
        request,
        storage,
        baseline=baseline,
        metrics=parse_metrics(metric, unseen="unseen" in request.axes),
        tuned=tuned,
        jobs=jobs,
        command=command_line(),
    )
    publish(comparison, json=json)
