"""Attacks against a linear classifier, whose robust accuracy is known exactly, and against a trained run."""

from __future__ import annotations

import pytest
import torch

from lossbench.runs.attacks import withstands
from lossbench.runs.measurement import measure_stored
from lossbench.runs.store import Store

from ..helpers.runs import run, small

EPSILON = 0.02


def linear(seed: int):
    """A linear classifier, images of grey values far from 0 and 255, and their labels."""
    random = torch.Generator().manual_seed(seed)
    weight = torch.randn(4, 9, generator=random)
    weight -= weight.mean(1, keepdim=True)  # only differences of pixels count
    images = 100 + 50 * torch.rand(200, 1, 3, 3, generator=random)
    scores = lambda images: images.flatten(1) @ weight.T  # noqa: E731
    labels = scores(images).argmax(1)
    labels[:10] = (labels[:10] + 1) % 4  # wrong before any attack
    return scores, weight, images, labels


@pytest.mark.parametrize("seed", [0, 1])
def test_against_a_linear_classifier_pgd_finds_nearly_all_there_is(seed):
    """f_j - f_y grows by at most epsilon times the sum of |w_j - w_y|."""
    scores, weight, images, labels = linear(seed)
    found = scores(images)
    margins = found.gather(1, labels[:, None]) - found
    reach = 255 * EPSILON * (weight[:, None] - weight[None]).abs().sum(2)[labels]
    own = torch.nn.functional.one_hot(labels, 4).bool()
    expected = ((margins > reach) | own).all(1) & (found.argmax(1) == labels)
    generator = torch.Generator().manual_seed(0)
    pgd = withstands(scores, images, labels, "pgd", EPSILON, generator)
    assert 0.1 < expected.float().mean() < 0.9
    assert torch.all(pgd >= expected), "what cannot be changed is not"
    assert (pgd != expected).float().mean() < 0.05
    fgsm = withstands(scores, images, labels, "fgsm", EPSILON, generator)
    assert torch.all(fgsm >= expected)


@pytest.mark.parametrize("kind", ["fgsm", "pgd"])
def test_the_changes_stay_within_the_bound_and_the_range(kind):
    _, weight, images, labels = linear(2)
    images = images.clamp(100, 101) - 100  # near black
    seen = []

    def scores(given):
        seen.append(given.detach())
        return given.flatten(1) @ weight.T

    before = images.clone()
    withstands(scores, images, labels, kind, EPSILON, torch.Generator().manual_seed(0))
    assert torch.equal(images, before)
    for given in seen:
        assert float((given - images).abs().max()) <= 255 * EPSILON + 1e-4
        assert float(given.min()) >= 0 and float(given.max()) <= 255


def test_without_a_bound_to_speak_of_the_accuracy_is_that_of_the_images():
    scores, _, images, labels = linear(3)
    found = withstands(scores, images, labels, "pgd", 1e-6, torch.Generator().manual_seed(0))
    assert torch.equal(found, scores(images).argmax(1) == labels)


@pytest.mark.parametrize("loss", ["softmax", "contrastive"])
def test_a_trained_run_is_attacked_when_asked(loss, tmp_path):
    """Also a loss without class scores, by the means of the training features."""
    config = small(loss, network="stride3")
    result = run(config, tmp_path)
    names = ["robust-accuracy-fgsm", "robust-accuracy-pgd", "length-corruption", "fgsm-detection"]
    folder = Store(tmp_path).run(config)
    found = measure_stored(folder, names)
    fgsm, pgd, correlation, detection = (found[name] for name in names)
    assert -1 <= correlation <= 1 and 0 <= detection <= 1
    assert pgd <= fgsm <= result.test_accuracy
    assert pgd < result.test_accuracy
    assert measure_stored(folder, names) == found == {name: folder.metrics()[name] for name in names}
