"""MV-Softmax: a margin for the own class, and more weight for the classes that a sample is confused with.

    L = CE(f, y),  f_y = s M(theta_y),  M = cos(theta + m) (arc) or cos(theta) - m (am),
    f_j = s (t cos(theta_j) + t - 1)  where cos(theta_j) > M(theta_y),  else s cos(theta_j)
                                                                        (Wang et al. 2020)

t is fixed, where CurricularFace lets it grow; t = 1 is ArcFace or CosFace. In the plane: ten narrow rays.
Departures from the paper: scale and margins suit (C, D). All samples have the margin, in the released code
those whose own cosine is above 0 (arc) or m (am); past theta + m = pi the target is ArcFace's. `soft_start`
is ours: it scales margin and t - 1. Read: head/MV_Softmax.py of JDAI-CV/FaceX-Zoo;
equation numbers not verified.
"""

import torch
from torch import Tensor

from ..specs import ANGULAR_MARGIN, COSINE_MARGIN, FIXED, SCALE, SOFT_START, LossSpec, setting
from ._cosine import CosineLoss
from ._geometry import add_angle_monotone, normalize, replace_target, target_cosine_and_sine


class MVSoftmax(CosineLoss):
    """MV-Softmax with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="MV-Softmax",
        summary="A margin, and more weight for the classes that win against it: narrow rays.",
        paper="Wang et al., Mis-classified Vector Guided Softmax Loss, AAAI 2020, arXiv 1912.00833",
        equation="L = CE(f, y),  f_y = s M(theta_y),  f_j = s (t c_j + t - 1) if c_j > M(theta_y)",
        kind="classifier",
        angular=True,
    )
    form: str = setting("am", "margin on the angle or on the cosine", choices=("arc", "am"), paper="both")
    scale: float = SCALE
    margin: float = ANGULAR_MARGIN
    cosine_margin: float = COSINE_MARGIN
    t: float = setting(1.12, "weight of a class that wins", ge=1, sweep="1:1.4:lin:5", paper="1.12")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        x, w = normalize(features), normalize(self.weight)
        cosine, sine = target_cosine_and_sine(x, w, labels)
        if self.form == "arc":
            target = cosine + ramp * (add_angle_monotone(cosine, sine, self.margin) - cosine)
        else:
            target = cosine - ramp * self.cosine_margin
        scores = x @ w.T
        weighted = scores + ramp * (self.t - 1) * (scores + 1)
        return replace_target(torch.where(scores > target.unsqueeze(1), weighted, scores), labels, target)
