"""CosFace (LMCL, AM-Softmax): a margin subtracted from the cosine of the own class.

    L = CE(f, y),  f_j = s cos(theta_j) for j != y,  f_y = s (cos(theta_y) - m)
                                                                               (Wang et al. 2018, eq. 4)

The same loss as AM-Softmax (F. Wang et al., IEEE SPL 2018, arXiv 1801.05599, eq. 6). In the plane: ten narrow
rays at even angles.

Departures from the papers: scale and margin defaults suit (C, D). Ten directions in a plane satisfy at most
m = 0.19 (eq. 7), where faces use 0.35. A negative margin is allowed: it blurs the trained classes and can
help new ones (Liu et al. 2020, arXiv 2003.12060; lib/metric.py of bl0/negative-margin.few-shot read).
`soft_start` is ours. None from pytorch-metric-learning's CosFaceLoss.
"""

from ..specs import FIXED, SCALE, SOFT_START, LossSpec, margin_setting
from ._cosine import AdditiveMarginLoss


class CosFace(AdditiveMarginLoss):
    """CosFace with class directions `weight` (C, D)."""

    SPEC = LossSpec(
        title="CosFace",
        summary="Additive cosine margin: narrow rays at even angles.",
        paper="Wang et al., CosFace: Large Margin Cosine Loss, CVPR 2018, arXiv 1801.09414, eq. 4",
        equation="L = CE(f, y),  f_j = s cos(theta_j),  f_y = s (cos(theta_y) - m)",
        kind="classifier",
        aliases=("am-softmax",),
        angular=True,
    )
    scale: float = SCALE
    margin: float = margin_setting(
        0.524, 0.35, "cosine m subtracted from the own class", ge=-2, sweep="0:0.2:lin:5", paper="0.35"
    )
    soft_start: float = SOFT_START
    fixed: bool = FIXED
