"""N-pair loss: each positive pair against all the other classes at once, by inner product.

    L = 1/|P| sum_((i, p) in P) { log[1 + sum_(c != y_i) mean_(n in c) exp(x_i x_n - x_i x_p)]
                                  + r (||x_i||^2 + ||x_p||^2) / 2 }
   (multi-class N-pair-mc of Sohn, NIPS 2016, eq. 7, equation number not verified, for a labelled batch)

P are all ordered pairs of two samples of one class; r is `l2`. The paper's batch holds one pair of each of N
classes and compares the anchor with the N - 1 positives of the other classes. A balanced batch holds K
samples of each class: here every pair is used, and the mean of exp over a class stands for its one positive.
So neither chance nor order chooses samples, and one pair of equal samples per class gives the paper's value.
The features are not normalised, their length is held by r. In the plane: ten spots on a circle. At some seeds
two classes stay together at the origin, where an inner product has no slope.

Departures from the paper: the batch form above (by Jensen's inequality an upper bound of the mean over
all choices of one sample per class), the reduction of the norm term to the mean. pytorch-metric-learning
takes the first two samples of each class, and normalises unless told otherwise.
"""

from torch import Tensor

from ..specs import LossSpec, setting
from ._loss import Loss
from ._pairwise import Block, class_sizes, log_sum_exp, sum_over_scores


class NPair(Loss):
    """N-pair loss over all positive pairs of the batch, without state."""

    SPEC = LossSpec(
        title="N-pair",
        summary="A pair against all other classes, by inner product: spots on a circle.",
        paper="Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, NIPS 2016, eq. 7 "
        "(equation number not verified)",
        equation="L = log(1 + sum_(c != y) mean_(n in c) exp(x_i x_n - x_i x_p)) + r ||x||^2",
        kind="pairs",
        sampler="balanced",
    )
    l2: float = setting(
        0.002, "weight r of the squared length", ge=0, sweep="1e-4:0.1:log:4", paper="used, value not given"
    )

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean over the positive pairs."""
        sizes = class_sizes(labels, features.dtype)
        # the mean over a class is its sum less log K, which belongs to the column: constant for the features
        logs, rivals = sizes.log(), sizes < len(labels)

        def terms(block: Block) -> tuple[Tensor, Tensor]:
            positive, scores = block.positive(), block.pairs.sub_(logs)
            others, powers, factor = log_sum_exp(scores, block.rows, positive)
            # what does not count becomes 0 first: far from it these functions are slow
            wrong = (others - logs[block.rows].unsqueeze(1) - scores).mul_(positive)
            slopes = wrong.sigmoid().mul_(positive)
            value = _softplus_sums(wrong, positive) * rivals[block.rows]
            return value.sum(), powers.mul_(factor * slopes.sum(1, keepdim=True)).sub_(slopes)

        # a class's partners are in P in both orders, so the anchor's length alone gives the same mean
        pairs = (sizes - 1) * rivals
        lengths = self.l2 * (features.square().sum(1) * pairs).sum()
        return (sum_over_scores(features, features, labels, terms) + lengths) / pairs.sum().clamp(min=1)


def _softplus_sums(values: Tensor, mask: Tensor) -> Tensor:
    """Sum of log(1 + e^x) over each row (R,) where mask is 1, as exact; the values (R, B) are 0 elsewhere,
    and overwritten."""
    small = values.abs().neg_().clamp_min_(-80).exp_().mul_(mask)
    # log(1 + a) + log(1 + b) = log(1 + (a + b + ab)): halves on halves, so that few logarithms are left
    for _ in range(4):
        half = (small.shape[1] + 1) // 2
        small, rest = small[:, :half], small[:, half:]
        paired = small[:, : rest.shape[1]]
        paired.add_((paired * rest).add_(rest))
    return values.relu_().sum(1) + small.log1p().sum(1)
