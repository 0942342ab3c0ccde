"""Ring loss: pulls the length of every feature towards one learned radius.

    L = 1/(2B) sum_i (|x_i| - R)^2
                                                (Zheng et al. 2018, eq. 2, equation number not verified)

Used as softmax + lambda * ring. R is the parameter `radius` (), trained by the gradient of this loss. In
the plane: softmax rays whose samples gather on a circle.

Departures from the paper: R starts at a setting, not at the mean length of a pretrained network's
features. Labels play no part.
"""

import torch
from torch import Tensor, nn

from ..specs import LossSpec, setting
from ._geometry import reduce
from ._loss import SampleLoss


class Ring(SampleLoss):
    """Ring term with the parameter `radius` ()."""

    SPEC = LossSpec(
        title="Ring",
        summary="Pulls feature lengths to a learned radius: softmax rays become spots on a circle.",
        paper="Zheng, Pal and Savvides, Ring Loss: Convex Feature Normalization for Face Recognition, "
        "CVPR 2018, arXiv 1803.00130, eq. 2 (equation number not verified)",
        equation="L = 1/2 (|x| - R)^2, R learned",
        kind="auxiliary",
        weight=setting(
            0.1, "weight of the ring term beside softmax", ge=0, sweep="0.001:1:log:4", paper="0.01 (faces)"
        ),
        exceptions={"separation": "only lengths count: on the circle the value is the same at every angle"},
    )
    radius: float = setting(
        10.0,
        "radius R at the start of training",
        gt=0,
        sweep="1:32:log:4",
        paper="mean length of the features",
    )

    def __post_init__(self) -> None:
        start = torch.tensor(vars(self).pop("radius"))
        self.register_parameter("radius", nn.Parameter(start))  # it takes the place of the setting

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:  # noqa: ARG002
        """Half the squared distance from the circle; labels play no part."""
        # vector_norm: its gradient at a zero feature is 0
        deviation: Tensor = torch.linalg.vector_norm(features, dim=1) - self.radius
        return reduce(deviation.square(), reduction) / 2
