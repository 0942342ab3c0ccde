"""ETF with dot regression: features turn to fixed class directions, which stand as far apart as possible.

    L = 1/B sum_i 1/(2 E) (m_{y_i}^T h_i - E)^2,  h_i = E x_i / ||x_i||              (Yang et al. 2022)

The directions m are a simplex equiangular tight frame, to which trained classifiers converge. The loss pulls
to the own class and pushes from none. In the plane: ten rays that overlap near the origin, so 95.5 % of
MNIST's test images, 96.6 % with length = 10 and soft_start = 0.5 (one run each). The same directions under
cross-entropy, `fixed` of other classifiers, push classes apart, too.

Departures from the paper: with C > D + 1 classes there is no such frame, and the directions are evenly
spread ones; no batch norm before the normalisation; the frame is not turned at random; E is a setting, 1 in
the released code. `soft_start` is ours: cross-entropy with the same directions. Read:
methods.py, models/resnet_cifar.py and train.py of NeuralCollapseApplications/ImbalancedLearning; equation
numbers not verified. pytorch-metric-learning has no counterpart.
"""

from torch import Tensor

from ..specs import SOFT_START, LossSpec, setting
from ._cosine import DirectCosineLoss


class ETF(DirectCosineLoss):
    """Dot regression to the class directions in the buffer `weight` (C, D), which nothing moves."""

    SPEC = LossSpec(
        title="ETF",
        summary="Dot regression to fixed, evenly spread class directions: rays.",
        paper="Yang et al., Inducing Neural Collapse in Imbalanced Learning, NeurIPS 2022, arXiv 2203.09081",
        equation="L = (m_y . h - E)^2 / (2 E),  h = E x / |x|,  fixed m",
        kind="classifier",
        angular=True,
        probabilities=False,
    )
    length: float = setting(1.0, "length E of the features", gt=0, paper="1")
    soft_start: float = SOFT_START
    fixed = True
    scale = 1.0  # of `logits`, which are cosines

    def _values(self, cosine: Tensor, target_mask: Tensor, ramp: Tensor) -> Tensor:  # noqa: ARG002
        own = (cosine * target_mask).sum(-1)
        return self.length * (own - 1).square() / 2  # (E cos(theta) - E)^2 / (2 E)
