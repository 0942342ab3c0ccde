"""ElasticFace: ArcFace or CosFace whose margin is drawn anew for each sample.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,
    f_y = s cos(theta_y + m_i) (arc)  or  s (cos(theta_y) - m_i) (cos),
    m_i ~ N(m, sigma)                                                       (Boutros et al. 2022)

`plus` (ElasticFace+) gives the larger margins of a batch to the samples farther from their direction. In
evaluation the margin is m. sigma = 0 is ArcFace without its monotone rule, or CosFace. In the plane: ten
narrow rays.

Departures from the paper: scale and margins suit (C, D). The released code of `plus` applies the order of
the cosines where its inverse, the rank of each sample, is meant; here it is the rank. `soft_start` is ours
(see _soft_start.py). Read: utils/losses.py of fdbtrs/ElasticFace; equation numbers not verified.
pytorch-metric-learning has no counterpart.
"""

import torch
from torch import Tensor

from ..specs import ANGULAR_MARGIN, FIXED, SCALE, SOFT_START, LossSpec, cosine_margin_setting, setting
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
        tags=("angular", "margin"),
        exceptions={"order": "the n-th sample of a batch gets the n-th margin that is drawn"},
    )
    form: str = setting("arc", "margin on the angle or on the cosine", choices=("arc", "cos"), paper="both")
    scale: float = SCALE
    margin: float = ANGULAR_MARGIN
    cosine_margin: float = cosine_margin_setting(
        0.524, 0.35, "cosine m of the form cos", sweep="0:0.2:lin:5", paper="0.35"
    )
    sigma: float = setting(0.0125, "deviation of the margins", ge=0, sweep="0:0.05:lin:5", paper="0.0125")
    plus: bool = setting(False, "larger margins for samples farther from their direction", paper="both")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        return margin_scores(features, self.weight, labels, ramp, self._target)

    def _target(self, cosine: Tensor, sine: Tensor) -> Tensor:
        if self.form == "arc":
            return add_angle(cosine, sine, self.margin + self._deviations(cosine))
        return cosine - self.cosine_margin - self._deviations(cosine)

    @torch.no_grad()
    def _deviations(self, cosine: Tensor) -> Tensor:
        """What is added to the margin of each sample (B,); 0 in evaluation."""
        if not self.training:
            return torch.zeros_like(cosine)
        # in float32, so that the same numbers are drawn for every type
        draws = self.sigma * torch.randn(len(cosine), device=cosine.device).to(cosine.dtype)
        if self.plus:
            rank = cosine.argsort(descending=True).argsort()
            draws = draws.sort().values[rank]
        return draws
