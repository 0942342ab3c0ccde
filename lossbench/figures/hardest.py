"""The hardest test images of each run: those whose wrong class scores most above the right one.

Where fewer are wrong than there is room, the least certain of the others follow, written faintly. Below each
image stands its true class and the predicted one. Scores are the loss's own, so their margins rank the images
of one run and say nothing across runs.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from ..records import RunView
from ..specs import FigureSpec
from ._images import displayable
from ._layout import set_size
from ._requirements import split_of
from ._style import FAINT, ground, ink, ray

SPEC = FigureSpec(title="hardest", summary="the test images with the most confident wrong predictions")
_COLUMNS, _ROWS = 10, 2
_TILE = 0.62  # inches
_PITCH = 1.12  # of a tile, from column to column
_BELOW = 0.36  # of a tile: room for a line of text


class Tile(NamedTuple):
    """One image, (H, W) or (H, W, 3) uint8, with the names of its class and of the predicted one."""

    image: np.ndarray
    true: str
    predicted: str


def draw_figure(figure: Figure, runs: Sequence[RunView]) -> None:
    """One block of two rows per run."""
    all_tiles = [_hardest_of(run) for run in runs]
    extra = max(_lines(tiles) for tiles in all_tiles) - 1
    height = _ROWS * (1 + _BELOW * (1 + extra)) * _TILE + 0.28
    set_size(figure, _COLUMNS * _PITCH * _TILE + 0.2, height * len(runs) + 0.2)
    figure.supxlabel(
        "the most confident errors; below each image: true class → predicted class", fontsize="small"
    )
    for axes, run, tiles in zip(
        figure.subplots(len(runs), 1, squeeze=False)[:, 0], runs, all_tiles, strict=True
    ):
        draw_axes(axes, tiles)
        part = split_of(run, "test")
        wrong = int((part.predictions != part.labels).sum())
        words = [run.title, run.subtitle, f"{wrong:,} of {len(part.labels):,} wrong"]
        axes.set_title(" · ".join(filter(None, words)), loc="left", fontsize="medium", fontweight="bold")


def _hardest_of(run: RunView) -> list[Tile]:
    part = split_of(run, "test")
    scores = run.scores(part.features) if part.scores is None else part.scores
    names, columns = run.class_names, run.trained
    true, predicted = (np.searchsorted(columns, each) for each in (part.labels, part.predictions))
    indices = hardest(scores, true, predicted, _COLUMNS * _ROWS)
    pictures = zip(displayable(run.images("test")[indices]), indices, strict=True)
    return [Tile(image, names[part.labels[i]], names[part.predictions[i]]) for image, i in pictures]


def hardest(scores: np.ndarray, labels: np.ndarray, predictions: np.ndarray, count: int) -> np.ndarray:
    """The `count` samples that are wrong by the largest margin of another class's score over the true one's,
    then those right by the smallest; ties as they stand. Columns of scores (N, C) are numbered as labels."""
    rows = np.arange(len(labels))
    others = scores.copy()
    others[rows, labels] = -np.inf
    margin = others.max(axis=1) - scores[rows, labels]
    return np.lexsort((rows, -margin, predictions == labels))[:count]


def draw_axes(axes: Axes, tiles: Sequence[Tile]) -> None:
    """Draw tiles of unit size from the top left, ten in a row."""
    shades = LinearSegmentedColormap.from_list("ink", [ground(), ink()])
    lines = _lines(tiles)
    pitch, parting = 1 + _BELOW * lines, "\n" if lines > 1 else " "
    for number, (image, true, predicted) in enumerate(tiles):
        row, column = divmod(number, _COLUMNS)
        left, top = _PITCH * column, pitch * row
        low, side = (1 - np.array(image.shape[:2]) / max(image.shape[:2])) / 2  # margins, 0 where square
        axes.imshow(
            image, cmap=shades, vmin=0, vmax=255, interpolation="nearest",
            extent=(left + side, left + 1 - side, top + 1 - low, top + low), gid=f"image-{number}",
        )  # fmt: skip
        axes.plot(
            left + np.array([0, 1, 1, 0, 0]), top + np.array([0, 0, 1, 1, 0]), color=ray(), linewidth=0.6
        )
        axes.text(
            left + 0.5, top + 1.04, f"{true}{parting}→ {predicted}", ha="center", va="top",
            fontsize="small", color=FAINT if true == predicted else ink(), gid=f"names-{number}",
        )  # fmt: skip
    axes.set_xlim(-0.02, _PITCH * _COLUMNS - 0.1)
    axes.set_ylim(pitch * _ROWS, -0.02)
    axes.set_aspect("equal", anchor="W")
    axes.axis("off")


def _lines(tiles: Sequence[Tile]) -> int:
    """Lines of text below an image: names of more than a few letters stand above each other."""
    return 2 if max(len(tile.true + tile.predicted) for tile in tiles) > 6 else 1
