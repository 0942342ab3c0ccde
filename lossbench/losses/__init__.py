"""The losses, one per file; `from lossbench.losses import ArcFace` gives a plain `nn.Module`.

Each is called with features (B, D) and labels (B,) and returns the mean loss of the batch. Classes are
imported when first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def __getattr__(name: str) -> type[nn.Module]:
    from .. import catalog  # not at the top: catalog stands above the losses that it finds

    entries = catalog.by_class_name("losses")
    if name not in entries:
        raise AttributeError(f"module 'lossbench.losses' has no loss class '{name}'")
    loss: type[nn.Module] = catalog.load("losses", entries[name])
    return loss


def __dir__() -> list[str]:
    from .. import catalog

    return sorted(catalog.by_class_name("losses"))
