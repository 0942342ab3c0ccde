"""`lossbench compare`: several losses under equal conditions, one table, one figure."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import catalog
from ..config import COMPARED_LOSSES, dataset_spec
from ._options import DEFAULT_RESULTS, Force, Jobs, Json, Request, Results, Seeds, run_options
from ._output import command_line, print_json, print_table, say

Losses = Annotated[
    str,
    typer.Option(
        "--losses", help="Losses or sums, separated by commas; `all` for every one.", rich_help_panel="Loss"
    ),
]
_DEFAULT = ",".join(COMPARED_LOSSES)
_PANEL_LOSSES = 5  # beyond that one column per loss is too narrow to read


@run_options(lists=False)
def compare(
    request: Request,
    losses: Losses = _DEFAULT,
    seeds: Seeds = "0",
    jobs: Jobs = 1,
    results: Results = DEFAULT_RESULTS,
    force: Force = False,
    json: Json = False,
) -> None:
    """Train what is missing, print one table, draw the panel figure: train features above test features."""
    from ..rendering import draw_features, draw_grid
    from ..reporting import comparison, conditions, write_tables
    from ..store import Store
    from ..sweeping import applicable, expand, parse_seeds, summarize
    from ._many import fail_if_any, run_configs

    names = list(catalog.names("losses")) if losses == "all" else [n.strip() for n in losses.split(",")]
    axes = {**request.axes, "seed": parse_seeds(seeds)}
    chosen = applicable(names, axes)
    configs = [config for name, own in zip(names, chosen, strict=True) for config in expand(name, own)]
    store = Store(results)
    outcomes = run_configs(configs, store, request, jobs=jobs, force=force)
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    rows = summarize(outcomes)
    label = "-".join(config for config in dict.fromkeys(c.loss for c in configs))
    label = label if len(names) <= _PANEL_LOSSES else f"{len(names)}-losses"
    name = f"compare-{label}-{configs[0].dataset}"
    figure = None
    if done:
        first = {outcome.config.loss: outcome for outcome in reversed(done)}
        shown = [store.run(o.config) for o in done if first[o.config.loss] is o]
        draw = draw_features if len(shown) <= _PANEL_LOSSES else draw_grid
        figure = draw(shown, store.figures / f"{name}.png")
        title = f"{dataset_spec(configs[0].dataset).title}: {' · '.join(row.config.title for row in rows)}"
        write_tables(
            store,
            name,
            rows,
            swept=(),
            title=title,
            command=command_line(),
            stated=conditions([o.config for o in done], [o.result for o in done]),
        )
    if json:
        print_json({"runs": [o.result for o in outcomes], "figure": str(figure) if figure else None})
    else:
        print_table(comparison(rows))
        say(f"Table: {store.tables / name}.md, .csv" + (f"   Figure: {figure}" if figure else ""))
    fail_if_any(outcomes)
