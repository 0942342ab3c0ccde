"""What figures ask of runs, with a clear sentence where a run does not have it, and panels titled by run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import RunError, UsageError
from ..metrics import unit
from ..protocols import RunView
from ..records import Embedding
from ._style import set_size, title_lines

_ROW = 5  # panels
_NARROWEST = 3.6  # inches of a figure: a line below one panel needs them


def part_of(run: RunView, split: str) -> Embedding:
    """The features of one split. Raises RunError for a run without it."""
    if split not in run.splits:
        raise RunError(f"{run.name} has no {split} features; it has {', '.join(run.splits)}.")
    return run.splits[split]


def require_dimension(runs: Sequence[RunView], dim: int, what: str) -> None:
    """Raises RunError unless every run has D = `dim`, in which alone `what` can be drawn."""
    for run in runs:
        if run.dim != dim:
            raise RunError(
                f"{what} can be drawn of {dim}-D features only and those of {run.name} are {run.dim}-D; "
                f"train one with --feature-dim {dim}."
            )


def class_of(run: RunView, name: str) -> int:
    """The number of a trained class by its name, '' for the first. Raises UsageError."""
    known = {run.class_names[label]: label for label in run.trained}
    if name and name not in known:
        raise UsageError(f"--label {name} is none of the classes of {run.name}: {', '.join(known)}.")
    return known[name] if name else next(iter(known.values()))


def mean_directions(features: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The mean direction of each class (C, D), not of unit length; NaN for a class without features."""
    vectors = unit(features.astype(np.float64))
    found = np.full((classes, features.shape[1]), np.nan)
    for label in np.unique(labels):
        found[label] = vectors[labels == label].mean(axis=0)
    return found


def panel_grid(
    figure: Figure, runs: Sequence[RunView], side: float, *, row: float, below: float = 0.0
) -> list[Axes]:
    """One axes per run under its title and caption, at most five in a row, `side` inches wide and high;
    `row` is the height in inches of what else a row holds, its title included, `below` of what all share."""
    height = math.ceil(len(runs) / _ROW)
    width = math.ceil(len(runs) / height)
    captions = [run.caption.split(" · ") for run in runs]
    lines = max(map(len, captions))
    side = max(side, _NARROWEST / width)
    text = (rcParams["font.size"] / 9) ** 0.4  # grows more than the figure, see set_size
    rows = height * (side + text * (0.17 * lines + row))
    set_size(figure, side * width + 0.2, rows + text * below)
    grid = figure.subplots(height, width, squeeze=False)
    for axes in grid.flat[len(runs) :]:
        axes.set_visible(False)
    shown: list[Axes] = list(grid.flat[: len(runs)])
    for axes, run, caption in zip(shown, runs, captions, strict=True):
        title_lines(axes, run.title, caption, lines)
    return shown
