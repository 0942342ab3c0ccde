"""Images as pictures: channels, and blocks of a larger image, against loops."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.figures import displayable


@pytest.mark.parametrize(("channels", "shown"), [(1, ()), (2, ()), (3, (3,)), (4, ())])
def test_other_channels_than_three_are_grey(channels: int, shown: tuple[int, ...]) -> None:
    images = np.random.RandomState(0).randint(0, 256, (5, channels, 4, 6)).astype(np.uint8)
    found = displayable(images)
    assert (found.shape, found.dtype) == ((5, 4, 6, *shown), np.uint8)
    expected = images[2, :, 1, 5] if shown else int(images[2, :, 1, 5].mean())
    assert np.array_equal(found[2, 1, 5], expected)


@pytest.mark.parametrize(
    ("size", "largest", "block", "shown"),
    [
        ((8, 12), 12, 1, (8, 12)),
        ((8, 12), 6, 2, (4, 6)),
        ((9, 13), 5, 3, (3, 4)),  # the thirteenth column is not a whole block
        ((2, 12), 3, 4, (1, 3)),
    ],
)
def test_a_large_image_is_of_means_of_blocks(
    size: tuple[int, int], largest: int, block: int, shown: tuple[int, int]
) -> None:
    images = np.random.RandomState(0).randint(0, 256, (3, 3, *size)).astype(np.uint8)
    found = displayable(images, largest)
    assert found.shape == (3, *shown, 3)
    for row in range(shown[0]):
        for column in range(shown[1]):
            part = images[1, :, block * row : block * row + block, block * column : block * column + block]
            assert np.array_equal(found[1, row, column], part.mean(axis=(1, 2)).astype(np.uint8))


def test_three_channels_of_grey_stay_grey() -> None:
    images = np.repeat(np.arange(24, dtype=np.uint8).reshape(1, 1, 4, 6), 3, axis=1)
    assert np.ptp(displayable(images, 3), axis=-1).max() == 0
