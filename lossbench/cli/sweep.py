"""`lossbench sweep`: a grid of settings over seeds, in parallel, resumable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runs.config import dataset_spec
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import Value
from ._options import (
    DEFAULT_RESULTS,
    Force,
    Jobs,
    Json,
    LossName,
    Request,
    Results,
    Seeds,
    Snapshots,
    Tensorboard,
    run_options,
)
from ._output import command_line, print_json, print_table, say

if TYPE_CHECKING:
    from ..runs.store import Store


@run_options(lists=True)
def sweep(
    request: Request,
    loss: LossName = "center",
    seeds: Seeds = "0",
    jobs: Jobs = None,
    results: Results = DEFAULT_RESULTS,
    force: Force = False,
    snapshots: Snapshots = 0,
    tensorboard: Tensorboard = False,
    json: Json = False,
) -> None:
    """Train a grid: any numeric option takes a list or a range. Finished runs are skipped."""
    from ..experiments.grid import expand, parse_seeds, varied_axes
    from ..experiments.summary import summarize
    from ..reports.report import Report, comparison, conditions, write_tables
    from ..runs.store import Store
    from ._many import fail_if_any, run_configs

    axes: dict[str, tuple[Value, ...]] = {**request.axes, "seed": parse_seeds(seeds)}
    configs = expand(loss, axes)
    varied = varied_axes(configs, axes)
    store = Store(results)
    outcomes = run_configs(
        configs, store, request, jobs=jobs or 0, force=force, snapshots=snapshots, tensorboard=tensorboard
    )
    rows = summarize(outcomes)
    done = [outcome for outcome in outcomes if outcome.status is Status.DONE]
    name = "-".join(
        ["sweep", configs[0].loss, *(axis.replace(".", "-") for axis in varied), configs[0].dataset]
    )
    figures: list[str] = []
    if done:
        figures = _draw(store, name, done, varied)
        over = ", ".join(varied) or "seeds"
        title = f"{dataset_spec(configs[0].dataset).title}: {configs[0].title} over {over}"
        stated = conditions([o.config for o in done], [o.result for o in done if o.result])
        write_tables(store, name, Report(title, command_line(), stated, rows, swept=varied))
    if json:
        print_json({"runs": [o.result.to_dict() if o.result else None for o in outcomes], "figures": figures})
    else:
        print_table(comparison(rows))
        say("   ".join([f"Table: {store.tables / name}.md, .csv", *(f"Figure: {path}" for path in figures)]))
    fail_if_any(outcomes)


def _draw(store: Store, name: str, done: list[Outcome], varied: dict[str, list[Value]]) -> list[str]:
    """A row of curves per numeric axis, and the features of the first seed at each setting."""
    from ..reports.figure_files import draw_curves, draw_grid

    folders = [store.run(outcome.config) for outcome in done]
    figures = []
    for axis in varied:
        values = {outcome.config.value_of(axis) for outcome in done}  # some may have failed
        if len(values) > 1 and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        ):
            path = store.figures / f"{name}-curves{'' if len(varied) == 1 else '-' + axis}.png"
            figures.append(str(draw_curves(folders, axis, path)))
    seed = min(outcome.config.seed for outcome in done)
    shown = [store.run(outcome.config) for outcome in done if outcome.config.seed == seed]
    if 1 < len(shown) <= 40:
        figures.append(str(draw_grid(shown, store.figures / f"{name}-grid.png")))
    return figures
