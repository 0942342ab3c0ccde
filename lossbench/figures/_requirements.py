"""What figures need of runs, with a clear error where a run does not have it."""

from collections.abc import Sequence

import numpy as np

from ..errors import RunError, UsageError
from ..metrics import class_means, unit
from ..records import Embedding, RunView


def split_of(run: RunView, split: str) -> Embedding:
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


def class_number(run: RunView, name: str) -> int:
    """The number of a trained class by its name, '' for the first. Raises UsageError."""
    labels = {run.class_names[label]: label for label in run.trained}
    if name and name not in labels:
        raise UsageError(f"--label {name} is not one of the classes of {run.name}: {', '.join(labels)}.")
    return labels[name] if name else run.trained[0]


def winners(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The class (N,) with the largest of the scores (N, C), of which `classes` (C,) are the numbers."""
    trained = scores if scores.shape[1] == len(classes) else scores[:, classes]
    won: np.ndarray = classes[trained.argmax(axis=1)]
    return won


def mean_directions(features: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The mean direction of each class (C, D), not of unit length; NaN for a class without features."""
    return class_means(unit(features.astype(np.float64)), labels, classes)
