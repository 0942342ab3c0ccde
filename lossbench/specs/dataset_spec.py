"""The record that describes a data set, also one of a user."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..files import slug

AUGMENTATIONS = ("shift", "rotate")
"""The random changes of training images, in the order in which they are applied."""
NO_AUGMENTATION = "none"
_USUAL_SAMPLES = 240_000  # that a training takes by default, where a user's data set has some thousands


@dataclass(frozen=True, kw_only=True)
class DatasetSpec:
    """What a data set is.

    classes: the name of each class, in the order of the labels. shape: (channels, height, width) of an image,
    or (D0,) of a vector of features.
    mean, deviation: what is subtracted from the values of a sample, and what they are then divided by, before
    a network sees them: one number for all channels or one for each. The default is Caffe-face's.
    val_size, epochs: the defaults of a run that suit its size.
    digest, location, samples: of a user's data set, SHA-256 of its content, the path or `module:function`,
    and the number of training samples.
    """

    title: str
    summary: str
    source: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    val_size: int
    epochs: int
    mean: tuple[float, ...] = (127.5,)
    deviation: tuple[float, ...] = (128.0,)
    needs_files: bool = True
    digest: str = ""
    location: str = field(default="", compare=False)
    samples: int = 0

    @property
    def augment(self) -> str:
        """How training changes images by default; vectors of features stay as they are."""
        return AUGMENTATIONS[0] if len(self.shape) == 3 else NO_AUGMENTATION

    @property
    def name(self) -> str:
        """The name of a user's data set in options and stored runs: its title and the beginning of its
        digest, so that other data are another data set."""
        return f"{slug(self.title)[:40] or 'data'}@{self.digest[:10]}"

    @classmethod
    def of_user(
        cls,
        title: str,
        digest: str,
        *,
        samples: int,
        classes: tuple[str, ...],
        shape: tuple[int, ...],
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        location: str = "",
    ) -> DatasetSpec:
        """A user's data set with this number of training samples; the defaults follow from what was found."""
        return cls(
            title=title,
            summary=f"{samples:,} training samples of {len(classes)} classes",
            source=location,
            classes=classes,
            shape=shape,
            val_size=min(samples // 10, 5000),
            epochs=min(max(6, round(_USUAL_SAMPLES / samples)), 40),
            mean=mean,
            deviation=deviation,
            digest=digest,
            location=location,
            samples=samples,
        )

    def to_dict(self) -> dict[str, Any]:
        """What a run stores of a user's data set, as plain data; `from_dict` reads it."""
        lists = {name: list(getattr(self, name)) for name in ("classes", "shape", "mean", "deviation")}
        return {"title": self.title, "digest": self.digest, "samples": self.samples, **lists}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> DatasetSpec:
        """A user's data set from what a run stored of it. Raises ValueError, KeyError or TypeError."""
        classes, shape, mean, deviation = (tuple(data[k]) for k in ("classes", "shape", "mean", "deviation"))
        title, digest, samples = data["title"], data["digest"], data["samples"]
        numbers = (*mean, *deviation)
        if (
            not all(isinstance(text, str) for text in (title, digest, *classes))
            or not re.fullmatch("[0-9a-f]{64}", digest)
            or len(set(classes)) != len(classes)
            or len(shape) not in (1, 3)
            or not all(type(size) is int and 0 < size <= 2**31 for size in (samples, *shape))
            or {len(mean), len(deviation)} - {1, shape[0]}
            or not all(type(number) is float and math.isfinite(number) for number in numbers)
            or not all(deviation)
        ):
            raise ValueError("the description of its data set was changed")
        return cls.of_user(
            title, digest, samples=samples, classes=classes, shape=shape, mean=mean, deviation=deviation
        )
