"""What a loss can reach for C classes in D dimensions, computed with the code of the loss."""

import ast
import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..specs import (
    LossSpec,
    Value,
    catalog,
    largest_angular_margin,
    largest_cosine_margin,
    neighbour_angle,
    smallest_useful_scale,
)
from ..specs.directions import spread_directions
from ._weighted_sum import Classifier

_SENTENCE_END = re.compile(r"(?<=\.)(?<!\bal\.)(?<!\b[A-Z]\.)(?<!Fig\.)(?<!App\.)\s+(?=[A-Z`])")
_MAX_CLASSES = 200  # beyond, spreading the directions takes too long


class Explanation(NamedTuple):
    """Limits for (C, D), and what the loss reaches with these settings.

    Angles in radians. best_probability: in training (with the margin), of a sample on its class direction,
    with the directions as far apart as possible; None where there are no directions, or where the length of
    a feature counts too. curve: (angles (n,), target logit over scale (n,)), the logit with which a plain
    softmax would have the same loss.
    """

    settings: Mapping[str, Value]
    neighbour_angle: float
    largest_angular_margin: float
    largest_cosine_margin: float
    smallest_useful_scale: float
    best_probability: float | None
    curve: tuple[np.ndarray, np.ndarray] | None


def explain(name: str, settings: Mapping[str, Value], classes: int, dim: int) -> Explanation:
    """The explanation of a loss. Raises UsageError for an unknown name or setting."""
    spec: LossSpec = catalog.spec("losses", name)
    settings = spec.resolve(classes, dim, **settings)
    angular = spec.kind == "classifier" and spec.angular and spec.probabilities
    return Explanation(
        settings=settings,
        neighbour_angle=neighbour_angle(classes, dim),
        largest_angular_margin=largest_angular_margin(classes, dim),
        largest_cosine_margin=largest_cosine_margin(classes, dim),
        smallest_useful_scale=smallest_useful_scale(classes, dim),
        best_probability=_best_probability(name, settings, classes, dim) if angular else None,
        curve=target_curve(name, settings) if angular else None,
    )


def documentation(name: str, classes: int = 10, dim: int = 2) -> str:
    """The docstring at the top of a loss's file: equation, source, departures from the paper.

    A paragraph of text is one line. Sentences about the plane are left out for D other than 2, those about
    ten classes for C other than 10.
    """
    loss = catalog.load("losses", name)
    text = inspect.cleandoc(loss.__doc__ or catalog.spec("losses", name).summary)
    if (source := inspect.getsourcefile(inspect.unwrap(loss))) is not None:
        with open(source, encoding="utf-8") as file:
            text = ast.get_docstring(ast.parse(file.read())) or text
    patterns = [r"\bplane\b|\bD = 2\b"] if dim != 2 else []
    patterns += [r"(?i:\bten\b)"] if classes != 10 else []
    paragraphs = (_fitting(paragraph, "|".join(patterns)) for paragraph in text.split("\n\n"))
    return "\n\n".join(filter(None, paragraphs))


def _fitting(paragraph: str, pattern: str) -> str:
    """A paragraph without the sentences that have a pattern in them; one of text in one line."""
    if not re.search(r"  |\n\*", paragraph):  # neither equation nor table
        paragraph = " ".join(paragraph.split())
    if not pattern:
        return paragraph
    sentences = _SENTENCE_END.split(paragraph)
    return " ".join(sentence for sentence in sentences if not re.search(pattern, " ".join(sentence.split())))


def values_and_gradients(
    loss: Callable[[Tensor, Tensor], Tensor], points: np.ndarray, label: int
) -> tuple[np.ndarray, np.ndarray]:
    """The loss (N,) of each feature (N, D) alone, with `label` as its class, and its gradient (N, D)."""
    labels = torch.tensor([label])

    def loss_of_point(point: Tensor) -> Tensor:
        return loss(point[None], labels)

    features = torch.from_numpy(points).float()
    gradients, values = torch.func.vmap(torch.func.grad_and_value(loss_of_point))(features)
    return values.detach().numpy(), gradients.detach().numpy()


@torch.no_grad()
def target_curve(
    name: str, settings: Mapping[str, Value], count: int = 181
) -> tuple[np.ndarray, np.ndarray] | None:
    """Target logit over scale against the angle 0 ... pi, computed from the value of the loss.

    Two classes share one direction, so the other logit is the margin-free one at the same angle, and
    L = log(1 + exp(f_other - f_target)) gives f_target. None for a loss without a direction per class.
    """
    loss = _build(name, 2, 2, settings)
    if not (_set_directions(loss, torch.tensor([[1.0, 0.0], [1.0, 0.0]])) and isinstance(loss, Classifier)):
        return None
    angles = torch.linspace(0, math.pi, count, dtype=torch.float64)
    points = torch.stack([angles.cos(), angles.sin()], 1)
    label = torch.zeros(1, dtype=torch.long)
    values = torch.stack([loss(point[None], label) for point in points])
    others = loss.logits(points)[:, 1]
    targets = others - torch.log(torch.expm1(values.clamp_min(1e-12)))
    return angles.numpy(), (targets / others[0].clamp_min(1e-12)).numpy()


@torch.no_grad()
def _best_probability(name: str, settings: Mapping[str, Value], classes: int, dim: int) -> float | None:
    if classes > _MAX_CLASSES:
        return None
    loss = _build(name, classes, dim, settings)
    directions = torch.from_numpy(spread_directions(classes, dim)).double()
    if not _set_directions(loss, directions):
        return None
    short, long = (
        torch.stack([loss(length * d[None], torch.tensor([j])) for j, d in enumerate(directions)])
        for length in (1, 10)
    )
    if not torch.allclose(short, long):
        return None  # the length counts: a longer feature has a higher probability
    return float(torch.exp(-short).mean())


def _build(name: str, classes: int, dim: int, settings: Mapping[str, Value]) -> nn.Module:
    loss: nn.Module = catalog.load("losses", name)(classes, dim, **settings)
    return loss.double().eval()


def _set_directions(loss: nn.Module, directions: Tensor) -> bool:
    """Set the class directions (C, D), all K of a class alike; False where `weight` has another shape."""
    weight = getattr(loss, "weight", None)
    directions = directions.repeat_interleave(getattr(loss, "subcenters", 1), 0)
    if not isinstance(weight, Tensor) or weight.shape != directions.shape:
        return False
    weight.copy_(directions)
    return True
