"""Sub-center ArcFace: ArcFace with K directions per class, of which the nearest counts.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s cos(theta_y + m),
    cos(theta_j) = max_k cos(theta_jk)
                                                           (Deng et al. 2020; eq. 7 of the PAMI version)

Noisy or unusual samples can gather at a direction of their own and no longer bend the class. In the
plane: narrow rays, of which a class may have more than one.

Departures from the paper: scale, margin and K suit (C, D). Thirty directions in a plane are too many for ten
classes to find their own (95.1 % on MNIST with K = 3). Past theta + m = pi the target is s (cos(theta) - m
sin(m)), as in ArcFace's released code. `soft_start` is ours. None from
pytorch-metric-learning's SubCenterArcFaceLoss, whose margin is in degrees; like it, `weight` holds the K
rows of a class together.
"""

from torch import Tensor

from ..specs import ANGULAR_MARGIN, FIXED, SCALE, SOFT_START, LossSpec, setting
from ._cosine import CosineLoss
from ._geometry import add_angle_monotone, full_precision, normalize, replace_target, target_cosine_and_sine


class SubcenterArcFace(CosineLoss):
    """Sub-center ArcFace with directions `weight` (C*K, D), row j*K + k being direction k of class j."""

    SPEC = LossSpec(
        title="Sub-center ArcFace",
        summary="ArcFace with several directions per class, of which the nearest counts.",
        paper="Deng et al., Sub-center ArcFace: Boosting Face Recognition by Noisy Web Faces, ECCV 2020; "
        "eq. 7 of the PAMI version of ArcFace",
        equation="L = CE(f, y),  f_j = s max_k cos(theta_jk),  f_y = s cos(theta_y + m)",
        kind="classifier",
        angular=True,
    )
    scale: float = SCALE
    margin: float = ANGULAR_MARGIN
    subcenters: int = setting(2, "directions K per class", ge=1, sweep="1:5:lin:5", paper="3")
    soft_start: float = SOFT_START
    fixed: bool = FIXED

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): s cos(theta) with the nearest direction of each class."""
        return self.scale * self._nearest(normalize(features), normalize(self.weight))[0]

    def _scores(self, features: Tensor, labels: Tensor, ramp: Tensor) -> Tensor:
        x, w = normalize(features), normalize(self.weight)
        scores, nearest = self._nearest(x, w)
        row = labels * self.subcenters + nearest.gather(1, labels.unsqueeze(1)).squeeze(1)
        cosine, sine = target_cosine_and_sine(x, w, row)
        target = cosine + ramp * (add_angle_monotone(cosine, sine, self.margin) - cosine)
        return replace_target(scores, labels, target)

    def _nearest(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Of unit vectors: cosine to, and number k of, the nearest direction of each class: (B, C) each."""
        nearest = (x @ w.T).unflatten(-1, (-1, self.subcenters)).max(-1)
        return nearest.values, nearest.indices
