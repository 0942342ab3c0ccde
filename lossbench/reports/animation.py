"""The feature space while it is learned: stored snapshots as the frames of a GIF or MP4."""

import base64
import contextlib
import io
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from ..errors import RunError, UsageError, code_of_user
from ..figures import (
    PANEL,
    Panel,
    caption_lines,
    features,
    first_visible,
    ink,
    ray,
    set_size,
    title_lines,
    to_plane,
)
from ..records import Embedding, RunView
from .figure_files import describe, format_of, render_pixels
from .generated_files import check_generated, write_generated

FORMATS = ("gif", "mp4")
_DPI = 110  # three panels are a thousand pixels wide: sharp on a page, half a megabyte
_PANEL = 1.5 * PANEL
_REST = 2.5  # seconds that the last frame stays


class _AnimatedRun(NamedTuple):
    """The frames of one run: panels and their times (T,) in epochs; the half width of all axes, and the time
    at which features begin to leave the origin. dated: its panels say their time, which may be another than
    that of the frame."""

    panels: Sequence[Panel]
    epochs: np.ndarray
    limit: float
    start: float
    dated: bool = False

    def panel_at(self, epoch: float) -> Panel:
        """The panel of the nearest snapshot."""
        nearest = int(np.abs(self.epochs - epoch).argmin())
        panel = self.panels[nearest]
        date = f" · epoch {_epoch_text(self.epochs[nearest])}" if self.dated else ""
        return panel._replace(subtitle=panel.subtitle + date)


