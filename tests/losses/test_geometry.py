"""Angles where cosine and sine are special."""

from __future__ import annotations

import math

import torch

from lossbench.losses._geometry import angle


def test_a_zero_feature_has_angle_zero_whatever_the_signs_of_the_weights():
    cosine = torch.tensor([0.0, -0.0, 0.0, -0.0, 1.0, -1.0], requires_grad=True)
    sine = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    found = angle(cosine, sine)
    torch.testing.assert_close(found, math.pi * torch.tensor([0, 0, 0.5, 0.5, 0, 1]))
    (gradient,) = torch.autograd.grad(found.sum(), cosine)
    assert gradient.tolist() == [0, 0, -1, -1, 0, 0]
