"""The annealing of L-Softmax and SphereFace, whose margin grows in the course of the training."""

from typing import Protocol

import torch
from torch import Tensor

ITERATIONS = 20_000
"""Length of the released trainings, for which `progress` 0 ... 1 stands."""


class Annealed(Protocol):
    """A loss with annealing: t is its buffer `step`, or the part `progress` of ITERATIONS."""

    step: Tensor
    progress: Tensor
    annealing: str
    base: float
    lambda_min: float


@torch.no_grad()
def annealed_lambda(loss: Annealed, *, gamma: float, power: float) -> Tensor:
    """lambda () = max(lambda_min, base (1 + gamma t)^-power) of this step."""
    time = loss.step if loss.annealing == "steps" else ITERATIONS * loss.progress
    return (loss.base * (1 + gamma * time) ** -power).clamp(min=loss.lambda_min)
