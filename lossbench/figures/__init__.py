"""The figures, one per file: arrays in, drawn on the given axes; none trains or reads a file."""

from ._plane import plane_limit
from ._projection import to_plane
from ._style import PALETTE, PANEL, STYLES, UNSEEN, ink, ray, set_size, title_lines
from ._sweeps import shown, varied

__all__ = [
    "PALETTE", "PANEL", "STYLES", "UNSEEN", "ink", "plane_limit", "ray", "set_size", "shown", "title_lines",
    "to_plane", "varied",
]  # fmt: skip
