"""OIM (online instance matching): softmax over a look-up table of past features instead of learned weights.

    L = -log(exp(v_y . x / tau) / sum_j exp(v_j . x / tau)),  |x| = 1      (Xiao et al. 2017, eq. 1)
    v_y <- normalise(gamma v_y + (1 - gamma) x)                            (Xiao et al. 2017, sec. 3.3)

The table is the buffer `weight` (C, D), unit rows; `scale` is 1 / tau. No gradient and no optimiser moves
it. In the plane: ten rays, each table row in the middle of its class.

Departures from the paper: there is no queue of unlabelled features, MNIST has none. The table moves in
forward, after the value is taken, where the paper moves it in backward. The paper takes one sample after
the other and normalises between them; with many samples of a class in a batch that leaves little but the
last ones, and it is no tensor program. Here `update` is `batch` (one move per class and batch, to the
mean of its unit features) or `sequence` (sample by sample in batch order, normalised once at the end:
gamma^n v + (1 - gamma) sum_k gamma^(n-k) x_k). Both equal the paper where a class occurs once in a
batch. The table starts with random directions: from the zeros of the public code (`zero_start`) the
gradient of the first step is exactly 0. `soft_start` is ours, see geometry.soft_start.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, HyperParameter, LossSpec, smallest_useful_scale
from ._geometry import class_sums, cosines, full_precision, normalize, soft_start

SPEC = LossSpec(
    title="OIM",
    summary="Softmax over a table of past features: rays without learned weights.",
    paper="Xiao et al., Joint Detection and Identification Feature Learning (OIM), CVPR 2017, "
    "arXiv 1604.01850, eq. 1",
    equation="L = CE(s V x, y),  |x| = 1,  v_y <- normalise(gamma v_y + (1 - gamma) x)",
    kind="classifier",
    tags=("angular", "table"),
    settings={
        "scale": HyperParameter(
            default=24.0,
            low=0,
            low_open=True,
            help="sharpness of the softmax, 1 / temperature",
            sweep="8:64:log:4",
            paper="10",
            smallest=smallest_useful_scale,
        ),
        "momentum": HyperParameter(
            default=0.5,
            low=0,
            high=1,
            high_open=True,
            help="part of the old table row that an update keeps",
            sweep="0.1:0.9:lin:5",
            paper="0.5",
        ),
        "update": HyperParameter(
            default="batch",
            choices=("batch", "sequence"),
            help="one move per class and batch, or sample by sample in batch order",
            paper="sequence",
        ),
        "zero_start": HyperParameter(
            default=False,
            help="start the table at zero, not at random directions",
            paper="true (public code)",
        ),
        "soft_start": SOFT_START,
    },
)


class OIM(nn.Module):
    """OIM with the look-up table in the buffer `weight` (C, D)."""

    weight: Tensor
    progress: Tensor
    starting = False

    def __init__(
        self,
        num_classes: int,
        feature_dim: int,
        *,
        scale: float = 24.0,
        momentum: float = 0.5,
        update: str = "batch",
        zero_start: bool = False,
        soft_start: float = 0.3,
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(
            num_classes,
            feature_dim,
            scale=scale,
            momentum=momentum,
            update=update,
            zero_start=zero_start,
            soft_start=soft_start,
        )
        self.scale, self.momentum = float(chosen["scale"]), float(chosen["momentum"])
        self.update, self.soft_start = str(chosen["update"]), float(chosen["soft_start"])
        table = normalize(torch.randn(num_classes, feature_dim))
        self.register_buffer("weight", torch.zeros_like(table) if chosen["zero_start"] else table)
        self.register_buffer("progress", torch.ones(()))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean cross-entropy; in training the table moves after."""
        radius, _ = soft_start(self, features, self.scale)
        # backward keeps the normalised copy of the table, so moving the buffer below does not touch it
        value = F.cross_entropy(radius * cosines(features, self.weight), labels)
        if self.training:
            self._move_table(normalize(features.detach()), labels)
        return value

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C): s cos(theta) to the table rows."""
        return self.scale * cosines(features, self.weight)

    @torch.no_grad()
    def _move_table(self, units: Tensor, labels: Tensor) -> None:
        classes, keep = len(self.weight), self.momentum
        if self.update == "batch":
            sums, counts = class_sums(units, labels, classes)
            moved = keep * self.weight + (1 - keep) * sums / counts.clamp(min=1)
        else:
            members = F.one_hot(labels, classes)
            later = members.sum(0) - members.cumsum(0)  # of each class, how many samples are still to come
            fade = keep ** (later * members).sum(1, keepdim=True).to(units.dtype)
            sums, counts = class_sums(fade * units, labels, classes)
            moved = keep**counts * self.weight + (1 - keep) * sums
        self.weight.copy_(torch.where(counts > 0, normalize(moved), self.weight))
