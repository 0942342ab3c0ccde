"""`lossbench explain`: what a loss computes, and what it can reach for C classes in D dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._options import Json, Settings, parse_settings
from ._output import print_json, print_table, results

if TYPE_CHECKING:
    import numpy as np

    from ..losses import Explanation

_WIDTH, _HEIGHT = 61, 15


def explain(
    loss: Annotated[str, typer.Argument(help="A loss; `lossbench losses` lists them.")],
    classes: Annotated[int, typer.Option("--classes", min=2, max=100_000, help="Number of classes C.")] = 10,
    dim: Annotated[int, typer.Option("--dim", min=1, max=4096, help="Feature dimension D.")] = 2,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Formula, settings, the largest margin and smallest scale that (C, D) allows, the target-logit curve."""
    from ..losses import documentation
    from ..losses import explain as explained
    from ..specs import catalog
    from ..tables import Table

    spec = catalog.spec("losses", loss)
    found = explained(loss, parse_settings(settings), classes, dim)
    if json:
        print_json({"loss": loss, "classes": classes, "dim": dim, **_document(found)})
        return
    results.print(documentation(loss), markup=False)
    results.print()
    rows = []
    for key, setting in spec.settings.items():
        limits = [f"at most {setting.largest(classes, dim):.3f}"] if setting.largest else []
        limits += [f"at least {setting.smallest(classes, dim):.1f}"] if setting.smallest else []
        here = found.settings[key]
        shown = f"{here:g}" if isinstance(here, float) else str(here).lower()
        rows.append([key, shown, setting.paper, setting.bounds, " ".join(limits), setting.help])
    if rows:
        header = ["setting", f"here (C={classes}, D={dim})", "paper", "bounds", "feasible", ""]
        print_table(Table(header, rows))
    for line in _sentences(found, classes, dim):
        results.print(line, markup=False)
    if found.curve is not None:
        results.print()
        results.print(_chart(*found.curve), markup=False)


def _sentences(found: Explanation, classes: int, dim: int) -> list[str]:
    degrees = math.degrees(found.neighbour_angle)
    lines = [
        f"{classes} directions in {dim} dimensions stand {degrees:.1f}° apart at best: the largest margin "
        f"for all classes at once is {found.largest_angular_margin:.3f} rad on the angle, "
        f"{found.largest_cosine_margin:.3f} on the cosine.",
        f"The smallest scale with which a perfect sample reaches 90 % without a margin is "
        f"{found.smallest_useful_scale:.1f}.",
    ]
    if (best := found.best_probability) is not None:
        lines.append(
            f"At these settings a perfect sample reaches a training probability of {best:.3f}: "
            f"the loss cannot fall below {-math.log(max(best, 1e-300)):.3f}."
        )
    return lines


def _document(found: Explanation) -> dict[str, Any]:
    document = found._asdict()
    if math.isinf(found.smallest_useful_scale):
        document["smallest_useful_scale"] = None
    if found.curve is not None:
        angles, targets = found.curve
        document["curve"] = {"angle": angles.tolist(), "target_logit_over_scale": targets.tolist()}
    return document


def _chart(angles: np.ndarray, targets: np.ndarray) -> str:
    """The curve in characters: * the target logit over the scale, . the plain cosine."""
    low, high = min(-1.0, float(targets.min())), max(1.0, float(targets.max()))
    cells = [[" "] * _WIDTH for _ in range(_HEIGHT)]
    for mark, values in ((".", [math.cos(a) for a in angles]), ("*", list(targets))):
        for angle, value in zip(angles, values, strict=True):
            row = round((high - value) / (high - low) * (_HEIGHT - 1))
            cells[row][round(angle / math.pi * (_WIDTH - 1))] = mark
    lines = ["target logit / scale (*) against the angle, cosine (.)"]
    for number, row in enumerate(cells):
        value = high - number * (high - low) / (_HEIGHT - 1)
        lines.append(f"{value:6.2f} │{''.join(row)}")
    lines.append(" " * 7 + "└" + "─" * _WIDTH)
    lines.append(" " * 8 + "0°" + "90°".center(_WIDTH - 6) + "180°")
    return "\n".join(lines)
