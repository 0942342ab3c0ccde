"""Which samples are held out: a draw of each class in proportion."""

import numpy as np

SPLIT_SEED = 20240229
"""Fixes which images are validation, for every run and machine; stored with each result."""
_TEST_SHARE = 5  # 1 / the fraction of samples that are test samples where a data set has no test part


def test_mask(labels: np.ndarray) -> np.ndarray:
    """True for the fifth of the samples that is the test part of a data set without one."""
    return validation_mask(labels, -(-len(labels) // _TEST_SHARE))


def validation_mask(labels: np.ndarray, size: int, seed: int = SPLIT_SEED) -> np.ndarray:
    """True for `size` samples, each class in proportion (largest remainders), the same ones for one seed."""
    classes, counts = np.unique(labels, return_counts=True)
    shares = size * counts / len(labels)
    taken = np.floor(shares).astype(int)
    for position in np.argsort(taken - shares, kind="stable")[: size - taken.sum()]:
        taken[position] += 1
    random = np.random.RandomState(seed)  # its stream is frozen over NumPy versions
    mask = np.zeros(len(labels), dtype=bool)
    for label, count in zip(classes, taken, strict=True):
        members = np.flatnonzero(labels == label)
        mask[random.permutation(members)[:count]] = True
    return mask
