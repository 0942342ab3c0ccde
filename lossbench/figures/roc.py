"""Verification: of all pairs of features, how many of one class are accepted as such, and how many of two.

A pair is accepted when its distance, Euclidean or cosine as the loss compares, is at most a threshold; the
threshold runs along the curve. The axis of false accepts is logarithmic: where systems work, few are let in.
The points are those that the metrics tar-at-far-1e-2, -3 and -4 measure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import RunError
from ..metrics import Roc, measure, roc
from ..records import Embedding, MetricInput, RunView
from ..specs import FigureSpec
from ._layout import set_size
from ._requirements import split_of
from ._settings import grouped
from ._style import color, ground, ray

SPEC = FigureSpec(
    title="ROC of verification",
    summary="pairs of one class accepted against pairs of two classes accepted, with AUC and EER",
    after="Klare et al. 2015, Fig. 8",
    choices={"split": ("test", "unseen")},
)
_MARKED = (1e-4, 1e-3, 1e-2)
_RATES = np.geomspace(1e-5, 1, 241).round(8)  # the marked ones are among them


class Rates(NamedTuple):
    """One line: true accept rates (S, 241) of the seeds at the false accept rates `_RATES`, NaN where there
    are fewer than 1 / rate pairs of two classes; areas under the curve and equal error rates (S,)."""

    label: str
    accepted: np.ndarray
    area: np.ndarray
    equal_error: np.ndarray


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str) -> None:
    """A line per loss or setting. Raises RunError for a split without pairs of both kinds."""
    groups = grouped(runs)
    set_size(figure, 5.0, 3.9)
    axes = figure.subplots()
    draw_axes(axes, [_rates(label or own[0].title, own, split) for label, own in groups.items()])
    seeds = max(map(len, groups.values()))
    over = f", mean and range of {seeds} seeds" if seeds > 1 else ""
    axes.set_title(f"all pairs of {split} images{over}", fontsize="medium", loc="left")


def _rates(label: str, runs: Sequence[RunView], split: str) -> Rates:
    found = [_of_one(run, split) for run in runs]
    return Rates(label, *(np.array(column) for column in zip(*found, strict=True)))


def _of_one(run: RunView, split: str) -> tuple[np.ndarray, float, float]:
    part = split_of(run, split)
    nothing = Embedding(*(array[:0] for array in part[:3]))
    measured = MetricInput(evaluated=part, reference=nothing, classes=len(run.class_names), cosine=run.cosine)
    curve = measured.cached(roc)
    if not curve.defined:
        raise RunError(f"{run.name} has no {split} pairs of both kinds, of one class and of two.")
    numbers = measure(measured, ("roc-auc", "eer"))
    return accepted_at(curve, _RATES), numbers["roc-auc"], numbers["eer"]


def accepted_at(curve: Roc, rates: np.ndarray) -> np.ndarray:
    """The largest true accept rate at a false accept rate of at most `rates` (n,): (n,); NaN where that is
    less than one pair."""
    allowed = np.floor(rates * curve.negatives * (1 + 1e-12))  # whole pairs, whatever 1e-3 rounds to
    return np.where(allowed >= 1, curve.true_accept_rates(allowed), np.nan)


def draw_axes(axes: Axes, lines: Sequence[Rates]) -> None:
    """Draw mean true accept rates, the range of the seeds as a band, and chance as a dotted line."""
    axes.plot(_RATES, _RATES, ":", color=ray(), linewidth=1, zorder=1, gid="chance")
    marked = np.isin(_RATES, _MARKED)
    for number, line in enumerate(lines):
        tint, mean = color(number), line.accepted.mean(axis=0)
        axes.plot(_RATES, mean, color=tint, label=_words(line), zorder=3, gid=f"rates-{number}")
        if len(line.accepted) > 1:
            low, high = line.accepted.min(axis=0), line.accepted.max(axis=0)
            axes.fill_between(
                _RATES, low, high, color=tint, alpha=0.2, linewidth=0, zorder=2, gid=f"band-{number}"
            )
        axes.scatter(
            _RATES[marked], mean[marked], s=22, color=tint, edgecolors=ground(), linewidths=0.8, zorder=4,
            gid=f"marks-{number}",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlim(_RATES[0], 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("false accept rate")
    axes.set_ylabel("true accept rate")
    axes.grid(linewidth=0.4, alpha=0.5)
    axes.legend(fontsize="small", frameon=True, facecolor=ground(), edgecolor="none")


def _words(line: Rates) -> str:
    return f"{line.label}\nAUC {line.area.mean():.4f}, EER {100 * line.equal_error.mean():.2f} %"
