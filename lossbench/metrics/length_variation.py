"""Length variation: how much the lengths of features differ, relative to their mean.

variation = std(||x_i||) / mean(||x_i||)
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import feature_vectors, ratio

SPEC = MetricSpec(
    title="length variation",
    summary="standard deviation of the feature lengths over their mean",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """At least 0; NaN where all features are zero."""
    lengths = np.linalg.norm(inputs.cached(feature_vectors), axis=1)
    return ratio(lengths.std(), lengths.mean())
