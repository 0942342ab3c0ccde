"""The first convolution: patches times weights is torch's convolution, value and gradient."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lossbench.networks._image_convolution import ImageConvolution


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("channels", "kernel", "stride", "padding"), [(1, 7, 3, 0), (3, 5, 1, 2), (2, 3, 2, 1)]
)
def test_a_product_of_patches_is_the_convolution(channels, kernel, stride, padding, bias):
    torch.default_generator.manual_seed(0)
    layer = ImageConvolution(channels, 4, kernel, stride, padding, bias=bias).double()
    images = torch.randn(5, channels, 17, 14, dtype=torch.float64)
    expected = F.conv2d(images, layer.weight, layer.bias, stride, padding)
    direction = torch.randn_like(expected)
    parameters = list(layer.parameters())
    wanted = torch.autograd.grad((expected * direction).sum(), parameters)
    for found in (layer(images), layer.by_patches(images)):
        torch.testing.assert_close(found, expected)
        for own, other in zip(
            torch.autograd.grad((found * direction).sum(), parameters), wanted, strict=True
        ):
            torch.testing.assert_close(own, other)


def test_patches_have_the_dtype_of_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert ImageConvolution(1, 2, 3).by_patches(torch.ones(1, 1, 5, 5)).dtype == torch.bfloat16
