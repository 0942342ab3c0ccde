"""Proxy-Anchor: every class proxy is an anchor that weighs the samples of the batch by their hardness.

    L = 1/|P+| sum_{p in P+} log(1 + sum_{x in X_p+} exp(-s (cos(x, p) - m)))
      + 1/|P|  sum_{p in P}  log(1 + sum_{x in X_p-} exp( s (cos(x, p) + m)))      (Kim et al. 2020, eq. 4)

P+ are the proxies whose class is in the batch; X_p+ its samples of that class, X_p- all others. The
paper's alpha is `scale`, its delta `margin`. In the plane: ten narrow rays at even angles.

Departures from the paper: scale and margin defaults suit (C, D), chosen by trial. On MNIST in the plane
neighbouring proxies have a cosine of 0.81: with a large scale only the hardest sample of a proxy counts, and
the rays collapse (39.9 % at s = 16, m = 0.809). The defaults are the paper's values where directions can be
orthogonal. The exponentials are shifted by their largest (the authors' code takes them raw); value and
gradients equal pytorch-metric-learning's ProxyAnchorLoss. `soft_start` is ours: first the modified softmax,
which then fades into this loss.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs import FIXED, LossSpec, largest_cosine_margin, setting, soft_start_setting
from ._cosine import CosineLoss
from ._geometry import cosines, is_target, reduce
from ._soft_start import soft_start


class ProxyAnchor(CosineLoss):
    """Proxy-Anchor with the proxies `weight` (C, D); None: the default of (C, D)."""

    SPEC = LossSpec(
        title="Proxy-Anchor",
        summary="Class proxies as anchors that look at the hardest samples: narrow rays.",
        paper="Kim et al., Proxy Anchor Loss for Deep Metric Learning, CVPR 2020, arXiv 2003.13911, eq. 4",
        equation="L = mean_P+ log(1 + sum_X+ exp(-s (cos - m))) + mean_P log(1 + sum_X- exp(s (cos + m)))",
        kind="classifier",
        angular=True,
        probabilities=False,
    )
    scale: float = setting(
        lambda classes, dim: max(4.0, min(32.0, 2.0 * dim)),
        "sharpness with which hard samples outweigh easy ones",
        gt=0,
        sweep="8:64:log:4",
        paper="32",
    )
    margin: float = setting(
        lambda classes, dim: round(max(0.1, 0.7 - largest_cosine_margin(classes, dim)), 3),
        "cosine margin around 0 that both sides must pass",
        ge=0,
        le=1,
        sweep="0.1:0.9:lin:5",
        paper="0.1",
    )
    soft_start: float = soft_start_setting(0.5)
    fixed: bool = FIXED

    def compute(self, features: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """The mean over proxies, the paper's normalisation."""
        cosine = cosines(features, self.weight)
        target_mask = is_target(cosine, labels)
        signed = torch.where(target_mask, -cosine, cosine)
        exponents = self.scale * (signed + self.margin)
        attract = _log_one_plus_sum(exponents, target_mask)
        repel = _log_one_plus_sum(exponents, ~target_mask)
        present = target_mask.any(0).sum().clamp(min=1)
        if reduction == "mean":
            value = attract.sum() / present + repel.mean()
        else:  # a proxy's term is divided among the samples by their shares in its sum
            attract, repel = (
                attract * _shares(exponents, target_mask),
                repel * _shares(exponents, ~target_mask),
            )
            value = reduce(len(labels) * (attract.sum(1) / present + repel.mean(1)), reduction)
        if not self.starting:
            return value
        radius, ramp = soft_start(self, features, self.scale)
        return (1 - ramp) * F.cross_entropy(radius * cosine, labels, reduction=reduction) + ramp * value


def _shares(exponents: Tensor, mask: Tensor) -> Tensor:
    """The part (B, C) of each chosen i in the sum_i exp(e_ij) over the chosen i of column j."""
    return exponents.masked_fill(~mask, -1e30).softmax(0) * mask


def _log_one_plus_sum(exponents: Tensor, mask: Tensor) -> Tensor:
    """log(1 + sum_i exp(e_ij)) over the chosen i of each column j; 0 where none is chosen."""
    top = exponents.detach().masked_fill(~mask, 0).amax(0).clamp(min=0)
    # not logsumexp, because exp is 40 times slower where it underflows; e^-80 beside a sum >= 1 is nothing
    terms = (exponents - top).masked_fill(~mask, -80).clamp(min=-80).exp()
    return top + (torch.exp(-top) + terms.sum(0)).log()
