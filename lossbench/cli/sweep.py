"""`lossbench sweep`: a grid of settings over seeds, in parallel, resumable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..files import slug
from ..runs.config import dataset_spec
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import Value
from ._flags import Jobs, Json, LossName, Seeds
from ._options import Request, Storage, run_options
from ._output import command_line

if TYPE_CHECKING:
    from ..runs.store import Store
    from ._training import Drawing


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
    from ..experiments.grid import expand, parse_seeds, varied_axes
    from ..experiments.summary import summarize
    from ..reports.document import Document, conditions
    from ..runs.store import Store
    from ._training import publish, run_configs

    axes: dict[str, tuple[Value, ...]] = {**request.axes, "seed": parse_seeds(seeds)}
    configs = expand(loss, axes)
    axes = {configs[0].setting_name(name): values for name, values in axes.items()}
    varied = varied_axes(configs, axes)
    store = Store(storage.results)
    outcomes = run_configs(configs, request, storage, jobs=jobs or 0)
    name = slug("-".join(["sweep", configs[0].loss, *varied, configs[0].dataset]))
    over = ", ".join(varied) or "seeds"
    document = Document(
        kind="sweep",
        title=f"{dataset_spec(configs[0].dataset).title}: {configs[0].title} over {over}",
        command=command_line(),
        conditions=conditions(outcomes),
        settings=summarize(outcomes, varied),
    )
    publish(store, name, document, outcomes, _drawings(store, name, outcomes, varied), json=json)


def _drawings(
    store: Store, name: str, outcomes: Sequence[Outcome], varied: Mapping[str, Sequence[Value]]
) -> Iterator[Drawing]:
    """A row of curves per numeric axis, and the features of the first seed at each setting."""
    from ..runs.stored_run import StoredRun
    from ._training import Drawing

    done = [outcome for outcome in outcomes if outcome.status is Status.DONE]
    runs = [StoredRun(store.run(outcome.config)) for outcome in done]
    for axis in varied:
        values = {outcome.config.value_of(axis) for outcome in done}  # some may have failed
        if len(values) > 1 and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        ):
            path = store.figures / f"{name}-curves{'' if len(varied) == 1 else '-' + slug(axis)}.png"
            yield Drawing(path, "curves", runs, {"over": axis})
    seed = min(run.seed for run in runs)
    shown = [run for run in runs if run.seed == seed]
    if 1 < len(shown) <= 40:
        yield Drawing(store.figures / f"{name}-grid.png", "lambda-grid", shown)
