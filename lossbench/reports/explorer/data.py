"""Runs as data of a page: small enough for one file, exact enough for the eye.

Per point and moment: its place (two int16 times the run's scale), the predicted class, its probability or
score (a uint16 between two bounds) and its target angle (whole degrees). The arrays are compressed, and the
page unpacks them when the run is first shown. Images are tiles of one picture, shared by runs on the same
images.
"""

import base64
import hashlib
import io
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ...errors import RunError
from ...figures import displayable, first_visible, plane_limit, to_plane, varied
from ...metrics import MetricInput, angles, class_means, measure, probabilities, unit
from ...records import Embedding, RunView
from ...specs import catalog, setting_text
from ...specs.quantities import format_value, metric_title

_GRID = 600  # decision regions: cells per side
_REACH = 1.6  # and their half width over that of the features, for windows wider than high
_NO_ANGLE = 255
_COLUMNS = 100  # images per row of the sprite
_TILE = 64  # pixels of the longer side of an image there


class _Moment(NamedTuple):
    """A run at one moment: features (n, D), labels, predictions and the confidence in them (n,), directions
    (C, D), the epochs that were complete, and scores (n, C). The last moment has every image."""

    features: np.ndarray
    labels: np.ndarray
    predictions: np.ndarray
    confidence: np.ndarray
    weight: np.ndarray | None
    centers: np.ndarray | None
    epoch: float
    scores: np.ndarray


def run_labels(runs: Sequence[RunView]) -> list[str]:
    """What tells a run apart from the others of its loss: settings and seed."""
    labels = []
    for run in runs:
        names = varied([other for other in runs if other.title == run.title])
        settings = [setting_text(name, run.settings[name]) for name in names if name in run.settings]
        more = [part for part in settings if part not in run.subtitle]
        conditions = [] if more else [run.conditions]  # `more` says what differs within one loss
        labels.append(" · ".join(filter(None, [run.subtitle, *more, *conditions, f"seed {run.seed}"])))
    return labels


