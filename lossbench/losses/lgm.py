"""L-GM loss: the features of each class are one Gaussian of a mixture, with a margin on the likelihood.

    d_ij = 1/2 (x_i - mu_j)^T Sigma_j^-1 (x_i - mu_j)
    f_ij = -(1 + alpha [j = y_i]) d_ij - 1/2 log |Sigma_j|
    L = 1/B sum_i CE(f_i, y_i) + lambda (d_iy + 1/2 log |Sigma_y|)
                                                       (Wan et al. 2018, eqs. 7, 10, 11, 13, 14, 17, 18)

The means `centers` (C, D) and, with covariance = diagonal, `log_variance` (C, D) are trained by gradient.
In the plane: ten round blobs around their means, which fill the plane and do not run outwards.

Departures from the paper: the class priors are equal and the constant D/2 log(2 pi) is left out. Default is
Sigma = I, as in the authors' TensorFlow code, and a fixed alpha, which their Caffe code raises in
steps. Variances stay within e^-10 ... e^10: a class on one point would ask for 0. pytorch-metric-learning
has no counterpart; one public version takes the Euclidean distance in the lambda term although Sigma != I.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..specs import LossSpec, setting
from ._geometry import class_weight, full_precision, is_target, reduce
from ._loss import SampleLoss


class LGM(SampleLoss):
    """L-GM loss with trained means `centers` (C, D) and, if diagonal, `log_variance` (C, D)."""

    SPEC = LossSpec(
        title="L-GM",
        summary="Large-margin Gaussian mixture: ten blobs around learned means.",
        paper="Wan et al., Rethinking Feature Distribution for Loss Functions, CVPR 2018, arXiv 1803.02988, "
        "eqs. 7, 10, 11, 13, 14, 17 and 18",
        equation="L = CE(f, y) + lambda (d_y + log|S_y|/2),  f_j = -(1 + alpha [j = y]) d_j - log|S_j|/2",
        kind="classifier",
    )
    alpha: float = setting(1.0, "margin: own distance counts 1 + alpha", ge=0, sweep="0:2:lin:5", paper="1")
    lam: float = setting(0.1, "weight lambda of the likelihood", ge=0, sweep="1e-3:1:log:4", paper="0.1")
    covariance: str = setting(
        "identity",
        "Sigma: fixed to I, or one learned variance per class and dimension",
        choices=("identity", "diagonal"),
    )

    def __post_init__(self) -> None:
        self.centers = class_weight(self.num_classes, self.feature_dim)
        zeros = torch.zeros(self.num_classes, self.feature_dim)
        self.log_variance = nn.Parameter(zeros) if self.covariance == "diagonal" else None

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The classification loss plus lambda * likelihood."""
        half_squares, half_log_det = self._distances(features)
        target_mask = is_target(half_squares, labels)
        scores = -half_squares.where(~target_mask, (1 + self.alpha) * half_squares) - half_log_det
        likelihood = (half_squares + half_log_det).gather(1, labels.unsqueeze(-1))
        return F.cross_entropy(scores, labels, reduction=reduction) + self.lam * reduce(likelihood, reduction)

    @full_precision
    def logits(self, features: Tensor) -> Tensor:
        """Margin-free class scores (B, C): the log-likelihoods up to a constant."""
        half_squares, half_log_det = self._distances(features)
        return -half_squares - half_log_det

    def _distances(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """d (B, C) by differences, exact also far from the origin, and log |Sigma| / 2 (C,)."""
        squares = (features.unsqueeze(-2) - self.centers).square()
        if self.log_variance is None:
            return squares.sum(-1) / 2, squares.new_zeros(len(self.centers))
        log_variance = self.log_variance.clamp(-10, 10)
        return (squares * torch.exp(-log_variance)).sum(-1) / 2, log_variance.sum(-1) / 2
