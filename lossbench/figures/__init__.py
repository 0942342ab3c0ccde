"""The figures, one per file: arrays in, drawn on the given figure; none trains or reads a file."""

from ._images import displayable
from ._layout import caption_lines, set_size, title_lines
from ._plane import Panel, first_visible, plane_limit
from ._projection import to_plane
from ._settings import check_measured, varied
from ._style import PALETTE, PANEL, STYLES, UNSEEN, colors, ink, ray

__all__ = [
    "PALETTE", "PANEL", "STYLES", "UNSEEN", "Panel", "caption_lines", "check_measured", "colors",
    "displayable", "first_visible", "ink", "plane_limit", "ray", "set_size", "title_lines", "to_plane",
    "varied",
]  # fmt: skip
