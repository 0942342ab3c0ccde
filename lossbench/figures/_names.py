"""Class names among the points of a panel, none over another."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from ._style import draw_name

_APART = (0.11, 0.155)
"""Two names nearer than this in width and height, as shares of the half width, would cover each other."""
_NAMES_TOGETHER = 3
"""Class names that one text holds; of more, as at the start of training, it says how many there are."""
_SHORT = 2  # letters: longer names at one place stand above each other
_HALO = 2.0  # points around a name
_STEPS = 200


def draw_names(
    axes: Axes, positions: Mapping[int, np.ndarray], class_names: Sequence[str], limit: float
) -> None:
    """The names at their positions (2,) on axes of half width `limit`; those of several classes at one place
    as one text, others moved up or down until none hides another, and none cut off at the edge."""
    shrunk = min(1.0, (10 / len(class_names)) ** 0.5)  # as draw_name shrinks names
    apart = limit * shrunk * np.array(_APART)
    places: list[list[int]] = []
    for label, position in positions.items():
        for place in places:
            if np.linalg.norm((positions[place[0]] - position) / apart) < 1:
                place.append(label)
                break
        else:
            places.append([label])
    if not places:
        return
    middles = np.array([np.mean([positions[label] for label in place], axis=0) for place in places])
    texts = []
    parting = ", " if max(map(len, class_names)) <= _SHORT else "\n"
    for place, (x, y) in zip(places, middles, strict=True):
        few = len(place) <= _NAMES_TOGETHER
        text = parting.join(class_names[label] for label in place) if few else f"{len(place)} classes"
        texts.append(draw_name(axes, float(x), float(y), text, len(class_names)))
    unit = 2 * limit / min(axes.bbox.size)  # of a pixel: the layout changes the size of axes but little
    halo = _HALO * axes.get_figure(root=True).dpi / 72  # type: ignore[union-attr]
    sizes = unit * np.array([np.add(drawn.get_window_extent().size, halo) for drawn in texts])
    room = np.maximum(limit - sizes[:, 0] / 2, 0)
    middles[:, 0] = middles[:, 0].clip(-room, room)
    for drawn, place in zip(texts, spread(middles, sizes, limit), strict=True):
        drawn.set_position((float(place[0]), float(place[1])))


def spread(middles: np.ndarray, sizes: np.ndarray, limit: float = np.inf) -> np.ndarray:
    """The middles (n, 2) of boxes with these sizes (n, 2), moved up or down until no two overlap; boxes stay
    between -limit and limit as far as there is room."""
    placed = middles.astype(float)
    reach = np.maximum(limit - sizes[:, 1] / 2, 0)
    widths, heights = ((sizes[:, None, side] + sizes[None, :, side]) / 2 for side in (0, 1))
    beside = np.abs(placed[:, None, 0] - placed[None, :, 0]) >= widths
    np.fill_diagonal(beside, True)
    above = np.sign(np.subtract.outer(placed[:, 1], placed[:, 1]))
    order = np.arange(len(placed))
    above = np.where(above == 0, np.sign(np.subtract.outer(order[::-1], order[::-1])), above)
    for _ in range(_STEPS):
        overlap = np.where(beside, 0, heights - above * np.subtract.outer(placed[:, 1], placed[:, 1]))
        if (overlap <= 1e-3 * heights).all():
            break
        # a little more than needed: several boxes that push each other settle sooner
        placed[:, 1] += (0.51 * above * overlap.clip(0)).sum(axis=1) / np.maximum(
            (overlap > 0).sum(axis=1), 1
        )
        placed[:, 1] = placed[:, 1].clip(-reach, reach)
    return placed
