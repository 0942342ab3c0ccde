"""The losses, one per file; `from lossbench.losses import ArcFace` gives a plain `nn.Module`.

Each is called with features (B, D) and labels (B,) and returns the mean loss of the batch. Classes are
imported when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..specs import catalog
from ._explanation import Explanation, documentation, explain, target_curve, values_and_gradients
from ._prediction import class_means, class_scores
from ._weighted_sum import WeightedSum

if TYPE_CHECKING:
    from torch import nn

__all__ = [
    "Explanation", "WeightedSum", "class_means", "class_scores", "documentation", "explain", "target_curve",
    "values_and_gradients",
]  # fmt: skip


def __getattr__(name: str) -> type[nn.Module]:
    entries = catalog.by_class_name("losses")
    if name not in entries:
        raise AttributeError(f"module 'lossbench.losses' has no loss class '{name}'")
    loss: type[nn.Module] = catalog.load("losses", entries[name])
    return loss


def __dir__() -> list[str]:
    return sorted([*catalog.by_class_name("losses"), *__all__])
