"""The linear probe against its objective, minimized by torch, and on features where its value is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lossbench.metrics.linear_probe import _accuracy

from .cases import compute, measured_of, random_measured


def reference(features, labels, tested, tested_labels):
    """Full-batch L-BFGS on the objective in the file's docstring, in float64."""
    mean, deviation = features.mean(0), features.std(0)
    z, y = torch.from_numpy((features - mean) / deviation), torch.from_numpy(labels)
    weight = torch.zeros(int(y.max()) + 1, z.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(len(weight), dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=2000, line_search_fn="strong_wolfe")

    def objective():
        solver.zero_grad()
        value = F.cross_entropy(z @ weight.T + bias, y, reduction="sum") + weight.square().sum() / 2
        value.backward()
        return value

    solver.step(objective)
    scores = torch.from_numpy((tested - mean) / deviation) @ weight.T + bias
    return float((scores.argmax(1).numpy() == tested_labels).mean())


@pytest.mark.parametrize("dim", [1, 2, 8])
def test_matches_its_objective(dim):
    random = np.random.RandomState(dim)
    labels, tested_labels = random.randint(0, 4, 300), random.randint(0, 4, 1000)
    centers = 100 * random.randn(4, dim)
    features, tested = (centers[y] + 150 * random.randn(len(y), dim) for y in (labels, tested_labels))
    expected = reference(features, labels, tested, tested_labels)
    assert 0.3 < expected < 0.97
    assert _accuracy(features, labels, tested, tested_labels) == pytest.approx(expected, abs=0.002)


def test_classes_that_lines_separate_are_known_and_those_of_a_chessboard_are_not():
    random = np.random.RandomState(0)
    points = random.uniform(-1, 1, (400, 2))
    halves, fields = (points[:, 0] > 0).astype(int), (points[:, 0] * points[:, 1] > 0).astype(int)
    apart = points + 0.3 * np.sign(points) * [1, 0]
    assert compute("linear-probe", measured_of(apart, halves)) == 1
    assert compute("linear-probe", measured_of(points, fields)) < 0.65


def test_half_of_each_class_is_classified():
    """Of 2 and 3 samples 1 each is fitted, so 3 are classified: a value is a multiple of a third."""
    value = compute("linear-probe", measured_of([[0, 0], [0, 1], [5, 0], [5, 1], [5, 2]], [0, 0, 1, 1, 1]))
    assert value == 1
    swapped = compute("linear-probe", measured_of([[0.0], [0], [0], [0], [0]], [0, 0, 1, 1, 1]))
    assert min(abs(swapped - expected) for expected in (1 / 3, 2 / 3)) < 1e-12


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 0, 1]])
def test_one_class_alone_and_a_class_of_one_sample_have_no_value(labels):
    assert math.isnan(compute("linear-probe", measured_of([[0.0, 0], [1, 0], [2, 0]], labels)))


def test_order_and_scale_of_the_features_change_nothing():
    measured = random_measured(1, 3)
    features, labels = measured.evaluated.features, measured.evaluated.labels
    value = compute("linear-probe", measured)
    order = np.random.RandomState(0).permutation(len(labels))
    assert compute("linear-probe", measured_of(features[order], labels[order])) == value
    assert compute("linear-probe", measured_of(8 * features + 16, labels)) == value


def test_of_another_data_set_its_training_images_are_fitted_and_its_test_images_classified():
    measured = random_measured(1, 3)
    train, test = ((part.features, part.labels) for part in (measured.reference, measured.evaluated))

    class Features:
        def features_of(self, dataset: str, count: int):
            assert (dataset, count) == ("kmnist", 5000)
            return train, test

    measured.__dict__["on_images"] = Features()
    assert compute("linear-probe-kmnist", measured) == _accuracy(*train, *test)
