"""N-pair loss: each positive pair against all the other classes at once, by inner product.

    L = 1/|P| sum_((i, p) in P) { log[1 + sum_(c != y_i) mean_(n in c) exp(x_i x_n - x_i x_p)]
                                  + r (||x_i||^2 + ||x_p||^2) / 2 }
                                    (multi-class N-pair-mc of Sohn, NIPS 2016, eq. 7, for a labelled batch)

P are all ordered pairs of two samples of one class; r is `l2`. The paper's batch holds one pair of each
of N classes and compares the anchor with the N - 1 positives of the other classes. A balanced batch
holds K samples of each class: here every pair is used, and the mean of exp over a class stands for its
one positive. So neither chance nor order chooses samples, and one pair of equal samples per class gives
the paper's value. The features are not normalised, their length is held by r: ten rays in the plane.

Departures from the paper: the batch form above (by Jensen's inequality an upper bound of the mean over
all choices of one sample per class), the reduction of the norm term to the mean. pytorch-metric-learning
takes the first two samples of each class, and normalises unless told otherwise.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ..contracts import HyperParameter, LossSpec
from ..geometry import full_precision, masked_logsumexp, masked_mean, other_class, same_class

SPEC = LossSpec(
    title="N-pair",
    summary="A pair against all other classes, by inner product: rays.",
    paper="Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, NIPS 2016, eq. 7",
    equation="L = log(1 + sum_(c != y) mean_(n in c) exp(x_i x_n - x_i x_p)) + r ||x||^2",
    kind="pairs",
    sampler="balanced",
    settings={
        "l2": HyperParameter(
            default=0.002,
            low=0,
            help="weight r of the squared length",
            sweep="1e-4:0.1:log:4",
            paper="used, value not given",
        ),
    },
)


class NPair(nn.Module):
    """N-pair loss over all positive pairs of the batch, without state."""

    def __init__(self, num_classes: int, feature_dim: int, *, l2: float = 0.002) -> None:
        super().__init__()
        self.l2 = float(SPEC.resolve(num_classes, feature_dim, l2=l2)["l2"])

    @full_precision
    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Features (B, D) and labels (B,) to the mean over the positive pairs."""
        similarity = features @ features.T
        positive, negative = same_class(labels), other_class(labels)
        sizes = (positive.sum(1) + 1).to(features.dtype)
        # the mean over a class is its sum less log K, which belongs to the column: constant for the features
        others = masked_logsumexp(similarity - sizes.log(), negative).unsqueeze(1)
        # a class's partners are in P in both orders, so the anchor's length alone gives the same mean
        length = features.square().sum(1, keepdim=True)
        chosen = positive & (sizes < len(labels)).unsqueeze(1)
        # the gaps that do not count become 0 first: logsigmoid is slow on numbers far from it
        gaps = (similarity - others) * chosen
        return masked_mean(self.l2 * length - F.logsigmoid(gaps), chosen)
