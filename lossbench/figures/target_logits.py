"""What a margin does to the logit of a sample's own class, at every angle to that class's direction.

The curves are computed by the code of the losses. Where a curve is below the cosine, training treats the
sample as farther from its class than it is.
"""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import RunError
from ..records import RunView
from ..specs import FigureSpec, neighbour_angle
from ._layout import set_size
from ._style import FAINT, PALETTE, note, ray

SPEC = FigureSpec(
    title="target logits",
    summary="the target logit over the scale against the angle, for losses with directions",
    after="Deng et al. 2019, Fig. 4b",
    default="untrained",
)
_LOWEST, _HIGHEST = -3.2, 1.4
"""Of the axis: a curve may go far beyond where no feature stays for long."""
_DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)))
_REFERENCE = "cosine, no margin"
_PLOT, _LETTER = 3.4, 0.07
"""Inches of the axes, and of a letter of the names beside them, at the paper's font."""
_HOW_COMPUTED = (
    "Equivalent logit: the target logit that gives the loss its value if the other logits had no margin.\n"
    "It jumps where a loss changes its formula: ArcFace beyond 180° − m, CurricularFace for hard samples."
)


class Curve(NamedTuple):
    """A loss at its settings: angles (n,) in radians, and the target logit over the scale there (n,)."""

    label: str
    angles: np.ndarray
    targets: np.ndarray


class _Line(NamedTuple):
    names: str  # of all losses with this very curve, one in a row
    curve: Curve
    tint: str
    style: Any


def draw_axes(axes: Axes, curves: Sequence[Curve], *, half_way: float | None = None) -> None:
    """Draw curves, and the plain cosine, each named at its end; `half_way` (radians) marks the angle at
    which the next class is as near."""
    lines = _merged(curves)
    low, high = (float(end([end(line.curve.targets) for line in lines])) for end in (np.min, np.max))
    axes.set_ylim(max(low - 0.1, _LOWEST), min(high + 0.1, _HIGHEST))
    axes.set_xlim(0, 180)
    for line in lines:
        x, y = np.degrees(line.curve.angles), line.curve.targets
        axes.plot(x, y, color=line.tint, linestyle=line.style, linewidth=1.6, gid=line.names)
    _name_ends(axes, lines)
    if half_way is not None:
        axes.axvline(np.degrees(half_way), color=ray(), linewidth=0.8, zorder=0, gid="half-way")
        text, place = (
            f"{np.degrees(half_way):.0f}°: half way\nto the next class",
            (np.degrees(half_way), 0.04),
        )
        note(axes, text, place, (3, 0), axes.get_xaxis_transform(), fontsize="small")
    axes.set_xticks(range(0, 181, 30))
    axes.set_xlabel("angle to the class direction (degrees)")
    axes.set_ylabel("equivalent target logit / scale")
    axes.grid(axis="y", linewidth=0.4, alpha=0.5)


def _merged(curves: Sequence[Curve]) -> list[_Line]:
    """Losses with the same curve share a line, the cosine's first."""
    angles = np.linspace(0, np.pi, 181)
    groups = [[Curve(_REFERENCE, angles, np.cos(angles))]]
    for curve in curves:
        for group in groups:
            same = np.interp(curve.angles, group[0].angles, group[0].targets)
            if np.allclose(curve.targets, same, atol=1e-3):
                group.append(curve)
                break
        else:
            groups.append([curve])
    looks = [(FAINT, (0, (4, 2)))] + [(tint, dash) for dash in _DASHES for tint in PALETTE]
    return [
        _Line("\n".join(curve.label for curve in group), group[0], *look)
        for group, look in zip(groups, itertools.cycle(looks), strict=False)
    ]


def _name_ends(axes: Axes, lines: Sequence[_Line]) -> None:
    """Names right of the axes, from top to bottom as the lines end, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    inches = 0.8 * axes.figure.get_figheight()  # type: ignore[union-attr]
    ordered = sorted(lines, key=lambda line: -line.curve.targets[-1])
    ends = np.clip([(line.curve.targets[-1] - low) / (high - low) for line in ordered], 0, 1)
    rows = np.array([line.names.count("\n") + 1.3 for line in ordered])
    places = _apart(ends, rows * 1.2 * rcParams["font.size"] / 72 / inches)
    for line, end, place in zip(ordered, ends, places, strict=True):
        axes.plot(
            [1, 1.035], [end, place], color=line.tint, linewidth=1, clip_on=False, transform=axes.transAxes
        )
        axes.annotate(line.names, (1.045, place), xycoords="axes fraction", va="center", gid="name")


def _apart(wanted: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Falling positions (n,), pushed apart pair by pair until labels of these heights fit between 0 and 1."""
    places, room = wanted.copy(), (heights[:-1] + heights[1:]) / 2
    for _ in range(500):
        push = np.clip(room - (places[:-1] - places[1:]), 0, None) / 2
        places[:-1] += push
        places[1:] -= push
    places -= max(0.0, float(places[0] + heights[0] / 2) - 1)
    places += max(0.0, float(heights[-1] / 2 - places[-1]))
    return places


def draw_figure(figure: Figure, runs: Sequence[RunView]) -> None:
    """One line per loss and settings, said once where all have them; runs that differ in nothing else share
    it."""
    drawn: dict[tuple[str, str], tuple[RunView, tuple[np.ndarray, np.ndarray]]] = {}
    for run in runs:
        key = run.title, run.subtitle
        if key not in drawn and (curve := run.target_logits()) is not None:
            drawn[key] = run, curve
    if not drawn:
        raise RunError(
            "None of these runs has a target logit that depends on the angle alone; "
            "`lossbench train --loss arcface` makes one that has."
        )
    settings = [[part for part in subtitle.split(", ") if part] for _, subtitle in drawn]
    shared = [part for part in settings[0] if len(drawn) > 1 and all(part in own for own in settings)]
    curves = []
    for (title, _), own, (_, curve) in zip(drawn, settings, drawn.values(), strict=True):
        told = ", ".join(part for part in own if part not in shared)
        curves.append(Curve(f"{title} ({told})" if told else title, *curve))
    longest = max(len(curve.label) for curve in curves)
    set_size(figure, max(6.2, _PLOT + _LETTER * longest), max(3.2, 1.0 + 0.2 * len(curves)) + 0.4)
    everywhere = f"All with {', '.join(shared)}. " if shared else ""
    figure.supxlabel(everywhere + _HOW_COMPUTED, fontsize="small")
    half_ways = {neighbour_angle(len(run.trained), run.dim) / 2 for run, _ in drawn.values()}
    draw_axes(figure.subplots(), curves, half_way=half_ways.pop() if len(half_ways) == 1 else None)
