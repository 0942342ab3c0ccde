"""`lossbench sweep`: a grid of settings over seeds, in parallel, resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..runs.config import dataset_spec
from ..runs.outcome import Outcome
from ..runs.result import Status
from ..specs import Value
from ._options import Jobs, Json, LossName, Request, Seeds, Storage, run_options
from ._output import command_line, print_json, print_message, print_table

if TYPE_CHECKING:
    from ..reports.document import WrittenFile
    from ..runs.store import Store


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
    from ..reports.result_tables import results_table, write_tables
    from ..reports.site import write_index
    from ..runs.store import Store
    from ._training import fail_if_any, run_configs

    axes: dict[str, tuple[Value, ...]] = {**request.axes, "seed": parse_seeds(seeds)}
    configs = expand(loss, axes)
    varied = varied_axes(configs, axes)
    store = Store(storage.results)
    outcomes = run_configs(configs, request, storage, jobs=jobs or 0)
    done = [outcome for outcome in outcomes if outcome.status is Status.DONE]
    name = "-".join(
        ["sweep", configs[0].loss, *(axis.replace(".", "-") for axis in varied), configs[0].dataset]
    )
    over = ", ".join(varied) or "seeds"
    document = Document(
        kind="sweep",
        title=f"{dataset_spec(configs[0].dataset).title}: {configs[0].title} over {over}",
        command=command_line(),
        conditions=conditions(outcomes),
        settings=summarize(outcomes, varied),
        files=_draw(store, name, done, varied) if done else (),
    )
    if done:
        write_tables(store, name, document)
        write_index(store)
    figures = [str(store.root / file.path) for file in document.files]
    if json:
        runs = [o.result.to_dict() if o.result else None for o in outcomes]
        print_json({**document.to_dict(), "runs": runs, "figures": figures})
    else:
        print_table(results_table(document.settings))
        files = [f"Table: {store.tables / name}.md, .csv", *(f"Figure: {path}" for path in figures)]
        print_message("   ".join(files))
    fail_if_any(outcomes)


def _draw(
    store: Store, name: str, done: Sequence[Outcome], varied: Mapping[str, Sequence[Value]]
) -> list[WrittenFile]:
    """A row of curves per numeric axis, and the features of the first seed at each setting."""
    from ..reports.document import written_file
    from ..reports.figure_files import draw
    from ..runs.stored_run import StoredRun

    runs = [StoredRun(store.run(outcome.config)) for outcome in done]
    files = []
    for axis in varied:
        values = {outcome.config.value_of(axis) for outcome in done}  # some may have failed
        if len(values) > 1 and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        ):
            path = store.figures / f"{name}-curves{'' if len(varied) == 1 else '-' + axis}.png"
            files.append(written_file(store, draw("curves", runs, path, over=axis), "curves", runs))
    seed = min(run.seed for run in runs)
    shown = [run for run in runs if run.seed == seed]
    if 1 < len(shown) <= 40:
        path = draw("lambda-grid", shown, store.figures / f"{name}-grid.png")
        files.append(written_file(store, path, "lambda-grid", shown))
    return files
