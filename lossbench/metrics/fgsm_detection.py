"""Detection of FGSM: the chance that an image is nearer to a class than its attacked version, by features.

AUROC = P(d_clean < d_attacked) + 1/2 P(=),  d the distance to the nearest training class mean

FGSM changes each pixel by 0.1, 1 being from black to white; of the first 1,000 images. Euclidean, or between
directions where the loss compares so. For L-GM with unit covariance it is detection by the likelihood.
"""

from ..specs import MetricSpec
from ._inputs import MetricInput, declared
from ._open_set import auroc, nearness

SPEC = MetricSpec(
    title="detection of FGSM",
    summary="chance that an image is nearer to a training class mean than an attacked one",
    needs="images",
    unit="fraction",
    higher_is_better=True,
    source="Wan et al., L-GM, CVPR 2018, arXiv 1803.02988 (likelihood of attacked images)",
    as_loss_compares=True,
    cheap=False,
)


def compute(inputs: MetricInput) -> float:
    """Fraction in [0, 1]; NaN without training features."""
    if not len(inputs.reference.labels):
        return float("nan")
    clean, attacked = declared(inputs.on_images).attacked_features(0.1)
    return auroc(nearness(inputs, clean), nearness(inputs, attacked))
