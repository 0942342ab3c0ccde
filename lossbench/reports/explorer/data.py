"""Runs as data of a page: small enough for one file, exact enough for the eye.

Per point and moment: its place (two int16 times the run's scale), the predicted class, how sure the run was
of it (a uint16 between two bounds) and its target angle (whole degrees); all of it deflated, to be unpacked
when the run is first shown. Images are tiles of one PNG, which runs on the same images share.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ...errors import RunError
from ...figures import plane_limit, shown, to_plane, varied
from ...protocols import RunView
from ...records import Embedding, Panel
from ...specs import catalog
from ...specs.quantities import format_value, metric_title

_GRID = 600  # decision regions: cells per side
_REACH = 1.6  # and their half width over that of the features, for windows wider than high
_NO_ANGLE = 255
_COLUMNS = 100  # images per row of the sprite


class _State(NamedTuple):
    """A run at one moment: features (n, D), labels, guesses and how sure it was of them (n,), directions
    (C, D), and the epochs that were over; the last one is the end, with every image."""

    features: np.ndarray
    labels: np.ndarray
    guesses: np.ndarray
    sure: np.ndarray
    weight: np.ndarray | None
    centers: np.ndarray | None
    epoch: float


def labels(runs: Sequence[RunView]) -> list[str]:
    """What tells a run apart from the others of its loss: settings and seed."""
    found = []
    for run in runs:
        names = varied([other for other in runs if other.title == run.title])
        own = [shown(name, run.settings[name]) for name in names if name in run.settings]
        more = [part for part in own if part not in run.subtitle and not part.endswith("= ")]
        found.append(" · ".join(filter(None, [run.subtitle, *more, f"seed {run.seed}"])))
    return found


def packed(run: RunView, sprites: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One run as JSON can hold it; its images are added to `sprites`, by what they show, if not yet there.

    Raises RunError or DataError for a run without features or images.
    """
    split = "test" if "test" in run.splits else "val"
    if split not in run.splits:
        raise RunError(f"{run.name} has neither test nor validation features to explore.")
    states = [*_moments(run), _end(run, split)]
    end = states[-1]
    numbers = run.caption.removeprefix(run.subtitle).removeprefix(" · ")
    placed, note = _placed(run, states)
    return placed | {
        "group": run.title,
        "caption": " · ".join(filter(None, [numbers, note.strip(" ()")])),
        "classes": run.class_names,
        "epochs": [round(state.epoch, 4) for state in states],
        "split": split,
        "kept": len(states[0].labels) if len(states) > 1 else 0,
        "count": len(end.labels),
        "seen": len(run.splits[split].labels),
        "probabilities": _has_probabilities(run),
        "angles_to": "mean" if end.weight is None else "weight",
        "numbers": [[metric_title(name), format_value(name, value)] for name, value in run.numbers.items()],
        "sprite": _sprite(run, split, sprites),
    }


def _placed(run: RunView, states: Sequence[_State]) -> tuple[dict[str, Any], str]:
    """Everything that has a place in the plane or belongs to a point, and a note on a projection."""
    places, note = _in_plane(run, states)
    end, flat = states[-1], states[-1].features.shape[1] == 2
    parts = {str(number): Embedding(points, end.labels, end.labels) for number, points in enumerate(places)}
    limit = plane_limit(Panel("", "", parts, (), None, end.centers if flat else None, ""))
    points = np.concatenate(places)
    scale = max(float(np.abs(points).max()), 1e-12) / 32767
    sure = np.concatenate([state.sure for state in states])
    low, high = (0.0, 1.0) if _has_probabilities(run) else (float(sure.min()), float(sure.max()))
    # a page is made of stored runs without running anybody's code
    regions = _regions(run, _REACH * limit) if flat and not run.external else np.zeros((0, 0), np.uint8)
    kept = np.zeros(0) if run.snapshots is None else run.snapshots.places
    arrays = [  # in this order the script cuts them off again; wide numbers first, for their alignment
        kept.astype("<i4"),
        np.round(points / scale).astype("<i2"),
        np.round(65535 * (sure - low) / max(high - low, 1e-12)).astype("<u2"),
        end.labels.astype(np.uint8),
        np.concatenate([state.guesses for state in states]).astype(np.uint8),
        np.concatenate([_target_angles(state) for state in states]),
        regions,
    ]
    return {
        "scale": scale,
        "limit": limit,
        "reach": _REACH * limit,
        "grid": len(regions),
        "sure": [low, high],
        "weight": [_rows(state.weight) if flat else None for state in states],
        "centers": [_rows(state.centers) if flat else None for state in states],
        "arrays": base64.b64encode(zlib.compress(b"".join(a.tobytes() for a in arrays), 6)).decode(),
    }, note


def _end(run: RunView, split: str) -> _State:
    """The trained run: every image of the split, then those of unseen classes."""
    parts = [run.splits[name] for name in (split, "unseen") if name in run.splits]
    features, labels, guesses = (np.concatenate([part[field] for part in parts]) for field in range(3))
    last = run.epochs[-1].epoch if run.epochs else 0
    sure = _sure(run, np.concatenate([_scores(run, part) for part in parts]), guesses)
    return _State(features, labels, guesses, sure, run.weight, run.centers, last)


