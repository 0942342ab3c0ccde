"""NC1, the first measure of neural collapse: variation within classes relative to that between them.

NC1 = tr(S_W S_B^+) / C,  S_W and S_B the covariances within classes and of the class means, ^+ the
pseudo-inverse, both averaged over classes; it falls to 0 as each class falls onto its mean
"""

import numpy as np

from ..specs import MetricSpec
from ._collapse import centered_means, has_classes, within_covariance
from ._inputs import MetricInput

SPEC = MetricSpec(
    title="NC1",
    summary="variation within classes relative to that of the class means; 0 in neural collapse",
    higher_is_better=False,
    source="Papyan, Han, Donoho, PNAS 2020, arXiv 2008.08186, Fig. 6",
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """At least 0; NaN with a single class or where all class means coincide."""
    if not has_classes(inputs):
        return float("nan")
    means = inputs.cached(centered_means)
    between = means.T @ means / len(means)
    inverse = np.linalg.pinv(between, rcond=1e-10, hermitian=True)
    return float(np.trace(inputs.cached(within_covariance) @ inverse) / len(means))
