"""`lossbench animate`: the feature space while it is learned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ._flags import DEFAULT_RESULTS, Json, Output, Results, Style, flag
from ._output import command_line, print_json, print_message
from ._selection import Selection, select_runs, selection_options

if TYPE_CHECKING:
    from ..runs.store import Store
    from ..runs.stored_run import StoredRun

VIEWS = ("raw", "normalized")


@selection_options()
def animate(
    *,
    selection: Selection,
    view: Annotated[str, flag("--view", "raw, or normalized: directions on the unit circle.")] = "raw",
    fps: Annotated[float, flag("--fps", "Frames per second.", min=0.5, max=60)] = 4.0,
    style: Style = "paper",
    form: Annotated[str, flag("--format", "gif, or mp4 with the extra `video`.")] = "gif",
    output: Output = None,
    results: Results = DEFAULT_RESULTS,
    json: Json = False,
) -> None:
    """Animate stored runs that were trained with `--snapshots`: one frame per snapshot, runs side by side."""
    from ..reports.animation import FORMATS
    from ..reports.figure_files import check_choice
    from ..runs.store import Store

    check_choice("--format", form, FORMATS)
    check_choice("--view", view, VIEWS)
    store = Store(results)
    runs = select_runs(store, selection, snapshots=True)
    path = write_animation(
        store,
        runs,
        output,
        form,
        view=view,
        style=style,
        fps=fps,
        label=selection.label,
        command=command_line(),
    )
    if json:
        print_json({"animation": str(path), "runs": [r.name for r in runs]})
    else:
        print_message(f"Animation: {path}")


def write_animation(
    store: Store,
    runs: Sequence[StoredRun],
    output: Path | None,
    form: str = "gif",
    *,
    view: str,
    style: str,
    fps: float,
    label: str = "",
    command: str,
) -> Path:
    """Write an animation and its document; the path is `output`, else one in the results folder."""
    from ..reports.animation import animate as draw
    from ..reports.document import record_figure
    from ..reports.figure_names import figure_path

    choices = f"view {view}" + (f", style {style}" if style != "paper" else "")
    parts = [view, *([style] if style != "paper" else []), label]
    path = output or figure_path(store, "animation", runs, parts, form, choices, command_line())
    draw(runs, path, view=view, style=style, fps=fps)
    record_figure(store, path, "animation", runs, made_by="animate", command=command, choices=choices)
    return path
