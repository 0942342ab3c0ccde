"""Attacks on images: changes of each pixel within a bound that make a classifier wrong.

- `fgsm` takes one step up the cross-entropy (Goodfellow et al. 2015).
- `pgd` takes 20 steps from 2 random starts up the largest wrong score minus the right one, which does not
  saturate as cross-entropy does (Madry et al. 2018; Carlini and Wagner 2017, f_6).
- `apgd-ce` and `apgd-dlr` take 100 steps with momentum, and halve the step size of an image where it no
  longer helps (Croce and Hein, ICML 2020, arXiv 2003.01690, Algorithm 1): up the cross-entropy, or up the
  difference of logits ratio, which a scale of the scores does not change.
- `square` changes squares at random places for 1,000 queries, and needs no gradient (Andriushchenko et al.,
  ECCV 2020, arXiv 1912.00049, Algorithms 1 and 2).

Where `square`, or an attack made for another network, finds more than those that follow the gradient, the
gradient is masked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

_LARGEST = 255.0  # value of a pixel
_PGD_STEPS, _PGD_RESTARTS = 20, 2
_APGD_STEPS, _QUERIES = 100, 1000
_FIRST_AREA = 0.8
_HALVED_AFTER = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)  # of the queries
Scores = Callable[[Tensor], Tensor]
"""From images (B, C, H, W), float32 from 0 to 255, to class scores (B, C)."""
Objective = Callable[[Tensor, Tensor], Tensor]
"""From class scores (B, C) and labels (B,) to values (B,) that an attack makes large."""


class Attacked(NamedTuple):
    """The result of an attack: `images` (B, C, H, W), the strongest that it found (of PGD the last), and
    `right` (B,), whether the classifier is right about the image itself and all its changes."""

    images: Tensor
    right: Tensor


def attack(
    scores: Scores,
    images: Tensor,
    labels: Tensor,
    kind: str,
    epsilon: float,
    generator: torch.Generator,
    *,
    until_wrong: bool = False,
) -> Attacked:
    """Attack images (B, C, H, W) with labels (B,).

    kind: one of `ATTACKS`. epsilon: the largest change of a pixel, 1 being from black to white. generator: on
    the CPU, wherever the images are. until_wrong: stop attacking an image once it is classified wrong, which
    is enough for `right`; most attacks succeed in their first steps.
    """
    task = _Task(scores, images, labels, epsilon * _LARGEST, generator, until_wrong)
    task.score(images)
    return Attacked(ATTACKS[kind](task), task.right)


class _Task:
    """What is attacked: images, the range of each pixel, and which images are still classified right."""

    def __init__(
        self,
        scores: Scores,
        images: Tensor,
        labels: Tensor,
        bound: float,
        generator: torch.Generator,
        until_wrong: bool,
    ) -> None:
        self.scores, self.images, self.labels, self.bound = scores, images, labels, bound
        self.low, self.high = (images - bound).clamp(0, _LARGEST), (images + bound).clamp(0, _LARGEST)
        self.right = torch.ones_like(labels, dtype=torch.bool)
        self.generator, self.until_wrong = generator, until_wrong

    def clip(self, images: Tensor) -> Tensor:
        """Images with each pixel clipped to its range."""
        return torch.minimum(torch.maximum(images, self.low), self.high)

    def uniform(self, *shape: int) -> Tensor:
        """Random numbers from 0 to 1."""
        return torch.rand(shape, generator=self.generator).to(self.images.device)

    def random_start(self) -> Tensor:
        """Images drawn uniformly from the range."""
        return self.low + (self.high - self.low) * self.uniform(*self.images.shape)

    @torch.no_grad()
    def score(self, images: Tensor) -> Tensor:
        """Scores (B, C) of changed images; those classified wrong are no longer `right`."""
        scores = self.scores(images)
        self.right &= scores.argmax(1) == self.labels
        return scores

    def gradient(self, images: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        """The objective (B,) of changed images and its gradient, both 0 where an image is left alone; those
        classified wrong are no longer `right`."""
        wanted = self.right if self.until_wrong else torch.ones_like(self.right)
        rows = wanted.nonzero().flatten()
        values, gradient = torch.zeros_like(images[:, 0, 0, 0]), torch.zeros_like(images)
        if not len(rows):
            return values, gradient
        tried, labels = images[rows].detach().requires_grad_(), self.labels[rows]
        scores = self.scores(tried)
        found = objective(scores, labels)
        values[rows], gradient[rows] = found.detach(), torch.autograd.grad(found.sum(), tried)[0]
        self.right[rows] &= scores.argmax(1) == labels
        return values, gradient


def _fgsm(task: _Task) -> Tensor:
    _, gradient = task.gradient(task.images, _cross_entropy)
    changed = task.clip(task.images + task.bound * gradient.sign())
    task.score(changed)
    return changed


def _pgd(task: _Task) -> Tensor:
    changed, size = task.images, 2.5 * task.bound / _PGD_STEPS
    for _ in range(_PGD_RESTARTS):
        changed = task.random_start()
        for _ in range(_PGD_STEPS):
            _, gradient = task.gradient(changed, _margin)
            changed = task.clip(changed + size * gradient.sign())
        task.score(changed)
    return changed


def _apgd(task: _Task, objective: Objective) -> Tensor:
    """The images of largest objective, from one random start."""
    current = previous = best = task.random_start()
    values, gradient = task.gradient(current, objective)
    best_values, best_gradient = values, gradient
    size = torch.full_like(task.images[:, :1, :1, :1], 2 * task.bound)
    rises, halved = torch.zeros_like(values), torch.zeros_like(task.right)
    checkpoints, last, best_before = _checkpoints(_APGD_STEPS), 0, values
    for step in range(1, _APGD_STEPS + 1):
        share = 1.0 if step == 1 else 0.75
        ahead = task.clip(current + size * gradient.sign())
        moved = task.clip(current + share * (ahead - current) + (1 - share) * (current - previous))
        previous, current, before = current, moved, values
        values, gradient = task.gradient(current, objective)
        rises += values > before
        better = values > best_values
        best, best_gradient = _choose(better, current, best), _choose(better, gradient, best_gradient)
        best_values = torch.maximum(values, best_values)
        if step in checkpoints:
            halved = (rises < 0.75 * (step - last)) | (~halved & (best_values == best_before))
            size = _choose(halved, size / 2, size)
            current, gradient = _choose(halved, best, current), _choose(halved, best_gradient, gradient)
            values = _choose(halved, best_values, values)
            rises, last, best_before = torch.zeros_like(rises), step, best_values
    return best


@torch.no_grad()
def _square(task: _Task) -> Tensor:
    """Vertical stripes at first; then random squares, kept where the margin grows."""
    channels, height, width = task.images.shape[1:]
    stripes = task.uniform(len(task.images), channels, 1, width) < 0.5
    best = torch.where(stripes, task.high, task.low)
    values = _margin(task.score(best), task.labels)
    for query in range(1, _QUERIES):
        left = task.right.nonzero().flatten()
        if not len(left):
            break
        area = _FIRST_AREA / 2 ** sum(query > share * _QUERIES for share in _HALVED_AFTER)
        side = min(max(1, round(math.sqrt(area * height * width))), height, width)
        inside = random_squares(len(left), (height, width), side, task.generator).to(best.device)
        up = task.uniform(len(left), channels, 1, 1) < 0.5
        tried = torch.where(inside, torch.where(up, task.high[left], task.low[left]), best[left])
        scores = task.scores(tried)
        margins = _margin(scores, task.labels[left])
        better = margins > values[left]
        best[left], values[left] = _choose(better, tried, best[left]), torch.maximum(margins, values[left])
        task.right[left] = scores.argmax(1) == task.labels[left]
    return best


def random_squares(count: int, shape: Sequence[int], side: int, generator: torch.Generator) -> Tensor:
    """Masks (count, 1, H, W), each of one square at a random place inside the image."""
    height, width = shape
    top = torch.randint(0, height - side + 1, (count, 1, 1, 1), generator=generator)
    left = torch.randint(0, width - side + 1, (count, 1, 1, 1), generator=generator)
    row, column = torch.arange(height)[:, None], torch.arange(width)
    return (row >= top) & (row < top + side) & (column >= left) & (column < left + side)


def _checkpoints(steps: int) -> set[int]:
    """The steps after which APGD decides whether to halve the step size."""
    shares = [0.0, 0.22]
    while shares[-1] < 1:
        shares.append(shares[-1] + max(shares[-1] - shares[-2] - 0.03, 0.06))
    return {math.ceil(round(share * steps, 6)) for share in shares[1:]}


def _choose(which: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """For each sample `yes` or `no`, by `which` (B,)."""
    return torch.where(which.view(-1, *[1] * (yes.dim() - 1)), yes, no)


def _cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(scores, labels, reduction="none")


def _margin(scores: Tensor, labels: Tensor) -> Tensor:
    """The largest wrong score minus the right one."""
    true_class = F.one_hot(labels, scores.shape[1]).bool()
    return scores.masked_fill(true_class, -torch.inf).amax(1) - scores[true_class]


def _logits_ratio(scores: Tensor, labels: Tensor) -> Tensor:
    """The margin over the largest score minus the third (DLR); needs three classes."""
    largest = scores.topk(3, dim=1).values
    return _margin(scores, labels) / (largest[:, 0] - largest[:, 2]).clamp_min(1e-12)


ATTACKS: dict[str, Callable[[_Task], Tensor]] = {
    "fgsm": _fgsm,
    "pgd": _pgd,
    "apgd-ce": partial(_apgd, objective=_cross_entropy),
    "apgd-dlr": partial(_apgd, objective=_logits_ratio),
    "square": _square,
}
