"""Linear: a linear map of the values of a sample, such as the features of a large network.

Each value is first brought to mean 0 and variance 1 by a batch norm without parameters, so that values of
different size count alike; those that hardly vary are not blown up.
"""

import math
from collections.abc import Sequence

from ..specs import NetworkSpec
from ._feature_layer import FeatureLayer, FeatureNetwork, standardization

SPEC = NetworkSpec(
    title="Linear", summary="a linear map, for features from another network", smallest_batch=2
)


class Linear(FeatureNetwork):
    """Samples (B, ...) to features (B, D)."""

    def __init__(self, input_shape: Sequence[int], feature_dim: int) -> None:
        super().__init__()
        self.trunk = standardization(input_shape)
        self.feature = FeatureLayer(math.prod(input_shape), feature_dim)
