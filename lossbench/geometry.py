"""Tensor functions that two or more losses need: exact, with finite gradients on the edges.

Shapes: features (B, D), W (C, D), labels (B,). All are static-shape tensor programs.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

TINY_NORM = 1e-6
"""Vectors shorter than this are not stretched to unit length, which keeps their gradient finite."""

Method = TypeVar("Method", bound=Callable[..., Tensor])


def full_precision(method: Method) -> Method:
    """Let a loss compute in float32 (float64 stays), also under autocast and on half-precision features."""

    @functools.wraps(method)
    def wrapper(self: object, features: Tensor, *rest: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            if features.dtype in (torch.float16, torch.bfloat16):
                features = features.float()
            return method(self, features, *rest)

    return wrapper  # type: ignore[return-value]


def normalize(vectors: Tensor) -> Tensor:
    """Rows (..., D) at unit length; a zero row stays zero, with a finite gradient."""
    return F.normalize(vectors, dim=-1, eps=TINY_NORM)


def cosines(features: Tensor, weight: Tensor) -> Tensor:
    """cos(theta_ij) between features (B, D) and class directions (C, D): (B, C)."""
    return normalize(features) @ normalize(weight).T


def target_cosine_and_sine(features: Tensor, weight: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin of the angle between each feature and its own class direction: (B,), (B,).

    The sine is the length of the part of x that is orthogonal to w, not sqrt(1 - cos^2): accurate for
    small angles also in float32, and with a finite gradient when x is parallel to w.
    """
    x, w = normalize(features), normalize(weight)[labels]
    cosine = (x * w).sum(-1)
    return cosine, torch.linalg.vector_norm(x - cosine.unsqueeze(-1) * w, dim=-1)


def angle(cosine: Tensor, sine: Tensor) -> Tensor:
    """The angle in [0, pi] (radians); 0 with zero gradient where both are 0 (a zero feature)."""
    degenerate = (cosine == 0) & (sine == 0)
    return torch.atan2(sine, torch.where(degenerate, torch.ones_like(cosine), cosine))


def add_angle(cosine: Tensor, sine: Tensor, margin: float | Tensor) -> Tensor:
    """cos(theta + m) from cos(theta) and sin(theta), m in radians."""
    if isinstance(margin, Tensor):
        return cosine * torch.cos(margin) - sine * torch.sin(margin)
    return cosine * math.cos(margin) - sine * math.sin(margin)


def falling_add_angle(cosine: Tensor, sine: Tensor, margin: float | Tensor) -> Tensor:
    """cos(theta + m), and cos(theta) - m sin(m) where theta + m passes pi: ArcFace's released code."""
    if isinstance(margin, Tensor):
        turn, drop = -margin.cos(), margin * margin.sin()
        return torch.where(cosine > turn, add_angle(cosine, sine, margin), cosine - drop)
    plain = add_angle(cosine, sine, margin)
    return torch.where(cosine > -math.cos(margin), plain, cosine - margin * math.sin(margin))