class Animation:
    """The file of an animation, which a notebook shows."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Animation({str(self.path)!r})"

    def _repr_html_(self) -> str:
        content = base64.b64encode(self.path.read_bytes()).decode()
        if self.path.suffix == ".mp4":
            return f'<video controls loop src="data:video/mp4;base64,{content}"></video>'
        return f'<img src="data:image/gif;base64,{content}">'


def animate(
    runs: Sequence[RunView], path: Path, *, view: str = "raw", style: str = "paper", fps: float = 4.0
) -> Path:
    """One frame per snapshot of the run with the most, then of those that trained longer, runs side by side,
    with fixed axis limits. Returns the path.

    Raw features are shown from where some leave the origin.

    Raises RunError for a run without snapshots, UsageError for a format or choice that is none.
    """
    form = format_of(path, FORMATS)
    check_generated(path)  # before the time that frames take
    animated = [_animated(run) for run in runs]
    moments = np.zeros(0)
    for run in sorted(animated, key=lambda run: -len(run.epochs)):
        moments = np.concatenate([moments, run.epochs[run.epochs > max(moments, default=-1.0)]])
    if view == "raw":  # directions are seen from the beginning
        moments = moments[moments >= min(run.start for run in animated)]
    animated = [run._replace(dated=not np.isin(moments, run.epochs).all()) for run in animated]
    frames = (_frame(animated, epoch, moments[-1], view, style) for epoch in moments)
    if form == "gif":
        comment = "; ".join(map(describe, runs)).encode()
        write_generated(path, _gif(list(frames), fps, comment))
    else:
        write_generated(path, _mp4(frames, fps))
    return path


def _animated(run: RunView) -> _AnimatedRun:
    snapshots = run.snapshots
    if snapshots is None:
        raise RunError(f"{run.name} has no snapshots; `lossbench train --snapshots 30` adds them.")
    labels, epochs = snapshots.labels, snapshots.epochs
    right = snapshots.scores.argmax(2) == np.searchsorted(run.trained, labels)
    parts = {str(t): Embedding(features, labels, labels) for t, features in enumerate(snapshots.features)}
    note = ""
    if snapshots.features.shape[2] != 2:  # the axes of the last snapshot, for all frames
        last = parts[str(len(parts) - 1)]
        placed, note = to_plane({"train": last, **parts}, "pca")
        parts = {name: part for name, part in placed.items() if name != "train"}
    panels = []
    for t, part in enumerate(parts.values()):
        directions = (None, None) if note else snapshots.directions_at(t)
        words = [run.subtitle, run.conditions, f"{100 * right[t].mean():.1f} % right"]
        subtitle = " · ".join(filter(None, words))
        panels.append(Panel(run.title + note, subtitle, {"test": part}, run.class_names, *directions))
    limit = max(panel.limit for panel in panels)
    first = first_visible([panel.splits["test"].features for panel in panels], limit)
    return _AnimatedRun(panels, epochs, limit, float(epochs[first]))


def _frame(animated: Sequence[_AnimatedRun], epoch: float, last: float, view: str, style: str) -> np.ndarray:
    """One picture (height, width, 3) uint8: every run as it was after `epoch` epochs."""
    panels = [run.panel_at(epoch) for run in animated]
    lines = caption_lines(panel.subtitle for panel in panels)

    def paint(figure: Figure) -> None:
        figure.set_dpi(_DPI)
        set_size(figure, _PANEL * len(panels) + 0.2, _PANEL + 0.75 + 0.18 * lines)
        grid = figure.subplots(1, len(panels), squeeze=False)[0]
        for axes, panel, run in zip(grid, panels, animated, strict=True):
            features.draw_axes(axes, panel, "test", view=view, limit=run.limit)
            title_lines(axes, panel.title, panel.subtitle, lines)
        _draw_progress(figure, epoch, last)

    drawn = render_pixels(paint, style)[..., :3]
    return drawn[: drawn.shape[0] // 2 * 2, : drawn.shape[1] // 2 * 2]  # H.264 wants even sizes


def _draw_progress(figure: Figure, epoch: float, last: float) -> None:
    """How far training is, below the panels: a line that grows, and the epoch in words."""
    figure.get_layout_engine().set(rect=(0, 0.1, 1, 0.9))  # type: ignore[union-attr, call-arg]
    for share, tint, width in ((1.0, ray(), 1.5), (epoch / last, ink(), 2.5)):
        line = figure.add_artist(Line2D([0.08, 0.08 + 0.84 * share], [0.075] * 2))
        line.set(color=tint, linewidth=width, transform=figure.transFigure, gid="clock")
    figure.supxlabel(f"epoch {_epoch_text(epoch)} of {last:.0f}", y=0.02, fontsize="medium", gid="epoch")


def _epoch_text(epoch: float) -> str:
    return f"{epoch:.0f}" if epoch == int(epoch) else f"{epoch:.2f}"


def _gif(frames: Sequence[np.ndarray], fps: float, comment: bytes) -> bytes:
    # one palette, of the last frame, so that colours do not flicker
    palette = Image.fromarray(frames[-1]).quantize(128)
    pages = [Image.fromarray(f).quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    colors = np.array(palette.getpalette()).reshape(-1, 3)
    colors[np.asarray(pages[-1])[0, 0]] = frames[-1][0, 0]  # a page shows a box else
    for page in pages:
        page.putpalette(colors.ravel().tolist())
    durations = [round(1000 / fps)] * (len(pages) - 1) + [round(1000 * _REST)]
    content = io.BytesIO()
    pages[0].save(
        content, "GIF", save_all=True, append_images=pages[1:], duration=durations, loop=0, comment=comment
    )
    return content.getvalue()


def _mp4(frames: Iterator[np.ndarray], fps: float) -> bytes:
    try:
        import imageio_ffmpeg
    except ImportError:
        raise UsageError("MP4 needs imageio-ffmpeg: pip install 'lossbench[video]'.") from None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "animation.mp4"
        first = next(frames)
        with _ffmpeg():
            writer = imageio_ffmpeg.write_frames(
                str(file),
                (first.shape[1], first.shape[0]),
                fps=fps,
                macro_block_size=2,
                quality=8,
                output_params=["-metadata", "comment=made by lossbench"],
            )
            writer.send(None)
        for frame in itertools.chain([first], frames):
            with _ffmpeg():
                writer.send(np.ascontiguousarray(frame))
        with _ffmpeg():
            for _ in range(round(_REST * fps)):
                writer.send(np.ascontiguousarray(frame))
            writer.close()
            return file.read_bytes()


def _ffmpeg() -> contextlib.AbstractContextManager[None]:
    """What fails in the block is told in a sentence."""
    return code_of_user("ffmpeg cannot write an MP4", RunError, "; a path that ends in .gif needs no ffmpeg")
