"""Values over the plane or over a table: a grid of points, one colour map, marks that stay readable on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.colors import to_rgb

from ._style import ground, ink

COLORMAP = "viridis"
"""Even in lightness, so that equal steps look equal, also in grey and with colour-vision deficiency."""


def plane_grid(limit: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` positions (n,) from -limit to limit, and all points (n * n, 2) with them, y by y."""
    line = np.linspace(-limit, limit, count)
    return line, np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)


def readable_on(shade: Any) -> Any:
    """Ink or background, whichever stands out more from a colour, by relative luminance (WCAG 2.1)."""
    own = _luminance(shade)

    def contrast(other: Any) -> float:
        low, high = sorted((own, _luminance(other)))
        return (high + 0.05) / (low + 0.05)

    return max((ink(), ground()), key=contrast)


def _luminance(shade: Any) -> float:
    value = np.array(to_rgb(shade))
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
