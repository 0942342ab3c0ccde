"""Augmentation compared with plain loops over pixels, and the same for the same seed and epoch."""

from __future__ import annotations

import pytest
import torch

from lossbench.data import augment
from lossbench.data._augmentation import rotate, shift
from lossbench.errors import UsageError
from lossbench.randomness import derived_seed
from lossbench.runs.config_builder import make_config
from lossbench.runs.stored_config import config_from_dict
from lossbench.specs import AUGMENTATIONS


def images(count=40, channels=1, height=28, width=28):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, height, width), generator=generator, dtype=torch.uint8)


def moved(images, down, right):
    """`images` (N, C, H, W) moved by whole pixels, the edge repeated."""
    height, width = images.shape[2:]
    result = torch.empty_like(images)
    for y in range(height):
        for x in range(width):
            from_y, from_x = min(max(y - down, 0), height - 1), min(max(x - right, 0), width - 1)
            result[:, :, y, x] = images[:, :, from_y, from_x]
    return result


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 30, 57), (1, 8, 8)])
def test_shift_moves_each_image_by_its_own_few_pixels_and_repeats_the_edge(shape):
    before = images(40, *shape)
    reach = max(1, round(max(shape[1:]) / 28))
    after, steps = shift(before, torch.Generator().manual_seed(1)), range(-reach, reach + 1)
    by_move = {(y, x): moved(before, y, x) for y in steps for x in steps}
    found = [
        [move for move, images in by_move.items() if torch.equal(images[number], new)]
        for number, new in enumerate(after)
    ]
    assert all(len(each) == 1 for each in found)
    assert len({each[0] for each in found}) > 4 * reach, "the moves differ from image to image"


def test_shift_draws_all_moves_equally_often():
    marked = torch.zeros(9000, 1, 28, 28, dtype=torch.uint8)
    marked[:, :, 14, 14] = 1
    places = shift(marked, torch.Generator().manual_seed(0)).sum(0)[0]
    assert places[13:16, 13:16].sum() == 9000
    assert (places[13:16, 13:16] - 1000).abs().max() < 150


def test_rotate_turns_around_the_center_by_at_most_15_degrees():
    for height, width in ((57, 57), (57, 113)):
        dot = torch.zeros(200, 1, height, width, dtype=torch.uint8)
        middle, reach = (height // 2, width // 2), 24
        dot[:, 0, middle[0] - 2 : middle[0] + 3, middle[1] + reach - 2 : middle[1] + reach + 3] = 255
        turned = rotate(dot, torch.Generator().manual_seed(0)).double()
        weights = turned / turned.sum((2, 3), keepdim=True)
        y = (weights * torch.arange(height)[:, None]).sum((1, 2, 3)) - middle[0]
        x = (weights * torch.arange(width)).sum((1, 2, 3)) - middle[1]
        torch.testing.assert_close(torch.hypot(y, x), torch.full_like(x, reach), atol=0.3, rtol=0)
        angles = torch.rad2deg(torch.atan2(y, x))
        assert angles.min() < -12 and angles.max() > 12 and angles.abs().max() < 15.5


def test_the_same_seed_and_epoch_give_the_same_images():
    before = images()
    for name in (*AUGMENTATIONS, "shift,rotate"):
        first = augment(before, name, seed=0, epoch=1)
        assert torch.equal(first, augment(before, name, seed=0, epoch=1))
        assert not torch.equal(first, augment(before, name, seed=0, epoch=2))
        assert not torch.equal(first, augment(before, name, seed=1, epoch=1))
        assert first.dtype == torch.uint8 and not torch.equal(first, before)
    assert augment(before, "none", seed=0, epoch=1) is before
    assert torch.equal(before, images()), "the originals stay"


def test_changes_of_stored_runs_stay_what_they_were():
    """Shifts are drawn before angles, from a generator of this name."""
    generator = torch.Generator().manual_seed(derived_seed(3, "augmentation", 2))
    expected = rotate(shift(images(), generator), generator)
    assert torch.equal(augment(images(), "rotate,shift", seed=3, epoch=2), expected)


def test_the_option_has_one_spelling_and_is_stored_unless_none():
    assert make_config(augment="rotate, shift").augment == "shift,rotate"
    assert make_config().augment == "shift"
    stored = make_config(augment="none").to_dict()
    assert "augment" not in stored, "runs stored before the option have none"
    assert config_from_dict(stored).augment == "none"
    for wrong in ("flip", "", "shift;rotate", "shift,,rotate"):
        with pytest.raises(UsageError, match=r"--augment .*shift, rotate, none"):
            make_config(augment=wrong)
    with pytest.raises(UsageError, match="--augment shift,none: none stands alone"):
        make_config(augment="shift,none")
