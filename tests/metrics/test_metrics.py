"""What holds for all metrics: values by hand, edges, and what must not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lossbench.metrics._measure import measure
from lossbench.records import Embedding
from lossbench.specs import catalog

from .cases import METRICS, changed, compute, embedding, measured_of, metric_input, random_measured

NAN = math.nan
COLLAPSE = {"nc1", "nc2-norms", "nc2-angles", "within-variance", "class-separation"}
ANGULAR = {"angular-spread", "angular-gap", "angular-spread-gap", "nearest-angle"}
BY_SCORES = {"accuracy", "top2-accuracy", "ece", "nll"}
BY_COSINE = {"nn-accuracy-cosine", "knn5-accuracy-cosine", "map-at-r-cosine"} | ANGULAR

# class 0 at (0, 0) and (2, 0), class 1 at (1, 3) and (1, 5): means (1, 0) and (1, 4), all spreads 1
FOUR = embedding(
    [[0, 0], [2, 0], [1, 3], [1, 5]], [0, 0, 1, 1], [0, 1, 1, 1], np.log([[3, 1], [1, 3], [1, 3], [1, 7]])
)
REFERENCE = embedding([[0, 1], [2, 1.9], [1, 3.5], [0.5, 5]], [0, 1, 1, 0])
DIRECTIONS = math.degrees(math.atan2(3, 1)), math.degrees(math.atan2(5, 1))
ANGLE = (
    sum(DIRECTIONS) / 2
)  # of class 1 to class 0, which points along (1, 0): its sample at 0 points nowhere
TURN = (
    45 + (DIRECTIONS[1] - DIRECTIONS[0]) / 2
) / 2  # from 0 and 90 degrees, and from half the difference twice
ALONG = [math.sqrt(10), math.sqrt(26)]  # distances between the two of class 0 and the two of class 1
# the means of the unit vectors: (1/2, 0) of class 0, as (0, 0) has no direction, and this of class 1
MEAN = (1 / ALONG[0] + 1 / ALONG[1]) / 2, (3 / ALONG[0] + 5 / ALONG[1]) / 2

AT_THRESHOLD = {
    "threshold-at-far": math.sqrt(10),
    "threshold-range": 0.0,
    "tar-at-threshold": 1.0,
    "far-at-threshold": 0.0,
}
MAPS = ("map-at-r", "map-at-r-euclidean", "map-at-r-cosine")
SHOTS = {name for name in METRICS if "-shot" in name}

BY_HAND = {
    "accuracy": 0.75,
    "top2-accuracy": 1.0,
    "mean-accuracy": 0.5,  # training means (0.25, 3) and (1.5, 2.7): (0, 0) and (1, 3) are nearer to their own
    "nn-accuracy": 0.5,
    "knn5-accuracy": 0.5,  # all four vote, two each: the smaller label
    "nn-accuracy-cosine": 0.75,  # (0, 0) is equally far from all: the smaller label
    "knn5-accuracy-cosine": 0.5,
    "ece": (abs(1 - 0.75 * 3 + 1) + 0.125) / 4,  # confidences 3/4 (two right of three) and 7/8 (right)
    "nll": (3 * math.log(4) - 2 * math.log(3) + math.log(8 / 7)) / 4,
    "spread": 1.0,
    "gap": 4.0,
    "spread-gap": 0.25,
    "angular-spread": TURN,
    "angular-gap": ANGLE,
    "nearest-angle": ANGLE,
    "angular-spread-gap": TURN / ANGLE,
    "silhouette": 1 - (2 * 2 / (sum(ALONG) / 2) + 2 / ALONG[0] + 2 / ALONG[1]) / 4,  # every a is 2
    "davies-bouldin": 0.5,
    "calinski-harabasz": 8.0,  # between: 2 * 4 + 2 * 4, within: 4 / 2
    "nmi": 1.0,
    "ami": 1.0,
    "recall-at-1": 1.0,
    "r-precision": 1.0,
    "map-at-r": 1.0,
    "map-at-r-euclidean": 1.0,
    "map-at-r-cosine": 1.0,  # (0, 0) is equally far from all directions but for rounding
    "roc-auc": 1.0,
    "eer": 0.0,
    "tar-at-far-1e-2": 1.0,
    "tar-at-far-1e-3": 1.0,
    "tar-at-far-1e-4": 1.0,
    **{f"{name}-1e-{n}": value for n in (2, 3) for name, value in AT_THRESHOLD.items()},
    **{f"{shots}-shot{part}": NAN for shots in (5, 20) for part in ("", "-half-width")},
    "1-shot": 1.0,
    "1-shot-half-width": 0.0,
    "linear-probe": 0.5,  # fitted to (2, 0) and (1, 5), standardized: (0, 0) lies on the side of class 1
    "collapse": 0.0,
    "axis-range": 5.0,
    "length-variation": np.std([0, 2, math.sqrt(10), math.sqrt(26)])
    / np.mean([0, 2, math.sqrt(10), math.sqrt(26)]),
    "outer-classes": 1.0,
    "nc1": 0.5 / 4 / 2,  # variance 1/2 along the line of the two means, which lie 2 from their center
    "nc2-norms": 0.0,
    "nc2-angles": 0.0,
    "within-variance": 1 / 5,
    "class-separation": 1 - (1 - (1 / 4 + MEAN[0] ** 2 + MEAN[1] ** 2) / 2)
    / (1 - ((1 / 2 + MEAN[0]) ** 2 + MEAN[1] ** 2) / 4),
}  # fmt: skip

PERFECT_ALONE = {"accuracy", "top2-accuracy", "mean-accuracy", "nn-accuracy", "knn5-accuracy"}
PERFECT_ALONE |= {"nn-accuracy-cosine", "knn5-accuracy-cosine", "recall-at-1", "r-precision", *MAPS}
ONE_CLASS = dict.fromkeys(METRICS, NAN) | dict.fromkeys(PERFECT_ALONE, 1.0)
ONE_CLASS |= {"spread": 1.0, "angular-spread": 22.5, "collapse": 0.0, "ece": 0.5, "nll": math.log(2)}
ONE_CLASS |= {"axis-range": 2.0, "outer-classes": 1.0}
ONE_CLASS |= {"length-variation": (math.sqrt(2) - 1) / (math.sqrt(2) + 1)}

COINCIDENT = dict.fromkeys(METRICS, 0.0) | dict.fromkeys(["accuracy", "top2-accuracy", "collapse"], 1.0)
COINCIDENT |= dict.fromkeys((name for name in METRICS if "n-accuracy" in name or "knn5" in name), 0.5)
COINCIDENT |= {"axis-range": 1.0, "roc-auc": 0.5, "eer": 0.5, "ece": 0.5, "nll": math.log(2)}
COINCIDENT |= dict.fromkeys([*COLLAPSE, *SHOTS], NAN) | {
    "1-shot": 0.5,
    "1-shot-half-width": 0.0,
    "linear-probe": 0.5,
}
COINCIDENT |= dict.fromkeys(["spread-gap", "angular-spread-gap", "davies-bouldin", "calinski-harabasz"], NAN)


def test_every_metric_of_the_catalogue_is_covered() -> None:
    assert set(METRICS) == set(BY_HAND)


@pytest.mark.parametrize("name", BY_HAND)
def test_four_points_by_hand(name: str) -> None:
    measured = metric_input(evaluated=FOUR, reference=REFERENCE, classes=2, probabilities=True)
    assert compute(name, measured) == pytest.approx(BY_HAND[name], abs=1e-7, nan_ok=True)


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_one_class_alone(name: str, cosine: bool) -> None:
    one = embedding([[0, 2], [2, 2]], [0, 0], scores=np.zeros((2, 2)))
    measured = metric_input(evaluated=one, reference=one, classes=2, cosine=cosine, probabilities=True)
    assert compute(name, measured) == pytest.approx(ONE_CLASS[name], nan_ok=True)


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_points_that_all_coincide(name: str, cosine: bool) -> None:
    same = embedding([[1, 1]] * 4, [0, 0, 1, 1], scores=np.zeros((4, 2)))
    measured = metric_input(evaluated=same, reference=same, classes=2, cosine=cosine, probabilities=True)
    expected = 1.0 if cosine and name.startswith("threshold-at") else COINCIDENT[name]
    assert compute(name, measured) == pytest.approx(expected, nan_ok=True, abs=1e-9)


ALONE_UNDEFINED = {"recall-at-1", "r-precision", *MAPS, "roc-auc", "eer", "silhouette", "linear-probe"}
ALONE_UNDEFINED |= {"calinski-harabasz", *(name for name in METRICS if name.startswith("tar")), *SHOTS}


@pytest.mark.parametrize("name", sorted(set(METRICS) - BY_SCORES))
def test_one_sample_per_class(name: str) -> None:
    measured = measured_of([[1, 0], [0, 2], [-3, 1]], [0, 1, 2])
    value = compute(name, measured)
    if name in ALONE_UNDEFINED:
        assert math.isnan(value)
    elif name.startswith("knn5"):
        assert value == pytest.approx(1 / 3)  # one vote each: the smallest label
    elif "accuracy" in name or name in {"nmi", "ami"}:
        assert value == pytest.approx(1)
    else:
        expected = {"gap": math.dist((1, 0), (0, 2)), "angular-gap": math.degrees(math.atan(3))}
        expected["nearest-angle"] = (90 + 2 * expected["angular-gap"]) / 3
        expected |= {"axis-range": 3, "outer-classes": 1}
        expected["class-separation"] = 1
        expected |= dict.fromkeys(["threshold-at-far-1e-2", "threshold-at-far-1e-3"], math.sqrt(5))
        expected |= dict.fromkeys(
            ["threshold-range-1e-2", "threshold-range-1e-3"], math.sqrt(10) - math.sqrt(5)
        )
        lengths = np.linalg.norm(np.array([[5, -3], [2, 3], [-7, 0]]) / 3, axis=1)
        expected["nc2-norms"] = lengths.std() / lengths.mean()
        cosines = [1 / math.sqrt(34 * 13), -35 / (7 * math.sqrt(34)), -14 / (7 * math.sqrt(13))]
        expected["nc2-angles"] = np.mean(np.abs(np.array(cosines) + 0.5))
        expected["length-variation"] = np.std([1, 2, math.sqrt(10)]) / np.mean([1, 2, math.sqrt(10)])
        assert value == pytest.approx(expected.get(name, 0), abs=1e-9)


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_samples_changes_nothing(name: str, cosine: bool) -> None:
    measured = random_measured(6, 2, cosine=cosine)
    coarse = [
        part._replace(features=part.features.round()) for part in (measured.evaluated, measured.reference)
    ]
    measured = changed(measured, evaluated=coarse[0], reference=coarse[1])  # with many ties
    random = np.random.RandomState(0)
    orders = [random.permutation(len(part.labels)) for part in coarse]
    tested, reference = (
        Embedding(*(array[order] for array in part)) for part, order in zip(coarse, orders, strict=True)
    )
    mixed = changed(measured, evaluated=tested, reference=reference)
    assert compute(name, mixed) == pytest.approx(compute(name, measured), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    "name",
    sorted(
        set(METRICS) - BY_SCORES - BY_COSINE - {"axis-range", "length-variation", "class-separation", *SHOTS}
    ),
)
def test_far_from_the_origin_no_digit_is_lost(name: str) -> None:
    for seed, dim in ((7, 2), (8, 40)):
        points = random_measured(seed, dim)
        near = [
            embedding((8 * part.features).round() / 8, part.labels)
            for part in (points.evaluated, points.reference)
        ]
        far = [
            part._replace(features=part.features + np.float32(2**20)) for part in near
        ]  # exact: steps of 1/8
        values = [
            compute(name, metric_input(evaluated=tested, reference=reference, classes=7))
            for tested, reference in (near, far)
        ]
        assert values[1] == pytest.approx(values[0], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", ["nn-accuracy", "mean-accuracy", "silhouette", "map-at-r", "roc-auc", "eer"])
def test_many_dimensions_at_the_end_of_float32_lose_no_digit(name: str) -> None:
    """Whole numbers up to 2^24: sums of 300 squares no longer fit float64, differences do."""
    random = np.random.RandomState(0)
    near = [embedding(random.randint(0, 3, (150, 300)), random.choice(4, 150)) for _ in "01"]
    far = [part._replace(features=part.features + np.float32(2**24 - 100)) for part in near]
    values = [compute(name, metric_input(evaluated=a, reference=b, classes=4)) for a, b in (near, far)]
    assert values[1] == pytest.approx(values[0], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", sorted(set(METRICS) - BY_SCORES))
def test_large_and_small_features_overflow_nowhere(name: str) -> None:
    measured = random_measured(9, 2)
    for scale in (1e-15, 1e15):
        parts = [
            part._replace(features=(scale * part.features.astype(np.float64)).astype(np.float32))
            for part in (measured.evaluated, measured.reference)
        ]
        scaled = changed(measured, evaluated=parts[0], reference=parts[1], validation=parts[0])
        unit = catalog.spec("metrics", name).unit
        is_length = unit == "feature units" or name.startswith("threshold")
        expected = compute(name, measured) * (scale if is_length else 1)
        assert compute(name, scaled) == pytest.approx(expected, rel=1e-5, nan_ok=True)


def doubled(part: Embedding) -> Embedding:
    return Embedding(*(np.concatenate([array, array]) for array in part))


ONCE_EACH = {"silhouette", "calinski-harabasz", "knn5-accuracy", "knn5-accuracy-cosine", "ami", "nmi"}
ONCE_EACH |= (
    {"recall-at-1", "r-precision", *MAPS, "roc-auc", "eer", "linear-probe"}
    | {n for n in METRICS if "tar" in n}
    | SHOTS
)


@pytest.mark.parametrize("name", sorted(set(METRICS) - ONCE_EACH))
def test_duplicates_change_nothing(name: str) -> None:
    measured = random_measured(5, 2)
    twice = changed(measured, reference=doubled(measured.reference), evaluated=doubled(measured.evaluated))
    assert compute(name, twice) == pytest.approx(compute(name, measured), rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_looks_only_at_what_it_says_it_needs(name: str) -> None:
    measured = random_measured(8, 2)
    needs = catalog.spec("metrics", name).needs
    other = random_measured(9, 2)
    if needs in ("features", "validation features"):
        nothing = embedding(np.zeros((0, 2)), [])
        tested = measured.evaluated._replace(predictions=other.evaluated.predictions, scores=None)
        bare = changed(measured, reference=nothing, evaluated=tested, probabilities=False)
        if needs == "features":
            bare = changed(bare, validation=None)
    elif needs == "reference":
        bare = changed(measured, evaluated=measured.evaluated._replace(scores=None), probabilities=False)
    else:
        bare = changed(measured, evaluated=measured.evaluated._replace(features=other.evaluated.features))
        bare = changed(bare, reference=other.reference)
    assert compute(name, bare) == pytest.approx(compute(name, measured), rel=0, abs=0, nan_ok=True)


def test_cheap_metrics_are_measured_unless_others_are_named() -> None:
    measured = random_measured(10, 2)
    cheap = [name for name in METRICS if catalog.spec("metrics", name).cheap]
    found = measure(measured)
    assert list(found) == cheap
    assert found == {name: compute(name, measured) for name in cheap}
    assert set(measure(measured, METRICS)) == set(METRICS)


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_features_that_are_not_finite_have_no_metrics(split: str, value: float) -> None:
    measured = random_measured(11, 2)
    part = measured.reference if split == "train" else measured.evaluated
    part.features[3, 1] = value
    with pytest.raises(ValueError, match="not finite"):
        measure(measured)
