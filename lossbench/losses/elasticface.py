"""ElasticFace: ArcFace or CosFace whose margin is drawn at random for each sample.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  m_i ~ N(m, sigma)               (Boutros et al. 2022)
    f_y = s cos(theta_y + m_i) (arc)  or  s (cos(theta_y) - m_i) (cos)

`plus` (ElasticFace+) gives larger margins to samples farther from their direction. In the plane: ten narrow
rays. Departures from the paper: scale and margins suit (C, D); in evaluation the margin is m; `plus` uses the
rank of each sample, where the released code applies the order of the cosines. `soft_start` is ours. Read:
utils/losses.py of fdbtrs/ElasticFace; equation numbers not verified.
"""

import torch
from torch import Tensor

from ..specs import ANGULAR_MARGIN, COSINE_MARGIN, FIXED, SCALE, SOFT_START, LossSpec, setting
from ._cosine import CosineLoss, margin_scores
from ._geometry import add_angle


class ElasticFace(CosineLoss):
    """ElasticFace with class directions `weight` (C, D); in training it draws from torch's generator."""

    SPEC = LossSpec(
        title="ElasticFace",
        summary="ArcFace or CosFace with a random margin for each sample: narrow rays.",
        paper="Boutros et al., ElasticFace: Elastic Margin Loss, CVPR Workshops 2022, arXiv 2109.09416",
        equation="L = CE(f, y),  f_j = s cos(theta_j),  f_y = s cos(theta_y + m),  m ~ N(m, sigma)",
        kind="classifier",
        angular=True,
        exceptions={"order": "the n-th sample of a batch gets the n-th margin that is drawn"},
    )
    form: str = setting("arc", "margin on the angle or on the cosine", choices=("arc", "cos"), paper="both")
    scale: float = SCALE
    margin: float = ANGULAR_MARGIN
    cosine_margin: float = COSINE_MARGIN
    sigma: float = setting(0.0125, "deviation of the margins", ge=0, sweep="0:0.05:lin:5", paper="0.0125")
    plus: bool = setting(False, "larger margins for samples farther from their direction", paper="both")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        return margin_scores(features, self.weight, labels, ramp, self._target)

    def _target(self, cosine: Tensor, sine: Tensor) -> Tensor:
        margin: float | Tensor = self.margin if self.form == "arc" else self.cosine_margin
        if self.training:  # drawn in float32, so that the same numbers are drawn for every type
            draws = self.sigma * torch.randn(len(cosine), device=cosine.device).to(cosine.dtype)
            margin = margin + (draws.sort().values[(-cosine).argsort().argsort()] if self.plus else draws)
        return add_angle(cosine, sine, margin) if self.form == "arc" else cosine - margin
