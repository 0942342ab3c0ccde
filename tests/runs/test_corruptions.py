"""Corruptions: what each changes, how much, and that its strength rises."""

from __future__ import annotations

import pytest
import torch
from scipy.ndimage import gaussian_filter

from lossbench.runs.corruptions import KINDS, STRENGTHS, corrupted

IMAGES = 255 * torch.rand(20, 3, 24, 20, generator=torch.Generator().manual_seed(0))


def of(kind: str, strength: int) -> torch.Tensor:
    return corrupted(IMAGES, kind, strength, torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stronger_corruption_changes_more_and_the_images_stay(kind):
    before = IMAGES.clone()
    changes = [float((of(kind, strength) - IMAGES).square().mean()) for strength in STRENGTHS]
    assert changes == sorted(changes) and changes[0] > 0
    assert torch.equal(IMAGES, before)
    assert of(kind, 5).shape == IMAGES.shape
    assert float(of(kind, 5).min()) >= 0 and float(of(kind, 5).max()) <= 255
    assert torch.equal(of(kind, 3), of(kind, 3))


@pytest.mark.parametrize("strength", [1, 4])
def test_blur_is_a_gaussian_filter(strength):
    expected = gaussian_filter(
        IMAGES.numpy(),
        (0, 0, 0.5 * strength, 0.5 * strength),
        mode="mirror",
        radius=(0, 0, 2 * strength, 2 * strength),
    )
    assert of("blur", strength).numpy() == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize("strength", [1, 3])
def test_noise_has_a_tenth_of_the_range_per_strength(strength):
    grey = torch.full((20, 3, 24, 20), 127.5)
    noise = corrupted(grey, "noise", strength, torch.Generator().manual_seed(2)) - grey
    assert float(noise.mean()) == pytest.approx(0, abs=2)
    within = float((noise.abs() < 25.5 * strength).float().mean())  # also where the range cuts it off
    assert within == pytest.approx(0.683, abs=0.01)


def test_occlusion_is_one_square_of_zeros_in_all_channels():
    changed = of("occlusion", 5)
    zero = (changed == 0).all(1)
    assert torch.equal(zero.flatten(1).sum(1), torch.full((20,), 100))  # a half of 20, squared
    assert torch.equal(torch.where(zero[:, None], IMAGES, changed), IMAGES)
