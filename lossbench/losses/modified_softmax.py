"""Modified softmax: cross-entropy of linear class scores whose class weights have length one.

    L = CE(f, y),  f_j = ||x|| cos(theta_j) = x . w_j / ||w_j||        (Liu et al. 2017, eq. 5)

No class can win by a long weight vector: the direction of x alone decides, its length says how surely.
In the plane: ten rays from the origin, of more even width than softmax gives.

Departures from the paper: none. The weights are normalised in the forward pass, where the authors'
layer overwrites them. pytorch-metric-learning's NormalizedSoftmaxLoss gives the same with temperature 1
and an unnormalised dot product.
"""

import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec
from ._geometry import full_precision, normalize
from ._linear import LinearLoss


class ModifiedSoftmax(LinearLoss):
    """Modified softmax with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="Modified softmax",
        summary="Softmax with class weights of length one: rays decided by direction alone.",
        paper="Liu et al., SphereFace: Deep Hypersphere Embedding, CVPR 2017, arXiv 1704.08063, eq. 5",
        equation="L = CE(f, y),  f_j = ||x|| cos(theta_j)",
        kind="classifier",
        angular=True,
    )
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The cross-entropy."""
        return F.cross_entropy(self.logits(features), labels, reduction=reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Class scores (B, C): ||x|| cos(theta)."""
        return features @ normalize(self.weight).T
