"""Tensor functions that two or more losses need: exact, with finite gradients in all edge cases.

Shapes: features (B, D), W (C, D), labels (B,). All are static-shape tensor programs.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ..specs.directions import spread_directions
from ._labels import check_features

TINY_NORM = 1e-6
"""Vectors shorter than this are not stretched to unit length, which keeps their gradient finite."""

Module = TypeVar("Module", bound=torch.nn.Module)
Rest = ParamSpec("Rest")


def full_precision(
    method: Callable[Concatenate[Module, Tensor, Rest], Tensor],
) -> Callable[Concatenate[Module, Tensor, Rest], Tensor]:
    """Let a method of a loss compute in float32, or in float64 where its features or its module are float64.

    That holds for modules and features in half precision, and under autocast. Raises UsageError for features
    that are not a tensor of real numbers, or whose last dimension is not the module's `feature_dim`.
    """

    @functools.wraps(method)
    def wrapper(self: Module, features: Tensor, /, *args: Rest.args, **kwargs: Rest.kwargs) -> Tensor:
        check_features(features, getattr(self, "feature_dim", None))
        with torch.autocast("cpu" if features.is_meta else features.device.type, enabled=False):
            tensors = [*self.named_parameters(), *self.named_buffers()]
            state = {key: tensor for key, tensor in tensors if tensor.is_floating_point()}
            types = {tensor.dtype for tensor in state.values()}
            dtype = torch.float64 if torch.float64 in {features.dtype, *types} else torch.float32
            features = features.to(dtype)
            if types <= {dtype}:
                return method(self, features, *args, **kwargs)
            converted = {f"module.{key}": tensor.to(dtype) for key, tensor in state.items()}
            result: Tensor = torch.func.functional_call(
                _Bound(self, method), converted, (features, *args), kwargs
            )
            with torch.no_grad():
                for key in state.keys() & dict(self.named_buffers()).keys():
                    state[key].copy_(converted[f"module.{key}"])
            return result

    return wrapper


class _Bound(torch.nn.Module):
    """A method of a module as a module, for functional_call."""

    def __init__(self, module: torch.nn.Module, method: Callable[..., Tensor]) -> None:
        super().__init__()
        self.module, self.method = module, method

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        return self.method(self.module, *args, **kwargs)


def normalize(vectors: Tensor) -> Tensor:
    """Rows (..., D) at unit length; a zero row stays zero, with a finite gradient."""
    return F.normalize(vectors, dim=-1, eps=TINY_NORM)


def length_and_direction(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """The lengths (..., 1) of rows (..., D), with gradient 0 at a zero row, and the rows by `normalize`."""
    lengths = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return lengths, vectors / lengths.clamp_min(TINY_NORM)


def cosines(features: Tensor, weight: Tensor) -> Tensor:
    """cos(theta_ij) between features (B, D) and class directions (C, D): (B, C)."""
    return normalize(features) @ normalize(weight).T


def target_cosine_and_sine(x: Tensor, w: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin (B,) of the angle between each x (B, D) and its class's w (C, D), all of unit length.

    The sine is the length of the part of x that is orthogonal to w, not sqrt(1 - cos^2): accurate for
    small angles also in float32, and with a finite gradient when x is parallel to w.
    """
    target = w[labels]
    cosine = (x * target).sum(-1)
    return cosine, torch.linalg.vector_norm(x - cosine.unsqueeze(-1) * target, dim=-1)


def angle(cosine: Tensor, sine: Tensor) -> Tensor:
    """The angle in [0, pi] (radians); 0 with zero gradient where both are 0 (a zero feature)."""
    degenerate = (cosine == 0) & (sine == 0)
    return torch.atan2(sine, cosine.masked_fill(degenerate, 1))


def add_angle(cosine: Tensor, sine: Tensor, margin: float | Tensor) -> Tensor:
    """cos(theta + m) from cos(theta) and sin(theta), m in radians."""
    if isinstance(margin, Tensor):
        return cosine * torch.cos(margin) - sine * torch.sin(margin)
    return cosine * math.cos(margin) - sine * math.sin(margin)


