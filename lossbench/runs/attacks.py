"""Attacks on the images of a trained run: changes of each pixel within a bound that make it classify wrongly.

The scores attacked are those that classify, without margin. FGSM ascends their cross-entropy by one step
(Goodfellow et al. 2015); PGD ascends, from random starts, the largest wrong score minus the right one, which
does not saturate as cross-entropy does (Madry et al. 2018; Carlini and Wagner 2017, f_6). A network whose
accuracy under PGD is far below that under FGSM hides its gradient rather than being robust.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import load_splits, normalize
from ..losses import class_means, class_scores
from ..randomness import derived_seed
from ..records import Embedding
from .config import dataset_spec
from .model import load_model
from .store import RunFolder

IMAGES = 1000
"""How many images are attacked: the first ones of the split."""
_BATCH = 250
_LARGEST = 255.0  # value of a pixel
_STEPS, _RESTARTS = 20, 2
Scores = Callable[[Tensor], Tensor]
"""From images (B, C, H, W), float32 from 0 to 255, to class scores (B, C)."""


def robust_accuracy(
    run: RunFolder, train: Embedding, kind: str, epsilon: float, data_dir: Path | None = None
) -> float:
    """The share of the first `IMAGES` images of the evaluated split that are classified right whatever the
    attack tries.

    train: the training features. kind: `fgsm` or `pgd`. epsilon: the largest change of a pixel, 1 being from
    black to white. Raises DataError where the data set cannot be read.
    """
    config = run.config
    split = getattr(load_splits(config.split_spec, data_dir), config.eval_split)
    network, loss = load_model(run.read_bytes("model.safetensors"), config, str(run.path))
    means = None
    if loss.classifier() is None:
        means = class_means(torch.from_numpy(train.features), torch.from_numpy(train.labels), config.classes)
    data = dataset_spec(config.dataset)
    differentiable: Callable[..., Tensor] = inspect.unwrap(class_scores)

    def scores(images: Tensor) -> Tensor:
        return differentiable(loss, network(normalize(images, data)).float(), means, config.rule)

    generator = torch.Generator().manual_seed(derived_seed(config.seed, "attack"))
    right = 0
    for images, labels in zip(
        split.images[:IMAGES].split(_BATCH), split.labels[:IMAGES].split(_BATCH), strict=True
    ):
        right += int(withstands(scores, images.float(), labels, kind, epsilon, generator).sum())
    return right / min(IMAGES, len(split.labels))


def withstands(
    scores: Scores, images: Tensor, labels: Tensor, kind: str, epsilon: float, generator: torch.Generator
) -> Tensor:
    """Whether each image (B, C, H, W) is classified right, itself and in all that the attack tries: (B,)."""
    bound = epsilon * _LARGEST
    low, high = (images - bound).clamp(0, _LARGEST), (images + bound).clamp(0, _LARGEST)
    with torch.no_grad():
        right = scores(images).argmax(1) == labels
    pgd = kind == "pgd"
    steps, size = (_STEPS, 2.5 * bound / _STEPS) if pgd else (1, bound)
    for _ in range(_RESTARTS if pgd else 1):
        changed = images
        if pgd:
            changed = low + (high - low) * torch.rand(images.shape, generator=generator)
        for _ in range(steps):
            gradient = _gradient(scores, changed, labels, saturates=not pgd)
            changed = torch.minimum(torch.maximum(changed + size * gradient.sign(), low), high)
            with torch.no_grad():
                right &= scores(changed).argmax(1) == labels
    return right


def _gradient(scores: Scores, images: Tensor, labels: Tensor, *, saturates: bool) -> Tensor:
    """The gradient of cross-entropy, or of the largest wrong score minus the right one, by the images."""
    images = images.detach().requires_grad_()
    found = scores(images)
    if saturates:
        value = F.cross_entropy(found, labels, reduction="sum")
    else:
        own = F.one_hot(labels, found.shape[1]).bool()
        value = (found.masked_fill(own, -torch.inf).amax(1) - found[own]).sum()
    return torch.autograd.grad(value, images)[0]
