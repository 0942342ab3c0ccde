"""Images of any shape as pictures: grey or RGB, and not too large."""

import numpy as np


def displayable(images: np.ndarray, largest: int | None = None) -> np.ndarray:
    """Images (N, C, H, W) uint8 as grey (N, h, w) or RGB (N, h, w, 3).

    Any other number of channels than three is averaged to grey. No side is longer than `largest` pixels:
    larger images lose an incomplete block at the end, and the others are averaged; a side shorter than a
    block is one.
    """
    if images.shape[1] not in (1, 3):
        images = images.mean(axis=1, keepdims=True).astype(np.uint8)
    count, channels, height, width = images.shape
    block = 1 if largest is None else -(-max(height, width) // largest)
    if block > 1:
        high, wide = min(block, height), min(block, width)
        height, width = height // high, width // wide
        blocks = images[:, :, : height * high, : width * wide].reshape(
            count, channels, height, high, width, wide
        )
        images = blocks.mean(axis=(3, 5)).astype(np.uint8)
    return images[:, 0] if channels == 1 else np.moveaxis(images, 1, -1)
