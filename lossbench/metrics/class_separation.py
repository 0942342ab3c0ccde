"""Class separation R^2: the share of the cosine distance between samples that lies between classes.

R^2 = 1 - (mean_j mean_(x, x' in class j) d) / (mean_(j, k) mean_(x in j, x' in k) d),  d = 1 - cos(x, x')

The mean of d over two classes is 1 minus the inner product of the means of their unit vectors.
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput
from ._vectors import class_members, feature_directions, ratio

SPEC = MetricSpec(
    title="class separation R²",
    summary="share of the mean cosine distance of samples that lies between classes",
    unit="fraction",
    source="Kornblith et al., Why Do Better Loss Functions Lead to Less Transferable Features?, "
    "NeurIPS 2021, arXiv 2010.16402",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction, at most 1; NaN with a single class or where all directions are one."""
    vectors = inputs.cached(feature_directions)
    means = np.stack([vectors[index].mean(axis=0) for index in class_members(inputs.evaluated.labels)])
    if len(means) == 1:
        return float("nan")
    within = 1 - np.square(means).sum(axis=1).mean()
    total = 1 - np.square(means.mean(axis=0)).sum()
    return 1 - ratio(within, total) if total > 1e-12 else float("nan")