def replace_target(logits: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    """(B, C) logits with the entry of each row's own class replaced by `target` (B,)."""
    return torch.where(is_target(logits, labels), target.unsqueeze(-1).to(logits.dtype), logits)


def is_target(logits: Tensor, labels: Tensor) -> Tensor:
    """Boolean (B, C): column j is row i's own class."""
    return labels.unsqueeze(-1) == torch.arange(logits.shape[-1], device=logits.device)


def soft_start(
    features: Tensor, scale: float | Tensor, progress: Tensor, fraction: float
) -> tuple[Tensor, Tensor]:
    """Radius (B, 1) and margin factor () of an angular loss that starts softly.

    On a circle two clusters that must change places cannot pass each other; with free lengths they can,
    through the origin. Until `progress` reaches `fraction` the radius is the feature's own length and
    the factor 0 (the modified softmax); then the radius is the scale, and the factor rises from 0 to 1
    until 2 * `fraction`. With fraction 0, or progress 1 and fraction <= 1/2, this is the paper's loss.
    """
    if fraction == 0:
        return features.new_ones(()) * scale, torch.ones_like(progress)
    lengths = torch.linalg.vector_norm(features, dim=-1, keepdim=True)
    radius = torch.where(progress < fraction, lengths, features.new_ones(()) * scale)
    return radius, ((progress - fraction) / fraction).clamp(0, 1)


def multiplied_angle(cosine: Tensor, sine: Tensor, margin: float) -> Tensor:
    """psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi/m, (k+1) pi/m]: falls from 1 without a jump.

    The factor m >= 1 need not be whole; k carries no gradient. m = 1 is the cosine itself.
    """
    if margin == 1:
        return cosine
    turned = margin * angle(cosine, sine)
    k = (turned.detach() / math.pi).floor().clamp(max=math.ceil(margin) - 1)
    return (1 - 2 * (k % 2)) * torch.cos(turned) - 2 * k


def annealed_lambda(iterations: Tensor, base: float, gamma: float, power: float, floor: float) -> Tensor:
    """max(lambda_min, base (1 + gamma t)^-power): the annealing of L-Softmax and SphereFace, scalar."""
    return (base * (1 + gamma * iterations) ** -power).clamp(min=floor)


def class_sums(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Per-class sums (C, D) and counts (C, 1); a matrix product, so the order of addition is fixed."""
    members = F.one_hot(labels, classes).to(features.dtype).T
    return members @ features, members.sum(1, keepdim=True)


def same_class(labels: Tensor) -> Tensor:
    """Boolean (B, B): i and j have one label and i != j."""
    return (labels.unsqueeze(0) == labels.unsqueeze(1)) & ~torch.eye(
        len(labels), dtype=torch.bool, device=labels.device
    )


def other_class(labels: Tensor) -> Tensor:
    """Boolean (B, B): i and j have different labels."""
    return labels.unsqueeze(0) != labels.unsqueeze(1)


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """||x_i - y_j||^2 as (N, M), by differences: exact where the |x|^2 + |y|^2 - 2xy expansion is not."""
    return (left.unsqueeze(1) - right.unsqueeze(0)).square().sum(-1)


class _PairDistances(torch.autograd.Function):
    """cdist of one set with itself: its matrix is symmetric, so one half of torch's backward is enough."""

    generate_vmap_rule = True

    @staticmethod
    def forward(features: Tensor) -> Tensor:
        return torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs, output)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        features, distance = ctx.saved_tensors
        both: Tensor = grads[0] + grads[0].T
        gradient: Tensor = torch.ops.aten._cdist_backward(both, features, features, 2.0, distance)
        return gradient


def pair_distances(features: Tensor) -> Tensor:
    """||x_i - x_j|| within a batch as (B, B), without a (B, B, D) temporary; gradient 0 at distance 0."""
    distance: Tensor = _PairDistances.apply(features)
    return distance


NOTHING = -1e30
"""The logarithm of an empty sum: finite, so that no gradient becomes NaN, and below every real score."""


def masked_logsumexp(values: Tensor, mask: Tensor, scale: float = 1.0) -> Tensor:
    """log sum of exp(scale * value) over the last dimension, where the mask holds; about NOTHING if nowhere.

    An empty row's gradient is not zero: whoever uses it must be flat there. Made for speed: a constant
    added is cheaper than entries replaced, and exp is slow where it underflows, so what is too small to
    count in this precision is cut off before (torch.logsumexp takes up to ten times as long).
    """
    scores = torch.add(torch.where(mask, 0.0, NOTHING), values, alpha=scale)
    top = scores.detach().amax(-1, keepdim=True)
    least = -400.0 if values.dtype == torch.float64 else -50.0
    return F.threshold(scores - top, least, least).exp().sum(-1).log() + top.squeeze(-1)


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values, all finite, where the mask holds; 0, with gradient 0, where it never does."""
    chosen = mask.to(values.dtype)  # a product is faster than a choice, forward and backward
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def pair_log_probability(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean over anchors with a positive of -log softmax over all others, averaged over their positives.

    scores (B, B) are similarities times a scale. The supervised contrastive loss, and the gentle first
    part of other losses on pairs.
    """
    positive = same_class(labels).to(scores.dtype)
    partners = positive.sum(1)
    own = (scores * positive).sum(1) / partners.clamp(min=1)
    others = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return masked_mean(masked_logsumexp(scores, others) - own, partners > 0)


def class_weight(num_classes: int, feature_dim: int) -> torch.nn.Parameter:
    """A new W (C, D), uniform in +-1/sqrt(D) as a linear layer starts."""
    bound = feature_dim**-0.5
    return torch.nn.Parameter(torch.empty(num_classes, feature_dim).uniform_(-bound, bound))
