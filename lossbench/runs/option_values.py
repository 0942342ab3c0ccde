"""Values of options that a user writes as text: classes, augmentations, milestones, factors."""

import math
import re
from collections.abc import Sequence

from ..errors import UsageError
from ..specs import AUGMENTATIONS, NO_AUGMENTATION
from ..specs.expressions import split_names


def check_device(name: str) -> None:
    """Raises UsageError unless it is auto, cpu, cuda, cuda:i or mps."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name):
        raise UsageError(f"Unknown device '{name}'; there are: auto, cpu, cuda, cuda:0 ..., mps.")


def unseen_labels(unseen: str | Sequence[int], names: Sequence[str]) -> tuple[int, ...]:
    """Labels of the classes to keep out, from `7,8,9` or `7-9`, class names, or stored labels."""
    if isinstance(unseen, str):
        unseen = [label for word in unseen.split(",") for label in _labels(word.strip(), names)]
    elif any(not isinstance(label, int) or not 0 <= label < len(names) for label in unseen):
        raise UsageError("unseen names labels that the data set does not have.")
    labels = tuple(sorted(set(unseen)))
    if (left := len(names) - len(labels)) < 2:
        raise UsageError(f"--unseen leaves {left or 'no'} class; training needs two.")
    return labels


def augmentation_names(text: str) -> str:
    """The names in `text`, joined by commas, in the order in which they are applied."""
    names = set(split_names(text))
    if unknown := names - {*AUGMENTATIONS, NO_AUGMENTATION}:
        allowed = ", ".join((*AUGMENTATIONS, NO_AUGMENTATION))
        raise UsageError(f"--augment {min(unknown)[:40] or repr('')} is not one of {allowed}.")
    if NO_AUGMENTATION in names and len(names) > 1:
        raise UsageError(f"--augment {text[:40]}: {NO_AUGMENTATION} stands alone.")
    return ",".join(name for name in AUGMENTATIONS if name in names) or NO_AUGMENTATION


def scale_text(text: str) -> str:
    """The factors of `--lr-scale` that are not 1, in one spelling; empty where both are."""
    return ",".join(f"{part}={scale:g}" for part, scale in sorted(parse_scales(text).items()) if scale != 1)


def milestone_fractions(milestones: str | Sequence[float] | None) -> tuple[float, ...] | None:
    """Rising fractions of training between 0 and 1, from `0.5,0.75` or stored numbers."""
    if isinstance(milestones, str):
        try:
            milestones = [float(word) for word in milestones.split(",")]
        except ValueError:
            raise UsageError(f"--milestones {milestones[:40]}: write fractions like 0.5,0.75.") from None
    if milestones is None:
        return None
    values = tuple(milestones)
    if not all(isinstance(value, float) and 0 < value < 1 for value in values) or values != tuple(
        sorted(set(values))
    ):
        raise UsageError("--milestones are rising fractions of the steps between 0 and 1, like 0.5,0.75.")
    return values


def _labels(word: str, names: Sequence[str]) -> Sequence[int]:
    """The label of a class name, or those of a range of them such as `7-9`; names may have hyphens."""
    if word in names:
        return [names.index(word)]
    parts = word.split("-")
    for place in range(1, len(parts)):
        first, last = "-".join(parts[:place]).strip(), "-".join(parts[place:]).strip()
        if first in names and last in names and names.index(first) <= names.index(last):
            return range(names.index(first), names.index(last) + 1)
    raise UsageError(
        f"--unseen {word[:40] or repr('')} is not a class or range of classes; there are: {', '.join(names)}."
    )


def parse_scales(text: str) -> dict[str, float]:
    """The factors of `--lr-scale`, like `loss=10`, by part. Raises UsageError for anything else."""
    scales = {}
    for word in filter(None, text.replace(" ", "").split(",")):
        part, _, text = word.partition("=")
        try:
            factor = float(text)
        except ValueError:
            factor = math.nan
        if part not in ("network", "loss") or part in scales or not 0 <= factor < math.inf:
            raise UsageError(f"--lr-scale {word[:40]}: write it like loss=10 or network=0.5,loss=2.")
        scales[part] = factor
    return scales
