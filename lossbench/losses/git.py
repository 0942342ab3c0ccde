"""Git loss: center loss that also pushes each feature away from the centers of the other samples.

    L = L_C + w mean_{i != j} 1 / (1 + |x_i - c_{y_j}|^2)
                                             (Calefati et al. 2018, eq. 5, equation number not verified)

Used as softmax + lambda * git; L_C is the center loss, lambda the paper's lambda_C and w its lambda_G /
lambda_C. The push acts on features only, reaches about one unit far, and, as in the paper, also runs
between samples of one class. The centers move in the forward pass of training by the center-loss rule.
In the plane: compact blobs, a little further apart than with the center loss.

Departures from the paper: both terms are means (over the batch, over the ordered pairs of different
samples) where it writes sums, so the weights mean the same at every batch size. The authors' code takes
1 / (1 + difference^2) per coordinate; this is the paper's squared distance.
"""

from torch import Tensor, nn

from ..specs import CENTER_RATE, LossSpec, setting
from ._geometry import class_sums, is_target, moved_centers, random_centers, squared_distances
from ._loss import Loss


class Git(Loss):
    """Git term with the buffer `centers` (C, D)."""

    SPEC = LossSpec(
        title="Git",
        summary="Center loss with a push away from other centers: compact, separate blobs.",
        paper="Calefati et al., Git Loss for Deep Face Recognition, BMVC 2018, arXiv 1807.08512, eq. 5 "
        "(equation number not verified)",
        equation="L = 1/2 |x - c_y|^2 + w mean_(i != j) 1 / (1 + |x_i - c_(y_j)|^2)",
        kind="auxiliary",
        weight=setting(
            0.1,
            "weight lambda_C of the git term beside softmax",
            ge=0,
            sweep="1e-3:1:log:4",
            paper="1 (authors' code)",
        ),
    )
    alpha: float = CENTER_RATE
    push: float = setting(
        1.0,
        "weight of the push relative to the pull, lambda_G / lambda_C",
        ge=0,
        sweep="0.1:10:log:5",
        paper="1 (authors' code)",
    )

    def __post_init__(self) -> None:
        self.centers: Tensor = nn.Buffer(random_centers(self.num_classes, self.feature_dim))

    def compute(self, features: Tensor, labels: Tensor) -> Tensor:
        """The mean center term plus the mean push."""
        # clone: the centers move below, and backward still needs the ones that the value was taken with
        squared = squared_distances(features, self.centers.clone())
        target_mask = is_target(squared, labels)
        sums, counts = class_sums(features.detach(), labels, self.num_classes)
        # c_{y_j} takes C values only: each counts as often as its class occurs, without i itself
        others = counts.T - target_mask.to(squared.dtype)
        pairs = max(len(labels) * (len(labels) - 1), 1)
        pull = squared.masked_fill(~target_mask, 0).sum(1).mean() / 2
        value = pull + self.push * (others / (1 + squared)).sum() / pairs
        self.move_state(value, centers=moved_centers(self.centers, sums, counts, self.alpha))
        return value
