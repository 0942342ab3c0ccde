"""`lossbench explain`: what a loss computes, and its limits for C classes in D dimensions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._flags import Json, Settings, flag, parse_settings
from ._output import print_json, print_table, results

if TYPE_CHECKING:
    import numpy as np

    from ..losses import Explanation

_WIDTH, _HEIGHT = 61, 15


def explain(
    loss: Annotated[str, typer.Argument(help="A loss; `lossbench losses` lists them.")],
    classes: Annotated[int, flag("--classes", "Number of classes C.", min=2, max=100_000)] = 10,
    dim: Annotated[int, flag("--dim", "Feature dimension D.", min=1, max=4096)] = 2,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Formula, settings, the largest margin and smallest scale that (C, D) allows, the target-logit curve."""
    from ..losses import documentation
    from ..losses import explain as explain_loss
    from ..specs import catalog
    from ..tables import Table

    loss = catalog.canonical(loss)
    spec = catalog.spec("losses", loss)
    explanation = explain_loss(loss, parse_settings(settings), classes, dim)
    if json:
        print_json({"loss": loss, "classes": classes, "dim": dim, **_document(explanation)})
        return
    results.print(documentation(loss), markup=False)
    results.print()
    rows = []
    for key, setting in spec.settings.items():
        limits = [f"at most {setting.largest(classes, dim):.3f}"] if setting.largest else []
        limits += [f"at least {setting.smallest(classes, dim):.1f}"] if setting.smallest else []
        here = explanation.settings[key]
        shown = f"{here:g}" if isinstance(here, float) else str(here).lower()
        rows.append([key, shown, setting.paper, setting.bounds, " ".join(limits), setting.help])
    if rows:
        header = ["setting", f"here (C={classes}, D={dim})", "paper", "bounds", "feasible", ""]
        print_table(Table(header, rows))
    for line in _sentences(explanation, classes, dim):
        results.print(line, markup=False)
    if explanation.curve is not None:
        results.print()
        results.print(_chart(*explanation.curve), markup=False)


def _sentences(explanation: Explanation, classes: int, dim: int) -> list[str]:
    degrees = math.degrees(explanation.neighbour_angle)
    lines = [
        f"{classes} directions in {dim} dimensions are at most {degrees:.1f}° apart: the largest margin "
        f"for all classes at once is {explanation.largest_angular_margin:.3f} rad on the angle, "
        f"{explanation.largest_cosine_margin:.3f} on the cosine.",
        f"The smallest scale with which a perfect sample reaches 90 % without a margin is "
        f"{explanation.smallest_useful_scale:.1f}.",
    ]
    if (best := explanation.best_probability) is not None:
        lines.append(
            f"At these settings a perfect sample reaches a training probability of {best:.3f}: "
            f"the loss cannot fall below {-math.log(max(best, 1e-300)):.3f}."
        )
    return lines


def _document(explanation: Explanation) -> dict[str, Any]:
    document = explanation._asdict()
    if math.isinf(explanation.smallest_useful_scale):
        document["smallest_useful_scale"] = None
    if explanation.curve is not None:
        angles, targets = explanation.curve
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
