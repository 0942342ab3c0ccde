"""COCO (congenerous cosine): normalised softmax with one fixed scale.

    L = CE(f, y),  f_j = s cos(theta_j)                                      (Liu et al. 2017, version 2)

The same function as NormFace with a fixed s; what the paper adds is a rule for the scale,
s = ln((C - 1) / eps) / 2 + 3, with eps the loss to be reached. In the plane: ten rays at even angles.

Departures from the paper: its rule counts on directions 90 degrees apart or more, so the default is 16,
chosen for two dimensions. For ten classes and eps = 1e-4 the rule gives 8.7; in a plane these stand 36
degrees apart and a perfect sample would reach p = 0.72 only, with 16 it reaches 0.91. This is version 2
(arXiv 1710.00870): version 1 compares with the centroids of the batch, and its authors call its gradient
wrong. `soft_start` is ours. pytorch-metric-learning's NormalizedSoftmaxLoss is the same
with temperature 1/s.
"""

from ..specs import FIXED, SOFT_START, LossSpec, scale_setting
from ._cosine import CosineLoss


class Coco(CosineLoss):
    """COCO with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="COCO",
        summary="Congenerous cosine: scaled cosines, with the scale by a rule.",
        paper="Liu, Li, Wang, Rethinking Feature Discrimination and Polymerization, 2017, arXiv 1710.00870",
        equation="L = CE(f, y),  f_j = s cos(theta_j)",
        kind="classifier",
        angular=True,
    )
    scale: float = scale_setting(
        16.0, sweep="4:64:log:5", paper="ln((C-1)/eps)/2 + 3: 8.7 for C = 10, eps = 1e-4"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED
