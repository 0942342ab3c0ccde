"""Length and corruption: whether a feature is shorter the more its image is corrupted.

mean over blur, noise and occlusion of Spearman's rank correlation of ||x|| with the strength 0 ... 5

Of the first 1,000 images, each at all strengths. -1: length falls with every step.
"""

import numpy as np

from ..specs import MetricSpec
from ._inputs import MetricInput, declared

SPEC = MetricSpec(
    title="length against corruption",
    column="length/corruption",
    summary="rank correlation of the feature length with the strength of blur, noise and occlusion",
    needs="images",
    least=-1,
    source="Meng et al., MagFace, CVPR 2021, arXiv 2103.06627 (length as quality); Hendrycks, Dietterich, "
    "ICLR 2019, arXiv 1903.12261 (five strengths)",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """In [-1, 1]; NaN where all lengths are equal."""
    from scipy.stats import spearmanr

    correlations = []
    for lengths in declared(inputs.on_images).corrupted_lengths().values():
        if np.all(lengths == lengths[0, 0]):
            return float("nan")
        strengths = np.repeat(np.arange(len(lengths)), lengths.shape[1])
        correlations.append(spearmanr(strengths, lengths.ravel()).statistic)
    return float(np.mean(correlations))
