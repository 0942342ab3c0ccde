"""MLP: a hidden layer of 128 with batch norm and ReLU, then the feature; the default for features as data."""

import math
from collections.abc import Sequence

from torch import nn

from ..specs import NetworkSpec
from ._feature_layer import FeatureLayer, FeatureNetwork, standardization

SPEC = NetworkSpec(
    title="MLP", summary="a hidden layer of 128, for features from another network", smallest_batch=2
)
_HIDDEN = 128


class MLP(FeatureNetwork):
    """Samples (B, ...) to features (B, D)."""

    def __init__(self, input_shape: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        hidden = nn.Linear(math.prod(input_shape), _HIDDEN, bias=False)
        self.trunk = nn.Sequential(
            *standardization(input_shape), hidden, nn.BatchNorm1d(_HIDDEN), nn.ReLU(inplace=True)
        )
        self.feature = FeatureLayer(_HIDDEN, feature_dim)
