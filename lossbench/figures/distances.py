"""Distances of pairs of one class and of two: where the former are larger, nearness does not say who is who.

Above, two pairs among the features: one of a single class that is farther apart than 99 % of such pairs, and
one of two classes that is nearer than 99 % of those. Below, how often each distance occurs. In directions
(`normalized`) the distance is that of the points on the unit circle, which follows from the angle alone.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.container import Container
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..metrics import unit
from ..records import Embedding, RunView
from ..specs import FigureSpec
from ._layout import caption_lines, grid_shape, legend_below, run_columns, set_size, title_lines
from ._plane import draw_plane, draw_ring, mark_handles
from ._projection import panel_of
from ._requirements import require_dimension, split_of
from ._style import PANEL, color, ink, ray

SPEC = FigureSpec(
    title="distances",
    summary="a pair of one class beside a pair of two classes, and the distances of all pairs",
    after="Wang et al. 2017 (NormFace), Fig. 2",
    dim=2,
    choices={"split": ("test", "train"), "view": ("raw", "normalized")},
)
_SAMPLES = 2000  # two million pairs
_RARE = 0.01  # the share of pairs of one class that are farther apart, and of pairs of two that are nearer
_BINS = 60
_SHADE = 0.6  # opacity
_TOP = 1.25  # times the highest bar: room for the two distances


class Pairs(NamedTuple):
    """Distances (P,) of pairs, and the numbers (P, 2) of the samples of each."""

    distances: np.ndarray
    samples: np.ndarray

    def at(self, share: float) -> tuple[float, np.ndarray]:
        """The distance below which this share of the pairs lies, and the pair (2,) that has it."""
        order = np.argpartition(self.distances, int(share * (len(self.distances) - 1)))
        place = order[int(share * (len(self.distances) - 1))]
        return float(self.distances[place]), self.samples[place]

    def like(self, distance: float, shown: np.ndarray) -> np.ndarray:
        """The pair (2,) of samples that are all shown (N,) with nearly this distance."""
        off = np.where(shown[self.samples].all(axis=1), np.abs(self.distances - distance), np.inf)
        return np.asarray(self.samples[off.argmin()])


def pairs_of(features: np.ndarray, labels: np.ndarray) -> tuple[Pairs, Pairs]:
    """The pairs of one class and of two among features (N, D), of at most `_SAMPLES` drawn at random."""
    sampled = np.random.RandomState(0).permutation(len(labels))[:_SAMPLES]
    first, second = np.triu_indices(len(sampled), 1)
    points = features[sampled].astype(np.float64)
    distances = np.sqrt(np.square(points[first] - points[second]).sum(axis=1))
    samples = np.stack([sampled[first], sampled[second]], axis=1)
    same = labels[samples[:, 0]] == labels[samples[:, 1]]
    return Pairs(distances[same], samples[same]), Pairs(distances[~same], samples[~same])


def draw_pairs(axes: Axes, points: np.ndarray, labels: np.ndarray, same: Pairs, other: Pairs) -> None:
    """A solid line between two points (N, 2) of one class, and a dotted one between two of two classes; both
    inside the axes, which leave out a few points."""
    shown = (np.abs(points) <= axes.get_xlim()[1]).all(axis=1)
    for name, pairs, share, line in (("one", same, 1 - _RARE, "-"), ("two", other, _RARE, ":")):
        pair = pairs.like(pairs.at(share)[0], shown)
        x, y = points[pair].T
        axes.plot(x, y, line, color=ink(), linewidth=1.3, zorder=6, gid=f"pair-of-{name}")
        axes.scatter(x, y, s=18, c=[color(label) for label in labels[pair]], edgecolors=ink(), zorder=7)


def draw_histogram(axes: Axes, same: Pairs, other: Pairs) -> None:
    """How often each distance occurs, each kind of pairs at its own scale; lines at the two drawn pairs, with
    their distances."""
    farthest = max(same.distances.max(), other.distances.max()) or 1.0
    bins = np.linspace(0, farthest, _BINS + 1)
    for pairs, share, line, shade in ((other, _RARE, ":", ray()), (same, 1 - _RARE, "-", ink())):
        counts = np.histogram(pairs.distances, bins)[0]
        axes.stairs(counts / counts.max(), bins, fill=True, color=shade, alpha=_SHADE)
        place = pairs.at(share)[0]
        axes.axvline(place, ymax=1 / _TOP, color=ink(), linestyle=line, linewidth=1.1, label=f"{place:.3g}")
    axes.set(xlim=(0, farthest), ylim=(0, _TOP), yticks=[], xlabel="distance")
    axes.legend(loc="upper right", ncols=2, borderaxespad=0.2, fontsize="medium", handlelength=1.4)


def draw_axes(features: Axes, histogram: Axes, run: RunView, part: Embedding, split: str, view: str) -> None:
    """Draw one run with 2-D features: its pairs in the plane or on the circle, and all distances."""
    points = unit(part.features.astype(np.float64)) if view == "normalized" else part.features
    same, other = pairs_of(points, part.labels)
    (draw_ring if view == "normalized" else draw_plane)(features, panel_of(run), split)
    draw_pairs(features, points, part.labels, same, other)
    draw_histogram(histogram, same, other)


def draw_figure(figure: Figure, runs: Sequence[RunView], *, split: str, view: str) -> None:
    """A column per run: features with the two pairs above the distances of all pairs."""
    require_dimension(runs, SPEC.dim, "Distances in the plane")
    lines = caption_lines(run.caption for run in runs)
    bands, width = grid_shape(len(runs))
    set_size(figure, PANEL * 1.2 * width + 0.2, bands * (PANEL * 2 + 0.5 + 0.18 * lines))
    columns = run_columns(figure, len(runs), 2, height_ratios=[1.2, 0.8] * bands)
    for run, column in zip(runs, columns, strict=True):
        title_lines(column[0], run.title, run.caption, lines)
        draw_axes(column[0], column[1], run, split_of(run, split), split, view)
    handles: list[Artist | Container] = [
        Line2D([], [], color=ink(), label="a pair of one class; 1 % of them are farther apart"),
        Line2D([], [], color=ink(), linestyle=":", label="a pair of two classes; 1 % of them are nearer"),
        Patch(facecolor=ink(), alpha=_SHADE, label="distances of pairs of one class"),
        Patch(facecolor=ray(), alpha=_SHADE, label="distances of pairs of two classes"),
    ]
    shown = [panel_of(run) if view == "raw" else panel_of(run)._replace(centers=None) for run in runs]
    legend_below(figure, [*handles, *mark_handles(shown, split)])
