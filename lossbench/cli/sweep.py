"""`lossbench sweep`: a grid of settings over seeds, in parallel, resumable."""

from ..experiments.grid import parse_seeds
from ._flags import Jobs, Json, LossName, Seeds
from ._options import Request, Storage, run_options
from ._output import command_line


@run_options(lists=True)
def sweep(
    request: Request,
    storage: Storage,
    loss: LossName = "center",
    seeds: Seeds = "0",
    jobs: Jobs = None,
    json: Json = False,
) -> None:
    """Train a grid: any numeric option takes a list or a range. Finished runs are skipped."""
    from ._publish import publish
    from ._training import run_sweep

    axes = {**request.axes, "seed": parse_seeds(seeds)}
    publish(run_sweep(loss, axes, request, storage, jobs=jobs or 0, command=command_line()), json=json)
