"""`lossbench explain`: what a loss computes, and its limits for C classes in D dimensions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import UsageError
from ..runs.config import LOSS_OPTIONS
from ..runs.config_builder import paper_recipe
from ..specs import LossSpec, Value, catalog, value_text
from ..tables import Table
from ._flags import Json, Settings, flag, parse_settings
from ._options import typer_option
from ._output import line_width, print_json, print_table, print_text, print_warning

if TYPE_CHECKING:
    import numpy as np

    from ..losses import Explanation

_WIDTH, _HEIGHT = 61, 15
_LEAST_WIDTH = 20


def explain(
    loss: Annotated[str, typer.Argument(help="A loss; `lossbench losses` lists them.")],
    classes: Annotated[int, flag("--classes", "Number of classes C.", min=2, max=100_000)] = 10,
    dim: Annotated[
        int, typer.Option("--dim", "--feature-dim", help="Feature dimension D.", min=1, max=4096)
    ] = 2,
    lam: Annotated[float | None, typer_option(LOSS_OPTIONS["lambda"])] = None,
    alpha: Annotated[float | None, typer_option(LOSS_OPTIONS["alpha"])] = None,
    margin: Annotated[float | None, typer_option(LOSS_OPTIONS["margin"])] = None,
    scale: Annotated[float | None, typer_option(LOSS_OPTIONS["scale"])] = None,
    settings: Settings = None,
    json: Json = False,
) -> None:
    """Print formula, settings, limits and recommended values of a loss for C classes in D dimensions."""
    from ..losses import documentation
    from ..losses import explain as explain_loss

    loss = catalog.canonical(loss)
    spec: LossSpec = catalog.spec("losses", loss)
    given = {"lambda": lam, "alpha": alpha, "margin": margin, "scale": scale}
    values = _given_values(loss, given, parse_settings(settings))
    weight = _weight(loss, spec, values.pop("lambda", None), classes, dim)
    explanation = explain_loss(loss, values, classes, dim)
    recommended = _recommended(spec, classes, dim)
    recipe = paper_recipe([loss])
    if json:
        document = {"loss": loss, "classes": classes, "dim": dim}
        document |= {} if weight is None else {"lambda": weight}
        document |= {**_document(explanation), "recommended": recommended}
        print_json({**document, "recipe": dict(recipe.options) if recipe else None})
        return
    print_text(documentation(loss, classes, dim) + "\n")
    if spec.weight or spec.settings:
        print_table(_settings_table(spec, explanation, weight, classes, dim))
    for warning in spec.warnings(explanation.settings, classes, dim):
        print_warning(warning)
    print_text("\n".join(_sentences(spec, explanation, recommended, classes, dim)))
    if recipe is not None:
        words = (f"--recipe paper trains as in {recipe.source}: {recipe.summary}.", recipe.departures)
        print_text(" ".join(filter(None, words)))
    if explanation.curve is not None:
        print_text("\n" + _chart(*explanation.curve))
    elif spec.kind == "classifier" and spec.angular and not spec.probabilities:
        print_text(
            "No target-logit curve: this loss is not a cross-entropy, so no logit of the own class gives its "
            "value. `lossbench plot loss-surface` draws the loss of a trained run."
        )


def _settings_table(
    spec: LossSpec, explanation: Explanation, weight: float | None, classes: int, dim: int
) -> Table:
    """A line for each setting, that of the weight first; limits only where there are any."""
    rows = []
    if spec.weight is not None and weight is not None:
        rows.append(
            ["lambda", value_text(weight), spec.weight.paper, spec.weight.bounds, "", spec.weight.help]
        )
    for key, setting in spec.settings.items():
        limits = [f"at most {setting.largest(classes, dim):.3g}"] if setting.largest else []
        if setting.smallest:
            smallest = setting.smallest(classes, dim)
            limits.append("none is large enough" if math.isinf(smallest) else f"at least {smallest:.1f}")
        shown = value_text(explanation.settings[key])
        rows.append([key, shown, setting.paper, setting.bounds, " ".join(limits), setting.help])
    header = ["setting", f"here (C={classes}, D={dim})", "paper", "bounds", "feasible", "meaning"]
    return Table(header, rows).without(() if any(row[4] for row in rows) else ("feasible",))


def _given_values(
    loss: str, given: Mapping[str, float | None], settings: Mapping[str, str]
) -> dict[str, Value]:
    """The values of flags and of `--set`, by name without that of the loss. Raises UsageError."""
    values: dict[str, Value] = {name: value for name, value in given.items() if value is not None}
    for key, value in settings.items():
        name = key.removeprefix(f"{loss}.")
        if name in values:
            raise UsageError(f"--set {key}={value}: --{name} is given as well.")
        values[name] = value
    return values


def _weight(loss: str, spec: LossSpec, value: Value | None, classes: int, dim: int) -> float | None:
    """The weight lambda of an auxiliary term, None for another loss. Raises UsageError."""
    if spec.weight is None:
        if value is not None:
            raise UsageError(
                f"--lambda is the weight of an auxiliary term (such as center); {loss} is not one."
            )
        return None
    return float(
        spec.weight.check("lambda", spec.weight.default_for(classes, dim) if value is None else value)
    )


def _recommended(spec: LossSpec, classes: int, dim: int) -> dict[str, float]:
    weight = {"lambda": float(spec.weight.default_for(classes, dim))} if spec.weight else {}
    return weight | spec.recommended(classes, dim)


def _sentences(
    spec: LossSpec, explanation: Explanation, recommended: Mapping[str, float], classes: int, dim: int
) -> list[str]:
    """The limits of a margin and a scale where the loss has these, what it reaches, what is recommended."""
    degrees = math.degrees(explanation.neighbour_angle)
    lines = []
    if any(setting.largest for setting in spec.settings.values()):
        lines.append(
            f"{classes} directions in {dim} dimension{'' if dim == 1 else 's'} are at most {degrees:.1f}° "
            "apart: the largest margin for all classes at once is "
            f"{explanation.largest_angular_margin:.3g} rad on the angle, "
            f"{explanation.largest_cosine_margin:.3g} on the cosine."
        )
    if any(setting.smallest for setting in spec.settings.values()):
        lines.append(
            "No scale lets a sample on its class direction reach 90 %, even without a margin."
            if math.isinf(explanation.smallest_useful_scale)
            else "The smallest scale with which a sample on its class direction reaches 90 % without a "
            f"margin is {explanation.smallest_useful_scale:.1f}."
        )
    if (best := explanation.best_probability) is not None:
        lines.append(
            f"At these settings a sample on its class direction reaches a training probability of "
            f"{best:.3f}; the loss "
            f"can fall to {max(0.0, -math.log(max(best, 1e-300))):.3g}, not below."
        )
    values = ", ".join(f"{name} {value_text(value)}" for name, value in recommended.items())
    lines.append(
        f"Recommended for C = {classes}, D = {dim}: "
        + (f"{values}." if values else "the defaults; none of the settings depends on C and D.")
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
    width = min(_WIDTH, max(_LEAST_WIDTH, line_width() - 8))
    low, high = min(-1.0, float(targets.min())), max(1.0, float(targets.max()))
    cells = [[" "] * width for _ in range(_HEIGHT)]
    for mark, values in ((".", [math.cos(a) for a in angles]), ("*", list(targets))):
        for angle, value in zip(angles, values, strict=True):
            row = round((high - value) / (high - low) * (_HEIGHT - 1))
            cells[row][round(angle / math.pi * (width - 1))] = mark
    lines = ["target logit / scale (*) against the angle, cosine (.)"]
    for number, row in enumerate(cells):
        value = high - number * (high - low) / (_HEIGHT - 1)
        lines.append(f"{value:6.2f} │{''.join(row)}")
    lines.append(" " * 7 + "└" + "─" * width)
    lines.append(" " * 8 + "0°" + "90°".center(width - 6) + "180°")
    return "\n".join(lines)
