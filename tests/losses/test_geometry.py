"""Angles where cosine and sine are special, and the first weights and centers."""

from __future__ import annotations

import math

import pytest
import torch

from lossbench.losses._geometry import angle, class_weight, random_centers


def test_a_zero_feature_has_angle_zero_whatever_the_signs_of_the_weights():
    cosine = torch.tensor([0.0, -0.0, 0.0, -0.0, 1.0, -1.0], requires_grad=True)
    sine = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    found = angle(cosine, sine)
    torch.testing.assert_close(found, math.pi * torch.tensor([0, 0, 0.5, 0.5, 0, 1]))
    (gradient,) = torch.autograd.grad(found.sum(), cosine)
    assert gradient.tolist() == [0, 0, -1, -1, 0, 0]


@pytest.mark.parametrize("dim", [2, 12])
def test_weights_start_as_in_a_linear_layer_and_centers_as_in_caffe(dim):
    for made, bound in ((class_weight(2000, dim), dim**-0.5), (random_centers(2000, dim), (3 / dim) ** 0.5)):
        assert 0.99 * bound < float(made.detach().abs().max()) <= bound
        assert float(made.detach().mean()) == pytest.approx(0, abs=0.05 * bound)
