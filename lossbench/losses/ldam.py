"""LDAM: CosFace whose margin is larger for rarer classes.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s (cos(theta_y) - Delta_y),
    Delta_j = m (min_k n_k / n_j)^(1/4),  n_j samples of class j in training            (Cao et al. 2019)

With equal counts it is CosFace. In the plane: ten rays; rare classes are to have more room beside them.

Departures from the paper: scale and margin suit (C, D). Ten directions in a plane satisfy at most m = 0.19.
Features and weights have unit length, as in the released code (use_norm). The deferred re-weighting of that
paper (DRW) is a matter of the training and left out. `soft_start` is ours. Read:
losses.py, models/resnet_cifar.py and cifar_train.py of kaidic/LDAM-DRW; equation numbers not verified.
pytorch-metric-learning has no counterpart.
"""

import torch
from torch import Tensor

from ..specs import CLASS_COUNTS, FIXED, SCALE, SOFT_START, LossSpec, margin_setting
from ._cosine import CosineLoss
from ._geometry import cosines, is_target


class LDAM(CosineLoss):
    """LDAM with class directions `weight` (C, D) and the training samples of each class, `counts` (C,)."""

    SPEC = LossSpec(
        title="LDAM",
        summary="Cosine margin that is larger for rarer classes: rays.",
        paper="Cao et al., Learning Imbalanced Datasets with LDAM, NeurIPS 2019, arXiv 1906.07413",
        equation="L = CE(f, y),  f_y = s (cos(theta_y) - m (n_min / n_y)^(1/4)),  f_j = s cos(theta_j)",
        kind="classifier",
        angular=True,
    )
    scale: float = SCALE
    margin: float = margin_setting(
        0.524, 0.5, "cosine m subtracted from the rarest class", sweep="0:0.2:lin:5", paper="0.5"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED
    counts: Tensor = CLASS_COUNTS

    def margins(self) -> Tensor:
        """The margin of each class (C,)."""
        return self.margin * (self.counts.min() / self.counts) ** 0.25

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        cosine = cosines(features, self.weight)
        return torch.where(is_target(cosine, labels), cosine - ramp * self.margins(), cosine)