def run_data(run: RunView, sprites: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """One run as JSON can hold it; its images are added to `sprites`, by what they show, if not yet there.

    Raises RunError or DataError for a run without features or images.
    """
    split = "test" if "test" in run.splits else "val"
    if split not in run.splits:
        raise RunError(f"{run.name} has neither test nor validation features to explore.")
    moments = [*_moments(run), _end(run, split)]
    end = moments[-1]
    conditions, _, accuracy = run.caption.removeprefix(run.subtitle).removeprefix(" · ").rpartition(" · ")
    places, note = _in_plane(run, moments)
    limit = plane_limit(places, end.centers if end.features.shape[1] == 2 else None)
    first = first_visible(places[:-1], limit) if len(moments) > 1 else 0
    moments, places = moments[first:], places[first:]
    return _placed(run, moments, places, limit) | {
        "group": run.title,
        "conditions": " · ".join(filter(None, [conditions, note.strip(" ()")])),
        "accuracy": accuracy,
        "main": metric_title(f"{split}_accuracy"),
        "classes": run.class_names,
        "epochs": [round(moment.epoch, 4) for moment in moments],
        "split": split,
        "kept": len(moments[0].labels) if len(moments) > 1 else 0,
        "count": len(end.labels),
        "seen": len(run.splits[split].labels),
        "probabilities": _has_probabilities(run),
        "angles_to": "mean" if end.weight is None else "weight",
        "numbers": [metric_title(name) for name in run.numbers],
        "values": [
            *([format_value(name, value) for name, value in _measured(run, m, split)] for m in moments[:-1]),
            [format_value(name, value) for name, value in run.numbers.items()],
        ],
        "sprite": _sprite(run, split, sprites),
    }


def _measured(run: RunView, moment: _Moment, split: str) -> list[tuple[str, float | None]]:
    """The numbers of a run at an earlier moment, of the images kept; None for what needs more than these."""
    labels, predictions = np.searchsorted(run.trained, [moment.labels, moment.predictions])
    part = Embedding(moment.features, labels, predictions, moment.scores)
    inputs = MetricInput(
        evaluated=part,
        reference=part.emptied(),
        classes=len(run.trained),
        cosine=run.cosine,
        probabilities=_has_probabilities(run),
    )
    metrics = [name for name in catalog.names("metrics") if name in run.numbers]
    numbers = measure(inputs, [name for name in metrics if catalog.spec("metrics", name).cheap])
    numbers["accuracy"] = numbers[f"{split}_accuracy"] = float((moment.labels == moment.predictions).mean())
    return [(name, numbers.get(name)) for name in run.numbers]


def _placed(
    run: RunView, moments: Sequence[_Moment], places: Sequence[np.ndarray], limit: float
) -> dict[str, Any]:
    """Everything that has a place in the plane or belongs to a point."""
    flat = moments[-1].features.shape[1] == 2
    points = np.concatenate(places)
    scale = max(float(np.abs(points).max()), 1e-12) / 32767
    confidence = np.concatenate([moment.confidence for moment in moments])
    low, high = (0.0, 1.0) if _has_probabilities(run) else (float(confidence.min()), float(confidence.max()))
    # a page is made of stored runs without running anybody's code
    regions = _regions(run, _REACH * limit) if flat and not run.external else np.zeros((0, 0), int)
    kept = np.zeros(0) if run.snapshots is None else run.snapshots.places
    predictions = np.concatenate([moment.predictions for moment in moments])
    label_type = "<u2" if len(run.class_names) > 256 else "u1"
    end = moments[-1]
    arrays = [  # in this order the script cuts them off again; wide numbers first, for their alignment
        kept.astype("<i4"),
        np.round(points / scale).astype("<i2"),
        np.round(65535 * (confidence - low) / max(high - low, 1e-12)).astype("<u2"),
        *(numbers.astype(label_type) for numbers in (end.labels, predictions, regions)),
        np.concatenate([_target_angles(moment) for moment in moments]),
    ]
    return {
        "scale": scale,
        "limit": limit,
        "reach": _REACH * limit,
        "grid": len(regions),
        "confidence_range": [low, high],
        "weight": [_rows(moment.weight) if flat else None for moment in moments],
        "centers": [_rows(moment.centers) if flat else None for moment in moments],
        "arrays": base64.b64encode(zlib.compress(b"".join(a.tobytes() for a in arrays), 6)).decode(),
    }


def _end(run: RunView, split: str) -> _Moment:
    """The trained run: every image of the split, then those of unseen classes."""
    parts = [run.splits[name] for name in (split, "unseen") if name in run.splits]
    features, labels, predictions = (np.concatenate([part[field] for part in parts]) for field in range(3))
    last = run.epochs[-1].epoch if run.epochs else 0
    scores = np.concatenate([_scores(run, part) for part in parts])
    confidence = _confidence(run, scores, predictions)
    return _Moment(features, labels, predictions, confidence, run.weight, run.centers, last, scores)


def _scores(run: RunView, part: Embedding) -> np.ndarray:
    """Class scores (n, C): as stored, else by the trained loss; all equal where that is code from outside."""
    if part.scores is not None:
        return part.scores
    return np.zeros((len(part.labels), len(run.trained))) if run.external else run.scores(part.features)


def _moments(run: RunView) -> list[_Moment]:
    snapshots = run.snapshots
    if snapshots is None:
        return []
    moments = []
    for t, (epoch, features, scores) in enumerate(
        zip(snapshots.epochs, snapshots.features, snapshots.scores, strict=True)
    ):
        predictions = np.array(run.trained)[scores.argmax(1)]
        confidence = _confidence(run, scores, predictions)
        known = (features, snapshots.labels, predictions, confidence)
        moments.append(_Moment(*known, *snapshots.directions_at(t), float(epoch), scores))
    return moments


def _has_probabilities(run: RunView) -> bool:
    # what is measured on probabilities is measured just where softmax of the scores gives some
    specs = {name: catalog.spec("metrics", name) for name in catalog.names("metrics")}
    return any(specs[name].needs == "probabilities" for name in run.numbers if name in specs)


def _confidence(run: RunView, scores: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """The probability, or else the score, of the predicted class (n,)."""
    if _has_probabilities(run):
        scores = probabilities(scores)
    columns = np.searchsorted(run.trained, predictions)
    confidence: np.ndarray = np.take_along_axis(scores, columns[:, None], axis=1)[:, 0].astype(float)
    return confidence


def _in_plane(run: RunView, moments: Sequence[_Moment]) -> tuple[list[np.ndarray], str]:
    """The features of every moment (n, 2), in one projection for all of them, and a note that says so."""
    if moments[-1].features.shape[1] == 2:
        return [moment.features for moment in moments], ""
    parts = {str(n): Embedding(s.features, s.labels, s.predictions) for n, s in enumerate(moments)}
    placed, note = to_plane({"train": run.splits["train"], **parts}, "pca")
    return [placed[name].features for name in parts], note


def _target_angles(moment: _Moment) -> np.ndarray:
    """Whole degrees (n,) uint8 between a feature and its class weight, or else the mean of its class."""
    directions = moment.weight
    if directions is None:
        directions = class_means(moment.features, moment.labels, int(moment.labels.max()) + 1)
    targets, features = (rows.astype(np.float64) for rows in (directions[moment.labels], moment.features))
    degrees = angles(unit(features), unit(targets))
    return np.where(np.isnan(degrees), _NO_ANGLE, degrees).astype(np.uint8)


def _regions(run: RunView, reach: float) -> np.ndarray:
    """The predicted class (side, side) of each cell of the square of this half width, from below."""
    middles = reach * ((2 * np.arange(_GRID) + 1) / _GRID - 1)
    x, y = np.meshgrid(middles, middles)
    scores = run.scores(np.column_stack([x.ravel(), y.ravel()]).astype(np.float32))
    predicted: np.ndarray = np.array(run.trained)[scores.argmax(1)].reshape(_GRID, _GRID)
    return predicted


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
    """Images (N, C, H, W) side by side in one picture: grey ones as a PNG of sixteen greys, half the size
    and as readable, colour ones as a JPEG."""
    pictures = displayable(images, _TILE)
    count, height, width = pictures.shape[:3]
    rows = -(-count // _COLUMNS)
    tiles = np.zeros((rows * _COLUMNS, *pictures.shape[1:]), np.uint8)
    tiles[:count] = pictures
    sheet = tiles.reshape(rows, _COLUMNS, *pictures.shape[1:]).swapaxes(1, 2)
    sheet = sheet.reshape(rows * height, _COLUMNS * width, *pictures.shape[3:])
    content, grey = io.BytesIO(), sheet.ndim == 2
    picture = Image.fromarray(sheet >> 4 if grey else sheet)
    if grey:
        picture.putpalette([17 * level for level in range(16) for _ in "rgb"])
        picture.save(content, "PNG", bits=4)
    else:
        picture.save(content, "JPEG", quality=85)
    uri = f"data:image/{'png' if grey else 'jpeg'};base64,{base64.b64encode(content.getvalue()).decode()}"
    return {"uri": uri, "columns": _COLUMNS, "rows": rows, "height": height, "width": width, "grey": grey}
