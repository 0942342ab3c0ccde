"""Verification: of all pairs of features, how many of one class are accepted as such, and how many of two.

A pair is accepted when its distance, Euclidean or cosine as the loss compares, is at most a threshold; the
threshold runs along the curve. The axis of false accepts is logarithmic: where systems work, few are let in.
The dots are what the metrics tar-at-far-1e-2, -3 and -4 measure. Diamonds show what the thresholds of FAR
1e-2 and 1e-3 on validation pairs do on this split, as tar-at-threshold-1e-2 and -3 measure it.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import RunError
from ..metrics import (
    ONE_IN,
    MetricInput,
    Roc,
    decisions,
    in_unit,
    measure,
    roc,
    thresholds,
    true_accept_interval,
)
from ..records import RunView
from ..specs import FigureSpec
from ._layout import legend_below, set_size
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
    """One line, its pairs compared by `compared`: true accept rates (S, 241) of the seeds at the false accept
    rates `_RATES`, NaN where there are fewer than 1 / rate pairs of two classes; areas under the curve and
    equal error rates (S,).

    At the thresholds for false accept rates of 1e-2 and 1e-3 on the validation split, NaN without one: the
    thresholds, true and false accept rates (S, 2), and the bootstrap interval of the true ones (S, 2, 2).
    """

    label: str
    compared: str
    accepted: np.ndarray
    area: np.ndarray
    equal_error: np.ndarray
    threshold: np.ndarray
    true_accepts: np.ndarray
    false_accepts: np.ndarray
    interval: np.ndarray


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str) -> None:
    """A line per loss or setting. Raises RunError for a split without pairs of both kinds."""
    groups = grouped(runs)
    set_size(figure, 7.2, 3.7)
    axes = figure.subplots()
    draw_axes(axes, [_rates(label or alike[0].title, alike, split) for label, alike in groups.items()])
    handles, labels = axes.get_legend_handles_labels()
    legend_below(figure, handles, lines=1 + max(label.count("\n") for label in labels))
    seeds = max(map(len, groups.values()))
    over = f", mean and range of {seeds} seeds" if seeds > 1 else ""
    title = f"all pairs of {split} images{over}; ● false accept rates of 1e-4, 1e-3 and 1e-2"
    if any("val" in run.splits for run in runs):
        title += "\n◇ at the thresholds of false accept rates 1e-3 and 1e-2 on validation pairs"
    axes.set_title(title, fontsize="medium", loc="left")


def _rates(label: str, runs: Sequence[RunView], split: str) -> Rates:
    rates = [_of_one(run, split) for run in runs]
    return Rates(label, _compared_by(runs[0]), *(np.array(column) for column in zip(*rates, strict=True)))


def _of_one(run: RunView, split: str) -> tuple[Any, ...]:
    measured = _input(run, split)
    curve = measured.cached(roc)
    if not curve.defined:
        raise RunError(f"{run.name} has no {split} pairs of both kinds, of one class and of two.")
    numbers = measure(measured, ("roc-auc", "eer"))
    line = accepted_at(curve, _RATES), numbers["roc-auc"], numbers["eer"]
    if measured.validation is None:
        return (*line, *np.full((3, len(ONE_IN)), np.nan), np.full((2, len(ONE_IN)), np.nan))
    limits = in_unit(measured.cached(thresholds).common, run.cosine)
    return (*line, limits, *measured.cached(decisions), true_accept_interval(measured))


def _compared_by(run: RunView) -> str:
    return "cosine" if run.cosine else "distance"


def _input(run: RunView, split: str) -> MetricInput:
    part = split_of(run, split)
    return MetricInput(
        evaluated=part,
        reference=part.emptied(),
        validation=run.splits.get("val"),
        classes=len(run.class_names),
        cosine=run.cosine,
    )


def data(runs: Sequence[RunView], *, split: str) -> list[dict[str, Any]]:
    """Of each run the thresholds for false accept rates of 1e-2 and 1e-3 on validation pairs, for all classes
    and for each, and what the former do on test images and on unseen classes; nothing without validation."""
    return [_threshold_data(run, split) for run in runs if "val" in run.splits]


def _threshold_data(run: RunView, split: str) -> dict[str, Any]:
    parts = {
        name: _input(run, name) for name in dict.fromkeys((split, "test", "unseen")) if name in run.splits
    }
    limits = parts[split].cached(thresholds)
    names = [run.class_names[label] for label in np.unique(run.splits["val"].labels)]
    applied = {name: (part.cached(decisions), true_accept_interval(part)) for name, part in parts.items()}
    by_class = in_unit(limits.by_class, run.cosine)
    rows = []
    for number, (one_in, common) in enumerate(zip(ONE_IN, in_unit(limits.common, run.cosine), strict=True)):
        splits = {
            name: {
                "true_accept_rate": float(done.true_accepts[number]),
                "interval": interval[:, number].tolist(),
                "false_accept_rate": float(done.false_accepts[number]),
            }
            for name, (done, interval) in applied.items()
        }
        classes = dict(zip(names, by_class[:, number].tolist(), strict=True))
        row = {"false_accept_rate": 1 / one_in, "threshold": float(common), "by_class": classes}
        rows.append(row | {"splits": splits})
    return {"run": run.name, "compared_by": _compared_by(run), "thresholds": rows}


def accepted_at(curve: Roc, rates: np.ndarray) -> np.ndarray:
    """The largest true accept rate at a false accept rate of at most `rates` (n,): (n,); NaN where that is
    less than one pair."""
    allowed = np.floor(rates * curve.negatives * (1 + 1e-12))  # whole pairs, whatever 1e-3 rounds to
    return np.where(allowed >= 1, curve.true_accept_rates(allowed), np.nan)


def draw_axes(axes: Axes, lines: Sequence[Rates]) -> None:
    """Draw mean true accept rates, the range of the seeds as a band, and chance as a dotted line."""
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
        _draw_thresholds(axes, line, tint, number)
    axes.plot(_RATES, _RATES, ":", color=ray(), linewidth=1, zorder=1, gid="chance")
    axes.text(0.92, 0.14, "chance", ha="right", fontsize="small")  # right of its line, where no other runs
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda rate, _: f"1e{round(math.log10(rate))}" if rate < 1 else "1")
    axes.xaxis.set_minor_formatter("")
    axes.set_xlim(_RATES[0], 1)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("false accept rate")
    axes.set_ylabel("true accept rate")
    axes.grid(linewidth=0.4, alpha=0.5)


def _draw_thresholds(axes: Axes, line: Rates, tint: str, number: int) -> None:
    x, y = line.false_accepts.mean(axis=0), line.true_accepts.mean(axis=0)
    # of several seeds the band shows the range
    bars = np.abs(line.interval[0] - y) if len(line.interval) == 1 else None
    points, *_ = axes.errorbar(
        x, y, yerr=bars, fmt="D", capsize=2, linewidth=1, zorder=5, color=tint, markerfacecolor=ground()
    )
    points.set(markersize=5, gid=f"thresholds-{number}")


def _words(line: Rates) -> str:
    areas = f"AUC {line.area.mean():.4f}, EER {100 * line.equal_error.mean():.2f} %"
    text = f"{line.label}, by {line.compared}\n{areas}"
    if np.isnan(line.threshold).any():
        return text
    limit, true = line.threshold.mean(axis=0)[-1], line.true_accepts.mean(axis=0)[-1]
    return f"{text}\n◇ at 1e-3: {100 * true:.1f} % accepted, {line.compared} {limit:.6g}"