def add_angle_monotone(cosine: Tensor, sine: Tensor, margin: float | Tensor) -> Tensor:
    """cos(theta + m), and cos(theta) - m sin(m) where theta + m passes pi: ArcFace's released code.

    A negative m never passes pi.
    """
    shifted = add_angle(cosine, sine, margin)
    if isinstance(margin, Tensor):
        below = (cosine > -margin.cos()) | (margin < 0)
        return torch.where(below, shifted, cosine - margin * margin.sin())
    if margin < 0:
        return shifted
    return torch.where(cosine > -math.cos(margin), shifted, cosine - margin * math.sin(margin))


def replace_target(logits: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    """(B, C) logits with the entry of each row's own class replaced by `target` (B,)."""
    return logits.scatter(-1, labels.unsqueeze(-1), target.unsqueeze(-1).to(logits.dtype))


def is_target(logits: Tensor, labels: Tensor) -> Tensor:
    """Boolean (B, C): column j is row i's own class."""
    return labels.unsqueeze(-1) == torch.arange(logits.shape[-1], device=logits.device)


def multiplied_angle(cosine: Tensor, sine: Tensor, margin: float) -> Tensor:
    """psi(theta) = (-1)^k cos(m theta) - 2k for theta in [k pi/m, (k+1) pi/m]: falls from 1 without a jump.

    The factor m >= 1 need not be whole; k carries no gradient. m = 1 is the cosine itself.
    """
    if margin == 1:
        return cosine
    turned = margin * angle(cosine, sine)
    k = (turned.detach() / math.pi).floor().clamp(max=math.ceil(margin) - 1)
    return torch.cos(turned - math.pi * k) - 2 * k  # cos(t - k pi) = (-1)^k cos(t)


def class_sums(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Per-class sums (C, D) and counts (C, 1); a matrix product, so the order of addition is fixed."""
    members = F.one_hot(labels, classes).to(features.dtype).T
    return members @ features, members.sum(1, keepdim=True)


def moved_centers(centers: Tensor, sums: Tensor, counts: Tensor, rate: float) -> Tensor:
    """Centers (C, D) moved towards the samples of their class, as by the center loss (Wen et al., eq. 4)."""
    return centers - rate * (counts * centers - sums) / (1 + counts)


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """||x_i - y_j||^2 of x (..., D) and y (M, D) as (..., M), by differences.

    That is exact where the |x|^2 + |y|^2 - 2xy expansion is not.
    """
    return (left.unsqueeze(-2) - right).square().sum(-1)


def softplus(values: Tensor) -> Tensor:
    """log(1 + e^x), exact in float32 and float64: beyond 80 it is x in both."""
    return F.softplus(values, threshold=80)


def reduce(values: Tensor, reduction: str) -> Tensor:
    """Values (B,), or (B, N) of which a sample's loss is the mean, reduced as in torch.nn.functional."""
    if reduction == "mean":
        return values.mean()
    losses = values.flatten(1).mean(1) if values.ndim > 1 else values
    return losses.sum() if reduction == "sum" else losses


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of the values, all finite, where the mask is true; 0, with gradient 0, where it never is."""
    weights = mask.to(values.dtype)  # a product is faster than torch.where, forward and backward
    return (values * weights).sum() / weights.sum().clamp(min=1)


def class_weight(num_classes: int, feature_dim: int, fixed: bool = False) -> Tensor:
    """A new W (C, D), uniform in +-1/sqrt(D) as a linear layer starts.

    fixed: a buffer of unit vectors as far apart as possible instead, see `specs.FIXED`.
    """
    if fixed:
        return torch.nn.Buffer(torch.from_numpy(spread_directions(num_classes, feature_dim)).float())
    bound = feature_dim**-0.5
    return torch.nn.Parameter(torch.empty(num_classes, feature_dim).uniform_(-bound, bound))


def random_centers(num_classes: int, feature_dim: int) -> Tensor:
    """New centers (C, D), uniform in +-sqrt(3/D)."""
    bound = (3 / feature_dim) ** 0.5
    return torch.empty(num_classes, feature_dim).uniform_(-bound, bound)
