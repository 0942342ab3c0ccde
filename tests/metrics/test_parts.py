"""Metrics that need more than one split and its reference: values by hand, scikit-learn, plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lossbench.metrics import MetricInput, measure
from lossbench.metrics.ece_scaled import best_temperature
from lossbench.specs import catalog

from .cases import METRICS, changed, compute, embedding, measured_of, random_measured

MORE = sorted(set(catalog.names("metrics")) - set(METRICS))

ROBUST = {
    *("robust-accuracy-fgsm", "robust-accuracy-pgd", "robust-accuracy-pgd-5e-1", "robust-accuracy-apgd-ce"),
    *("robust-accuracy-apgd-dlr", "robust-accuracy-square", "robust-accuracy-transfer"),
}
PROBES = {"linear-probe-digits", "linear-probe-fashion-mnist", "linear-probe-kmnist"}


class ByHand:
    """Lengths that fall with every strength of blur, rise with noise, and do neither under occlusion."""

    def robust_accuracy(self, kind: str, epsilon: float) -> float:
        return epsilon

    def transfer_accuracy(self, epsilon: float) -> float:
        return epsilon

    def attacked_features(self, epsilon: float) -> tuple[np.ndarray, np.ndarray]:
        features = random_measured(0, 2).evaluated.features[:, :2]
        return features, features + 100 * epsilon * np.ones(2, np.float32)

    def features_of(self, dataset: str, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        parts = (random_measured(seed, 2).evaluated for seed in (0, 1))
        return [(part.features, part.labels) for part in parts]

    def corrupted_lengths(self) -> dict[str, np.ndarray]:
        falling = np.arange(6.0)[::-1, None] + np.zeros((6, 10))
        neither = np.array([[1.0, 2.0]] * 6)
        return {"blur": falling, "noise": -falling, "occlusion": neither}


def with_parts(seed: int, dim: int = 2, *, cosine: bool = False) -> MetricInput:
    """Seven known classes, 60 samples of unknown ones, and a validation split."""
    measured = random_measured(seed, dim, cosine=cosine)
    random = np.random.RandomState(seed + 100)
    scores = random.randn(60, 7).astype(np.float32)
    unknown = embedding(4 * random.randn(60, dim), random.randint(7, 9, 60), scores.argmax(1), scores)
    return changed(
        measured,
        unknown=unknown,
        validation=random_measured(seed + 1, dim).evaluated,
        weight=random.randn(7, dim).astype(np.float32),
        on_images=ByHand(),
    )


def test_metrics_that_compare_as_the_loss_does_say_so():
    random = np.random.RandomState(0)
    ray = np.repeat([[1.0, 1], [9, 9]], 300, axis=0) + 0.1 * random.randn(
        600, 2
    )  # two classes behind each other
    pairs = [[with_parts(seed, cosine=cosine) for cosine in (False, True)] for seed in range(3)]
    pairs += [[measured_of(ray, np.repeat([0, 1], 300), cosine) for cosine in (False, True)]]
    for name in catalog.names("metrics"):
        spec = catalog.spec("metrics", name)
        values = [[compute(name, each) for each in pair] for pair in pairs if spec.needs in pair[0].available]
        differ = any(not np.array_equal(*pair, equal_nan=True) for pair in values)
        assert differ == spec.as_loss_compares, name


def test_every_metric_is_tested_here_or_there():
    assert set(MORE) == {
        "open-set-auroc", "open-set-auroc-logit", "oscr", "ccr-at-fpr-1e-1", "ece-scaled", "nc3", "nc4",
        "length-corruption", "fgsm-detection", "weight-angle", "weight-nearest-angle", *ROBUST, *PROBES,
    }  # fmt: skip


@pytest.mark.parametrize("name", MORE)
def test_a_metric_without_what_it_needs_is_left_out(name):
    measured = with_parts(0)
    assert name in measure(measured, [name])
    without = changed(random_measured(0, 2), validation=None)
    assert name not in measure(without, [name]) or name == "nc4"
    bare = changed(measured, evaluated=measured.evaluated._replace(scores=None))
    of_weights = ("nc3", "weight-angle", "weight-nearest-angle")
    unscored = ("open-set-auroc", "fgsm-detection", "length-corruption", *of_weights, *ROBUST, *PROBES)
    assert (name in measure(bare, [name])) == (name in unscored)


def test_what_is_available_without_training_features():
    """As for unseen classes, of which training has none."""
    every = {"features", "validation features", "reference", "scores", "probabilities", "predictions", "weight",
             "validation", "images", "unknown", "unknown scores"}  # fmt: skip
    measured = with_parts(0)
    assert set(measured.available) == every
    bare = changed(measured, reference=measured.reference.emptied())
    assert every - set(bare.available) == {"reference", "predictions", "unknown"}
    unscored = changed(measured, evaluated=measured.evaluated._replace(scores=None))
    lost = {"scores", "probabilities", "predictions", "validation", "unknown scores"}
    assert every - set(unscored.available) == lost
    assert every - set(changed(measured, probabilities=False).available) == {"probabilities", "validation"}


@pytest.mark.parametrize("name", MORE)
def test_the_order_of_samples_changes_nothing(name):
    measured = with_parts(3)
    random = np.random.RandomState(0)

    def mixed(part):
        order = random.permutation(len(part.labels))
        return type(part)(*(array[order] for array in part))

    other = changed(
        measured,
        evaluated=mixed(measured.evaluated),
        reference=mixed(measured.reference),
        unknown=mixed(measured.unknown),
        validation=mixed(measured.validation),
    )
    assert compute(name, other) == pytest.approx(compute(name, measured), rel=1e-6)


@pytest.mark.parametrize("cosine", [False, True])
def test_the_open_set_auroc_is_that_of_scikit_learn(cosine):
    measured = with_parts(1, cosine=cosine)

    def vectors(part):
        features = part.features.astype(float)
        return features / np.linalg.norm(features, axis=1, keepdims=True) if cosine else features

    reference, labels = vectors(measured.reference), measured.reference.labels
    means = [reference[labels == label].mean(axis=0) for label in range(7)]
    nearest = [
        [-min(math.dist(x, mean) for mean in means) for x in vectors(part)]
        for part in (measured.evaluated, measured.unknown)
    ]
    truth = [1] * 90 + [0] * 60
    assert compute("open-set-auroc", measured) == pytest.approx(roc_auc_score(truth, np.concatenate(nearest)))
    largest = np.concatenate([measured.scores.max(1), measured.unknown.scores.max(1)])
    assert compute("open-set-auroc-logit", measured) == pytest.approx(roc_auc_score(truth, largest))


def test_oscr_and_ccr_by_hand():
    """Known scores 4 (right), 3 (wrong), 1 (right); unknown 2 and 0: CCR is 1/3 until FPR passes 1/2."""
    known = embedding(np.zeros((3, 2)), [0, 1, 0], [0, 0, 0], [[4, 0], [3, 0], [1, 0]])
    unknown = embedding(np.zeros((2, 2)), [2, 2], [0, 0], [[2, 0], [0, 0]])
    measured = MetricInput(evaluated=known, reference=known, classes=2, unknown=unknown)
    assert compute("oscr", measured) == pytest.approx(0.5 / 3 + 0.5 * 2 / 3)
    assert compute("ccr-at-fpr-1e-1", measured) == pytest.approx(1 / 3)


def test_ccr_counts_a_false_positive_rate_of_exactly_a_tenth():
    """Ten unknown samples at 0 ... 9: above 8.5 there is one of them and half of the known ones, above 7.5 two."""
    known = embedding(np.zeros((4, 2)), [0] * 4, [0] * 4, [[9.5, 0], [8.5, 0], [7.5, 0], [-5, -6]])
    unknown = embedding(np.zeros((10, 2)), [2] * 10, [0] * 10, [[score, -1] for score in range(10)])
    measured = MetricInput(evaluated=known, reference=known, classes=2, unknown=unknown)
    assert compute("ccr-at-fpr-1e-1", measured) == 0.5


def test_without_confusion_oscr_is_the_accuracy():
    measured = with_parts(2)
    far = measured.unknown._replace(scores=measured.unknown.scores - 100)
    assert compute("oscr", changed(measured, unknown=far)) == pytest.approx(compute("accuracy", measured))
    near = measured.unknown._replace(scores=measured.unknown.scores + 100)
    assert compute("oscr", changed(measured, unknown=near)) == pytest.approx(0)


def test_the_temperature_is_found_again():
    random = np.random.RandomState(0)
    logits = 2 * random.randn(20_000, 5)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (random.rand(20_000, 1) > probabilities.cumsum(1)).sum(1)
    part = embedding(np.zeros((20_000, 2)), labels, logits.argmax(1), 3 * logits)
    assert best_temperature(part) == pytest.approx(3, rel=0.03)
    measured = MetricInput(evaluated=part, reference=part, classes=5, probabilities=True, validation=part)
    assert compute("ece-scaled", measured) < 0.02 < compute("ece", measured)


def test_a_perfect_validation_split_gives_a_finite_temperature():
    part = embedding(np.zeros((4, 2)), [0, 1, 0, 1], [0, 1, 0, 1], [[1, 0], [0, 1]] * 2)
    assert 0 < best_temperature(part) < 0.1
    nearly_equal = part._replace(scores=part.scores / 1000)
    assert best_temperature(nearly_equal) == pytest.approx(1 / 1000, rel=1e-3)
    all_wrong = part._replace(labels=1 - part.labels, scores=part.scores * 1000)
    assert best_temperature(all_wrong) == pytest.approx(1000, rel=1e-3)


def test_weights_along_the_centerd_means_are_dual_to_them():
    features = [[1, 0], [1, 0], [5, 4], [5, 4]]
    part = embedding(features, [0, 0, 1, 1])
    measured = MetricInput(evaluated=part, reference=part, classes=2)
    for weight, value in (([[-3, -3], [3, 3]], 0), ([[3, 3], [-3, -3]], 2), ([[0, 0], [0, 0]], math.nan)):
        found = compute("nc3", changed(measured, weight=np.array(weight, np.float32)))
        assert found == pytest.approx(value, abs=1e-7, nan_ok=True)
    assert math.isnan(compute("nc3", changed(measured, weight=np.ones((3, 2), np.float32))))


def test_angles_of_weights_by_hand():
    part = embedding([[1, 0], [3, 0], [0, 2], [-1, 1]], [0, 0, 1, 2])
    measured = MetricInput(evaluated=part, reference=part, classes=3)
    weight = np.array([[2, 2], [0, 5], [-1, 0]], np.float32)  # at 45, 90 and 180 degrees
    with_weight = changed(measured, weight=weight)
    assert compute("weight-angle", with_weight) == pytest.approx((45 + 0 + 45) / 3)
    assert compute("weight-nearest-angle", with_weight) == pytest.approx((45 + 45 + 90) / 3)
    assert compute("nearest-angle", with_weight) == pytest.approx((90 + 45 + 45) / 3)
    assert math.isnan(compute("weight-angle", changed(measured, weight=weight[:2])))
    assert math.isnan(compute("weight-nearest-angle", changed(measured, weight=weight[:1])))
    assert compute(
        "weight-nearest-angle", changed(measured, weight=weight * [[0], [1], [1]])
    ) == pytest.approx(90)


def test_nc4_counts_the_predictions_that_differ_from_the_nearest_mean():
    reference = embedding([[0, 0], [4, 0]], [0, 1])
    tested = embedding([[1, 0], [3, 0], [1, 1], [5, 0]], [0, 1, 1, 1], [0, 0, 1, 1], np.zeros((4, 2)))
    measured = MetricInput(evaluated=tested, reference=reference, classes=2)
    assert compute("nc4", measured) == pytest.approx(0.5)


def test_length_against_corruption_is_the_mean_rank_correlation():
    measured = with_parts(0)
    assert compute("length-corruption", measured) == pytest.approx(0)
    measured.on_images.corrupted_lengths = lambda: {"blur": ByHand().corrupted_lengths()["blur"]}
    assert compute("length-corruption", measured) == pytest.approx(-1)
    measured.on_images.corrupted_lengths = lambda: {"blur": np.ones((6, 3))}
    assert math.isnan(compute("length-corruption", measured))


def test_attacked_features_far_from_all_classes_are_detected():
    assert compute("fgsm-detection", with_parts(0)) > 0.7
    measured = with_parts(0)
    features = measured.evaluated.features
    asked = []
    measured.on_images.attacked_features = lambda epsilon: asked.append(epsilon) or (features, features)
    assert compute("fgsm-detection", measured) == pytest.approx(0.5)
    assert asked == [0.1]
