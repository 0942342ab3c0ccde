"""Center loss: pulls each feature towards the center of its class.

    L_C = 1/(2B) sum_i ||x_i - c_{y_i}||^2                                      (Wen et al. 2016, eq. 2)
    dc_j = sum_i [y_i = j] (c_j - x_i) / (1 + n_j),   c_j <- c_j - alpha dc_j   (eq. 4)

Used as softmax + lambda * center. The centers are not parameters: they move in the forward pass of
training, after the value is computed, by the rule above, whatever lambda, the optimizer, its learning
rate or weight decay are. In the plane: ten compact blobs; Fig. 3 shows lambda = 0.001, 0.01, 0.1 and 1.

Departures from the paper: the value is the mean over the batch where the paper writes a sum, as is
the softmax term, so lambda keeps its meaning. The centers start uniform in +-sqrt(3/D), as the authors'
released network does (Caffe's "xavier").
"""

from torch import Tensor, nn

from ..specs import CENTER_RATE, LossSpec, setting
from ._geometry import class_sums, moved_centers, random_centers, reduce
from ._loss import SampleLoss


class Center(SampleLoss):
    """Center term with the buffer `centers` (C, D)."""

    SPEC = LossSpec(
        title="Center",
        summary="Pulls features to moving class centers: compact blobs.",
        paper="Wen et al., A Discriminative Feature Learning Approach (center loss), ECCV 2016, eqs. 2-4",
        equation="L = 1/2 ||x - c_y||^2,  c_j <- c_j - alpha sum_(y=j) (c_j - x) / (1 + n_j)",
        kind="auxiliary",
        weight=setting(
            0.003,
            "weight of the center term beside softmax",
            ge=0,
            sweep="1e-4:1:log:5",
            paper="0.003 (faces), 0.001 to 1 (MNIST, Fig. 3), 0.01 (released MNIST example)",
        ),
    )
    alpha: float = CENTER_RATE

    def __post_init__(self) -> None:
        self.centers: Tensor = nn.Buffer(random_centers(self.num_classes, self.feature_dim))

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """Half the squared distance to the own center."""
        # clone: the centers move below, and backward still needs the ones that the value was taken with
        value = reduce((features - self.centers.clone()[labels]).square().sum(-1), reduction) / 2
        if self.training:
            sums, counts = class_sums(features.detach(), labels, self.num_classes)
            self.move_state(value, centers=moved_centers(self.centers, sums, counts, self.alpha))
        return value
