"""A schedule of ours for losses on angles: training starts with free feature lengths and without margin."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ._geometry import normalize


class SoftStarted(Protocol):
    """A loss with a soft start.

    `progress` () is the fraction of the training that is over, which lossbench's training loop sets; its
    initial 1 means the loss of the paper. `starting` is True until `progress` is twice `soft_start`; the
    loop sets it too, because a branch on a buffer would wait for the device.
    """

    progress: Tensor
    soft_start: float
    starting: bool


class Directed(SoftStarted, Protocol):
    """A loss with a soft start and class directions `weight` (C, D)."""

    weight: Tensor


def soft_start(loss: SoftStarted, features: Tensor, scale: float | Tensor) -> tuple[Tensor, Tensor]:
    """Radius (B, 1) or () that features get, and the part of the margin () in [0, 1] that acts.

    On a circle two clusters that must change places cannot pass each other; with free lengths they can,
    through the origin. Until `progress` reaches the fraction `soft_start` of the training the radius is the
    feature's own length and the margin is off (the modified softmax). Then the radius is the scale, and the
    margin rises linearly until twice that fraction. Where `starting` is False, this is the paper's loss.
    """
    if not loss.starting:
        return features.new_ones(()) * scale, torch.ones_like(loss.progress)
    lengths = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    radius = torch.where(loss.progress < loss.soft_start, lengths, features.new_ones(()) * scale)
    return radius, ((loss.progress - loss.soft_start) / loss.soft_start).clamp(0, 1)


def after_modified_softmax(loss: Directed, features: Tensor, labels: Tensor, values: Tensor) -> Tensor:
    """The values (B,) of a loss that is not a cross-entropy; until `soft_start`, the modified softmax."""
    if not loss.starting:
        return values
    start = F.cross_entropy(features @ normalize(loss.weight).T, labels, reduction="none")
    return torch.where(loss.progress < loss.soft_start, start, values)
