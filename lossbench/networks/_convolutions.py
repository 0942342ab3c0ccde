"""Convolutions and a hidden layer, each with batch norm and ReLU: what small fast networks have in common."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from ._feature_layer import output_size


def convolutions(
    input_shape: tuple[int, int, int], layers: Sequence[tuple[int, int, int]], *, hidden: int
) -> nn.Sequential:
    """Images (B, C, H, W) to hidden values (B, hidden); `layers` are (channels, kernel, stride), unpadded."""
    modules: list[nn.Module] = []
    before = input_shape[0]
    for channels, kernel, stride in layers:
        modules += [
            nn.Conv2d(before, channels, kernel, stride, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        ]
        before = channels
    modules += [
        nn.Flatten(),
        nn.Linear(output_size(modules, input_shape), hidden, bias=False),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*modules)
