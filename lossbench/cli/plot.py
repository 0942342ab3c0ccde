"""`lossbench plot`: figures from stored runs, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import COMPARED_LOSSES
from ..errors import RunError
from ._options import DEFAULT_RESULTS, Json, Results
from ._output import print_json, say, warn

if TYPE_CHECKING:
    from ..store import RunFolder, Store


def plot(
    run: Annotated[
        list[str] | None, typer.Option("--run", help="A run by name, id or their beginning; repeatable.")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="train, test or both.")] = "both",
    view: Annotated[
        str, typer.Option("--view", help="raw plane, or normalized ring with class-weight rays.")
    ] = "raw",
    form: Annotated[str, typer.Option("--format", help="png, pdf or svg.")] = "png",
    output: Annotated[
        Path | None, typer.Option("--output", help="File to write [default: below results/figures].")
    ] = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Draw the features of stored runs: by default the latest softmax, center and arcface runs."""
    from ..rendering import FORMATS, SPLITS, VIEWS, check_choice, draw_features
    from ..store import Store

    check_choice("--split", split, SPLITS)
    check_choice("--view", view, VIEWS)
    check_choice("--format", form, FORMATS)
    store = Store(results)
    chosen = [store.find(name) for name in run] if run else _latest(store)
    default = store.figures / f"features-{'-'.join(r.config.loss for r in chosen)}-{split}-{view}.{form}"
    path = draw_features(chosen, output or default, split=split, view=view)
    if json:
        print_json({"figure": str(path), "runs": [r.name for r in chosen]})
    else:
        say(f"Figure: {path}")


def _latest(store: Store) -> list[RunFolder]:
    """The newest complete run of each default loss, all of one data set: that of the newest run."""
    runs, problems = store.all()
    for problem in problems:
        warn(problem)
    done = [run for run in runs if (run.result() or {}).get("status") == "done"]
    chosen: dict[str, RunFolder] = {}
    newest = [run for run in done if run.config.loss in COMPARED_LOSSES]
    for run in newest:
        if run.config.dataset == newest[-1].config.dataset:
            chosen[run.config.loss] = run
    if not chosen:
        raise RunError(f"There is no finished run in {store.runs}; `lossbench compare` makes them.")
    return [chosen[name] for name in COMPARED_LOSSES if name in chosen]
