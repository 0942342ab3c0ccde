"""Circle loss with class labels: the further a similarity is from its optimum, the harder it is pushed.

    L = CE(f, y),  f_y = g a_p (c_y - (1 - m)),  f_j = g a_n (c_j - m)               (Sun et al. 2020, eq. 6)
    a_p = [1 + m - c_y]_+,  a_n = [c_j + m]_+,  c = cos(theta)                       (eqs. 5 and 8)

The weights a are constants in the backward pass, as in the paper. The decision boundary is the circle
c_n^2 + (1 - c_p)^2 = 2 m^2. The paper's gamma is `scale`. In the plane: ten rays.

Departures from the paper: none in the equation; the one-log form of eq. 6 with a single positive is the
cross-entropy above. The defaults suit (C, D): a perfect sample is inside the boundary only if the cosine of
neighbouring directions is below sqrt(2) m. For ten directions in a plane it is 0.81, so m starts at 0.62
there (with the paper's 0.25 a short training reached 75 % where 0.62 reached 92 %). `soft_start` is ours:
first the modified softmax, then from g cos(theta) into f.
"""

import torch
from torch import Tensor

from ..specs import FIXED, SOFT_START, LossSpec, largest_cosine_margin, scale_setting, setting
from ._cosine import CosineLoss
from ._geometry import cosines, is_target


class Circle(CosineLoss):
    """Circle loss for class labels, with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="Circle",
        summary="Self-paced cosine margin with class labels: rays.",
        paper="Sun et al., Circle Loss, CVPR 2020, arXiv 2002.10857, eqs. 5, 6 and 8",
        equation="L = CE(f, y),  f_y = g [1+m-c_y]_+ (c_y-1+m),  f_j = g [c_j+m]_+ (c_j-m)",
        kind="classifier",
        angular=True,
        exceptions={"gradcheck": "the weights a_p and a_n are constants in backward, as the paper has it"},
    )
    scale: float = scale_setting(24.0, "scale gamma of the scores", sweep="8:128:log:5", paper="256")
    margin: float = setting(
        lambda classes, dim: round(max(0.25, (1 - largest_cosine_margin(classes, dim)) / 2**0.5 + 0.05), 3),
        "relaxation m: own cosines above 1 - m and others below m are at rest",
        ge=0,
        le=1,
        sweep="0.25:0.75:lin:6",
        paper="0.25",
        smallest=lambda classes, dim: max(0.0, (1 - largest_cosine_margin(classes, dim)) / 2**0.5),
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        cosine = cosines(features, self.weight)
        target_mask, m = is_target(cosine, labels), self.margin
        weights = torch.where(target_mask, 1 + m - cosine, cosine + m).detach().clamp(min=0)
        return (1 - ramp) * cosine + ramp * (weights * torch.where(target_mask, cosine - (1 - m), cosine - m))