def _scores(run: RunView, part: Embedding) -> np.ndarray:
    """Class scores (n, C): as stored, else by the trained loss; all equal where that is code from outside."""
    if part.scores is not None:
        return part.scores
    return np.zeros((len(part.labels), len(run.trained))) if run.external else run.scores(part.features)


def _moments(run: RunView) -> list[_State]:
    found = run.snapshots
    if found is None:
        return []
    seen, states = _seen(run), []
    for number, epoch in enumerate(found.epochs):
        guesses = seen[found.scores[number].argmax(1)]
        sure = _sure(run, found.scores[number], guesses)
        directions = (found.directions.get(name) for name in ("weight", "centers"))
        weight, centers = (None if rows is None else rows[number] for rows in directions)
        states.append(
            _State(found.features[number], found.labels, guesses, sure, weight, centers, float(epoch))
        )
    return states


def _seen(run: RunView) -> np.ndarray:
    """The classes trained on, in the order of the score's columns."""
    return np.array(run.trained)


def _has_probabilities(run: RunView) -> bool:
    # what is measured on probabilities is measured just where softmax of the scores gives some
    specs = {name: catalog.spec("metrics", name) for name in catalog.names("metrics")}
    return any(specs[name].needs == "probabilities" for name in run.numbers if name in specs)


def _sure(run: RunView, scores: np.ndarray, guesses: np.ndarray) -> np.ndarray:
    """The probability, or else the score, of the predicted class (n,)."""
    if _has_probabilities(run):
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        scores = powers / powers.sum(axis=1, keepdims=True)
    columns = np.searchsorted(_seen(run), guesses)
    found: np.ndarray = np.take_along_axis(scores, columns[:, None], axis=1)[:, 0].astype(float)
    return found


def _in_plane(run: RunView, states: Sequence[_State]) -> tuple[list[np.ndarray], str]:
    """The features of every state (n, 2), in one projection for all of them, and a note that says so."""
    if states[-1].features.shape[1] == 2:
        return [state.features for state in states], ""
    parts = {str(n): Embedding(s.features, s.labels, s.guesses) for n, s in enumerate(states)}
    placed, note = to_plane({"train": run.splits["train"], **parts}, "pca")
    return [placed[name].features for name in parts], note


def _target_angles(state: _State) -> np.ndarray:
    """Whole degrees (n,) uint8 between a feature and its class weight, or else the mean of its class."""
    directions = state.weight
    if directions is None:
        classes = range(int(state.labels.max()) + 1)
        members = [state.features[state.labels == label] for label in classes]
        directions = np.stack(
            [m.mean(axis=0) if len(m) else np.full(state.features.shape[1], np.nan) for m in members]
        )
    own = directions[state.labels]
    lengths = np.linalg.norm(own, axis=1) * np.linalg.norm(state.features, axis=1)
    cosine = (own * state.features).sum(axis=1) / np.maximum(lengths, 1e-12)
    degrees = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    return np.where(np.isnan(degrees), _NO_ANGLE, np.nan_to_num(degrees)).astype(np.uint8)


def _regions(run: RunView, reach: float) -> np.ndarray:
    """The predicted class (side, side) uint8 of each cell of the square of this half width, from below."""
    middles = reach * ((2 * np.arange(_GRID) + 1) / _GRID - 1)
    x, y = np.meshgrid(middles, middles)
    scores = run.scores(np.column_stack([x.ravel(), y.ravel()]).astype(np.float32))
    found: np.ndarray = _seen(run)[scores.argmax(1)].reshape(_GRID, _GRID).astype(np.uint8)
    return found


def _rows(directions: np.ndarray | None) -> list[list[float] | None] | None:
    if directions is None:
        return None
    return [
        [float(f"{value:.5g}") for value in row] if np.isfinite(row).all() else None for row in directions
    ]


def _sprite(run: RunView, split: str, sprites: dict[str, dict[str, Any]]) -> int:
    """The number of the picture that holds the run's images; runs with the same images share one."""
    images = np.concatenate([run.images(name) for name in (split, "unseen") if name in run.splits])
    key = hashlib.sha256(images.tobytes()).hexdigest()
    if key not in sprites:
        sprites[key] = _tiled(images)
    return list(sprites).index(key)


def _tiled(images: np.ndarray) -> dict[str, Any]:
    """Images (N, H, W) side by side in one PNG of sixteen greys, half the size and as readable."""
    count, height, width = images.shape
    rows = -(-count // _COLUMNS)
    tiles = np.zeros((rows * _COLUMNS, height, width), np.uint8)
    tiles[:count] = images >> 4
    sheet = tiles.reshape(rows, _COLUMNS, height, width).swapaxes(1, 2)
    picture = Image.fromarray(sheet.reshape(rows * height, _COLUMNS * width))
    picture.putpalette([17 * grey for grey in range(16) for _ in "rgb"])
    content = io.BytesIO()
    picture.save(content, "PNG", bits=4)
    uri = "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
    return {"uri": uri, "columns": _COLUMNS, "rows": rows, "height": height, "width": width}
