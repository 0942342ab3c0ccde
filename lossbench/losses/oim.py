"""OIM (online instance matching): softmax over a look-up table of past features instead of learned weights.

    L = -log(exp(v_y . x / tau) / sum_j exp(v_j . x / tau)),  |x| = 1
                                                 (Xiao et al. 2017, eq. 1, equation number not verified)
    v_y <- normalise(gamma v_y + (1 - gamma) x)                            (Xiao et al. 2017, sec. 3.3)

The table is the buffer `weight` (C, D), unit rows; `scale` is 1 / tau. No gradient and no optimizer moves
it. In the plane: ten rays, each table row in the middle of its class.

Departures from the paper: there is no queue of unlabelled features, because every image has a label. The
table moves in forward, after the value is taken, where the paper moves it in backward. The paper takes one
sample after the other and normalises between them; with many samples of a class in a batch that leaves
little but the last ones, and it is not a tensor program. Here `update` is `batch` (one move per class and
batch, to the mean of its unit features) or `sequence` (sample by sample in batch order, normalised once at
the end: gamma^n v + (1 - gamma) sum_k gamma^(n-k) x_k). Both equal the paper where a class occurs once in a
batch. The table starts with random directions: from the zeros of the public code (`zero_start`) the gradient
of the first step is exactly 0. `soft_start` is ours.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import SOFT_START, LossSpec, scale_setting, setting
from ._cosine import CosineLoss
from ._geometry import class_sums, normalize


class OIM(CosineLoss):
    """OIM with the look-up table in the buffer `weight` (C, D)."""

    SPEC = LossSpec(
        title="OIM",
        summary="Softmax over a table of past features: rays without learned weights.",
        paper="Xiao et al., Joint Detection and Identification Feature Learning (OIM), CVPR 2017, "
        "arXiv 1604.01850, eq. 1 (equation number not verified)",
        equation="L = CE(s V x, y),  |x| = 1,  v_y <- normalise(gamma v_y + (1 - gamma) x)",
        kind="classifier",
        angular=True,
    )
    scale: float = scale_setting(
        24.0, "sharpness of the softmax, 1 / temperature", sweep="8:64:log:4", paper="10"
    )
    momentum: float = setting(
        0.5, "part of the old table row that an update keeps", ge=0, lt=1, sweep="0.1:0.9:lin:5", paper="0.5"
    )
    update: str = setting(
        "batch",
        "one move per class and batch, or sample by sample in batch order",
        choices=("batch", "sequence"),
        paper="sequence",
    )
    zero_start: bool = setting(
        False, "start the table at zero, not at random directions", paper="true (public code)"
    )
    soft_start: float = SOFT_START

    def __post_init__(self) -> None:
        table = normalize(torch.randn(self.num_classes, self.feature_dim))
        self.weight: Tensor = nn.Buffer(torch.zeros_like(table) if self.zero_start else table)

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy; in training the table moves after."""
        # backward keeps the normalised copy of the table, so moving the buffer below does not touch it
        value = super().compute(features, labels, reduction)
        if self.training:
            self.move_state(value, weight=self._moved_table(normalize(features.detach()), labels))
        return value

    def _moved_table(self, units: Tensor, labels: Tensor) -> Tensor:
        classes, keep = self.num_classes, self.momentum
        if self.update == "batch":
            sums, counts = class_sums(units, labels, classes)
            moved = keep * self.weight + (1 - keep) * sums / counts.clamp(min=1)
        else:
            members = F.one_hot(labels, classes)
            later = members.sum(0) - members.cumsum(0)  # samples of each class that are still to come
            fade = keep ** (later * members).sum(1, keepdim=True).to(units.dtype)
            sums, counts = class_sums(fade * units, labels, classes)
            moved = keep**counts * self.weight + (1 - keep) * sums
        return torch.where(counts > 0, normalize(moved), self.weight)
