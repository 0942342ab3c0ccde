"""Lifted structure loss: a positive pair against all negatives of both its ends.

    L = 1/(2|P|) sum_((i, j) in P) [J_ij]_+^2
    J_ij = log( sum_(k in N(i)) exp(m - D_ik) + sum_(l in N(j)) exp(m - D_jl) ) + D_ij
                                        (Oh Song et al., CVPR 2016, arXiv 1511.06452, eq. 4)

P are the positive pairs, N(i) the samples of other classes, D the Euclidean distance. This is the
authors' smooth upper bound (eq. 4) of the hardest-negative form (eq. 3). With `generalized` it is the
form of Hermans et al. 2017 (arXiv 1703.07737, eq. 8), one term for each anchor with all its positives:

    L = 1/B sum_i [ log sum_(p in P(i)) exp(D_ip) + log sum_(n in N(i)) exp(m - D_in) ]_+

In the plane: ten small blobs, some units apart, since the sum over many negatives acts like a larger
margin (by the logarithm of their number).

Departures from the papers: none in the values; anchors and pairs without a negative are left out of the mean.
pytorch-metric-learning's two losses are equal on features that it is told not to normalise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..contracts import HyperParameter, LossSpec
from ..geometry import (
    full_precision,
    masked_logsumexp,
    masked_mean,
    other_class,
    pair_distances,
    same_class,
)

SPEC = LossSpec(
    title="Lifted structure",
    summary="Each positive pair against all negatives of both ends: blobs.",
    paper="Oh Song et al., Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016, eq. 4",
    equation="J_ij = log(sum exp(m - D_ik) + sum exp(m - D_jl)) + D_ij,  L = mean [J]_+^2 / 2",
    kind="pairs",
    sampler="balanced",
    tags=("distance", "margin"),
    settings={
        "margin": HyperParameter(default=1.0, low=0, help="distance m", sweep="0.5:4:log:4", paper="1"),
        "generalized": HyperParameter(
            default=False, help="one term for each anchor (Hermans et al.)", paper="false"
        ),
    },
)


class Lifted(nn.Module):
    """Lifted structure loss without state."""

    def __init__(
        self, num_classes: int, feature_dim: int, *, margin: float = 1.0, generalized: bool = False
    ) -> None:
        super().__init__()
        chosen = SPEC.resolve(num_classes, feature_dim, margin=margin, generalized=generalized)
        self.margin, self.generalized = float(chosen["margin"]), bool(chosen["generalized"])

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean over the positive pairs, or over the anchors."""
        distance = pair_distances(features)
        positive, negative = same_class(labels), other_class(labels)
        pushes = masked_logsumexp(distance, negative, -1.0) + self.margin
        partners = positive.sum(1)
        rivals = partners + 1 < len(labels)
        if self.generalized:
            values = F.relu(masked_logsumexp(distance, positive) + pushes)
            return masked_mean(values, (partners > 0) & rivals)
        both = torch.logaddexp(pushes.unsqueeze(1), pushes.unsqueeze(0))
        values = F.relu(both + distance).square() / 2
        return masked_mean(values, positive & rivals.unsqueeze(1))
