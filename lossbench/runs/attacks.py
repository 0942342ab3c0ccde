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

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..data import load_splits, normalize
from ..losses import class_means, class_scores
from ..randomness import derived_seed
from ..records import Embedding
from .config import dataset_spec
from .model import load_model
from .run_folder import RunFolder

IMAGES = 1000
"""How many images are attacked: the first ones of the split."""
_BATCH = 250
_LARGEST = 255.0  # value of a pixel
_STEPS, _RESTARTS = 20, 2
Scores = Callable[[Tensor], Tensor]
"""From images (B, C, H, W), float32 from 0 to 255, to class scores (B, C)."""


class TrainedRun:
    """A trained run as an attack sees it: `images` (N, C, H, W) and `labels` (N,), the first of the evaluated
    split, and what the network and the loss make of images.

    train: the training features. Raises DataError where the data set cannot be read.
    """

    def __init__(self, run: RunFolder, train: Embedding, data_dir: Path | None) -> None:
        self.config = run.config
        split = getattr(load_splits(self.config.split_spec, data_dir), self.config.eval_split)
        self.images, self.labels = split.images[:IMAGES].float(), split.labels[:IMAGES]
        self.network, self.loss = load_model(run.read_bytes("model.safetensors"), self.config, str(run.path))
        self.means = None
        if self.loss.classifier() is None:
            features, labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
            self.means = class_means(features, labels, self.config.classes)

    def embed(self, images: Tensor) -> Tensor:
        """Features (B, D) of images (B, C, H, W) from 0 to 255, through which gradients flow."""
        features: Tensor = self.network(normalize(images, dataset_spec(self.config.dataset)))
        return features.float()

    def scores(self, images: Tensor) -> Tensor:
        """Their class scores (B, C)."""
        differentiable: Callable[..., Tensor] = inspect.unwrap(class_scores)
        return differentiable(self.loss, self.embed(images), self.means, self.config.rule)


def robust_accuracy(
    run: RunFolder, train: Embedding, kind: str, epsilon: float, data_dir: Path | None = None
) -> float:
    """The share of the first `IMAGES` images of the evaluated split that are classified right whatever the
    attack tries.

    kind: `fgsm` or `pgd`. epsilon: the largest change of a pixel, 1 being from black to white. Raises
    DataError where the data set cannot be read.
    """
    trained = TrainedRun(run, train, data_dir)
    generator = torch.Generator().manual_seed(derived_seed(run.config.seed, "attack"))
    parts = zip(trained.images.split(_BATCH), trained.labels.split(_BATCH), strict=True)
    right = [withstands(trained.scores, *part, kind, epsilon, generator) for part in parts]
    return float(torch.cat(right).float().mean())


def attacked_features(
    run: RunFolder, train: Embedding, epsilon: float, data_dir: Path | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Features (N, D) of these images, and of the same ones after FGSM. Raises as `robust_accuracy`."""
    trained = TrainedRun(run, train, data_dir)
    features = []
    for images, labels in zip(trained.images.split(_BATCH), trained.labels.split(_BATCH), strict=True):
        low, high = _range(images, epsilon)
        changed = _step(trained.scores, images, labels, epsilon * _LARGEST, low, high, saturates=True)
        with torch.no_grad():
            features.append(torch.stack([trained.embed(images), trained.embed(changed)]))
    clean, attacked = torch.cat(features, dim=1).numpy()
    return clean, attacked


def withstands(
    scores: Scores, images: Tensor, labels: Tensor, kind: str, epsilon: float, generator: torch.Generator
) -> Tensor:
    """Whether each image (B, C, H, W) is classified right, itself and in all that the attack tries: (B,)."""
    bound, (low, high) = epsilon * _LARGEST, _range(images, epsilon)
    with torch.no_grad():
        right = scores(images).argmax(1) == labels
    pgd = kind == "pgd"
    steps, size = (_STEPS, 2.5 * bound / _STEPS) if pgd else (1, bound)
    for _ in range(_RESTARTS if pgd else 1):
        changed = images
        if pgd:
            changed = low + (high - low) * torch.rand(images.shape, generator=generator)
        for _ in range(steps):
            changed = _step(scores, changed, labels, size, low, high, saturates=not pgd)
            with torch.no_grad():
                right &= scores(changed).argmax(1) == labels
    return right


def _range(images: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """The least and the largest value that each pixel may take."""
    bound = epsilon * _LARGEST
    return (images - bound).clamp(0, _LARGEST), (images + bound).clamp(0, _LARGEST)


def _step(
    scores: Scores, images: Tensor, labels: Tensor, size: float, low: Tensor, high: Tensor, *, saturates: bool
) -> Tensor:
    """Images after one step up the gradient's sign, within their range."""
    gradient = _gradient(scores, images, labels, saturates=saturates)
    return torch.minimum(torch.maximum(images + size * gradient.sign(), low), high)


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
