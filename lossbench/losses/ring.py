"""Ring loss: pulls the length of every feature towards one learned radius.

    L = 1/(2B) sum_i (|x_i| - R)^2                                        (Zheng et al. 2018, eq. 2)

Used as softmax + lambda * ring. R is the parameter `radius` (), trained by the gradient of this loss. In
the plane: softmax rays whose samples gather on a circle.

Departures from the paper: R starts at a setting, not at the mean length of a pretrained network's
features. Labels play no part.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..specs import HyperParameter, LossSpec
from ._geometry import full_precision

SPEC = LossSpec(
    title="Ring",
    summary="Pulls feature lengths to a learned radius: softmax rays become spots on a circle.",
    paper="Zheng, Pal and Savvides, Ring Loss: Convex Feature Normalization for Face Recognition, "
    "CVPR 2018, arXiv 1803.00130, eq. 2",
    equation="L = 1/2 (|x| - R)^2, R learned",
    kind="auxiliary",
    weight=HyperParameter(
        default=0.1,
        low=0,
        help="weight of the ring term beside softmax",
        sweep="0.001:1:log:4",
        paper="0.01 (faces)",
    ),
    settings={
        "radius": HyperParameter(
            default=10.0,
            low=0,
            low_open=True,
            help="radius R at the start of training",
            sweep="1:32:log:4",
            paper="mean length of the features",
        ),
    },
    exceptions={"separation": "only lengths count: whoever stands on the circle, the value is the same"},
)


class Ring(nn.Module):
    """Ring term with the parameter `radius` ()."""

    def __init__(self, num_classes: int, feature_dim: int, *, radius: float = 10.0) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, radius=radius)
        self.radius = nn.Parameter(torch.tensor(float(chosen["radius"])))

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG002 (the common signature)
        """Features (B, D) to half the mean squared distance from the circle; labels are not looked at."""
        # vector_norm: its gradient at a zero feature is 0
        off: Tensor = torch.linalg.vector_norm(features, dim=1) - self.radius
        return off.square().mean() / 2
