"""Losses against a baseline: paired by seed, one family, sides, and nothing dropped in silence."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lossbench.errors import UsageError
from lossbench.experiments.comparison import (
    ComparisonRow,
    compare_losses,
    family_size,
    mean_scores,
    unique_labels,
)
from lossbench.runs.config_builder import make_config
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import RunResult, Status
from lossbench.specs import catalog
from lossbench.specs.quantities import (
    column_title,
    higher_is_better,
    metric_name,
    metric_title,
    parse_metrics,
)
from lossbench.statistics.paired import holm, seeds_needed, sign_flip_test

Values = Mapping[int, float | None]
UP = {seed: 0.80 + 0.01 * seed for seed in range(8)}
STEPS = [0.020, 0.021, 0.022, 0.023, 0.024, 0.025, 0.026, 0.027]


def outcomes(loss: str, values: Values, dataset: str = "digits", **metrics: Values) -> list[Outcome]:
    """Hand-made results by seed; a run without a test accuracy failed."""
    made = []
    for seed, value in values.items():
        config = dataclasses.replace(make_config(loss=loss, dataset=dataset), seed=seed)
        own = {name.replace("_", "-"): numbers.get(seed) for name, numbers in metrics.items()}
        status = Status.FAILED if value is None else Status.DONE
        result = RunResult(run=config.run_name, status=status, test_accuracy=value, seconds=2.0, metrics=own)
        made.append(Outcome(config, status, None if value is None else result))
    return made


def shifted(values: Mapping[int, float], steps: list[float], sign: float = 1) -> dict[int, float]:
    return {seed: value + sign * step for (seed, value), step in zip(values.items(), steps, strict=True)}


def compare(groups: Any, baseline: str = "softmax", metrics: Any = ("test_accuracy",)) -> list[ComparisonRow]:
    return compare_losses(groups, baseline, metrics, ("digits",))


def only(rows: list[ComparisonRow]) -> ComparisonRow:
    (row,) = rows
    return row


def test_differences_are_loss_minus_baseline_by_seed() -> None:
    shuffled = {seed: shifted(UP, STEPS)[seed] for seed in (5, 2, 7, 0, 1, 6, 4, 3)}
    row = only(compare({"softmax": outcomes("softmax", UP), "center": outcomes("center", shuffled)}))
    assert (row.dataset, row.metric, row.baseline, row.loss) == (
        "digits",
        "test_accuracy",
        "softmax",
        "center",
    )
    assert (row.baseline_label, row.title, row.label) == ("Softmax", "Center", "Center")
    np.testing.assert_allclose(row.paired.differences, STEPS, rtol=1e-12)
    assert (row.done, row.failed, row.paired.n, row.paired.unpaired) == (8, 0, 8, 0)
    assert row.missing == ""
    low, high = stats.t.interval(0.95, 7, loc=np.mean(STEPS), scale=stats.sem(STEPS))
    assert row.paired.difference.mean == pytest.approx(np.mean(STEPS))
    assert row.paired.difference.half_width == pytest.approx((high - low) / 2)
    assert (row.verdict, row.paired.probability) == ("better", 1)


def test_the_family_is_every_metric_and_every_data_set() -> None:
    random = np.random.RandomState(0)

    def runs(loss: str) -> list[Outcome]:
        return [
            outcome
            for dataset in ("digits", "kmnist")
            for outcome in outcomes(
                loss,
                dict(enumerate(random.uniform(0.5, 1, 7))),
                dataset,
                gap=dict(enumerate(random.uniform(1, 2, 7))),
            )
        ]

    groups = {name: runs(name) for name in ("softmax", "center", "arcface")}
    rows = compare_losses(groups, "softmax", ("test_accuracy", "gap"), ("digits", "kmnist"))
    assert [(row.dataset, row.metric, row.loss) for row in rows] == [
        (dataset, metric, loss)
        for dataset in ("digits", "kmnist")
        for metric in ("test_accuracy", "gap")
        for loss in ("center", "arcface")
    ]
    assert len(rows) == family_size(rows) == 8
    raw = [sign_flip_test(row.paired.differences).p for row in rows]
    assert [row.p_holm for row in rows] == holm(raw)
    for row in rows:
        assert row.needed == seeds_needed(row.paired.differences, level=0.05 / 8)


def test_comparisons_that_could_not_be_made_do_not_count_in_the_family() -> None:
    """Calibration exists only where there are probabilities; a loss without any is no test made."""
    calibrated = {seed: 0.1 + 0.01 * seed for seed in range(8)}
    groups = {
        "softmax": outcomes("softmax", UP, ece=calibrated),
        "arcface": outcomes("arcface", shifted(UP, STEPS), ece=shifted(calibrated, STEPS)),
        "triplet": outcomes("triplet", shifted(UP, STEPS, -1), ece=dict.fromkeys(range(8), None)),
    }
    rows = compare(groups, metrics=("test_accuracy", "ece"))
    assert family_size(rows) == 3
    made, _, _, missing = rows
    assert (missing.done, missing.failed, missing.paired.n, missing.paired.unpaired) == (8, 0, 0, 8)
    assert (missing.verdict, missing.needed) == (None, None)
    assert math.isnan(missing.p_holm)
    assert made.p_holm == pytest.approx(3 * made.paired.p)
    assert made.needed == seeds_needed(STEPS, level=0.05 / 3)
    assert [row.verdict for row in rows[:2]] == ["better", "worse"]


@pytest.mark.parametrize(
    ("metric", "verdict"),
    [
        ("test_accuracy", "better"),
        ("gap", "better"),
        ("spread-gap", "worse"),
        ("ece", "worse"),
        ("eer", "worse"),
    ],
)
def test_verdicts_turn_round_where_less_is_better(metric: str, verdict: str) -> None:
    name = {metric.replace("-", "_"): UP}
    above = {metric.replace("-", "_"): shifted(UP, STEPS)}
    if metric == "test_accuracy":
        low, high = outcomes("softmax", UP), outcomes("center", above[metric])
    else:
        low, high = outcomes("softmax", UP, **name), outcomes("center", UP, **above)
    groups = {"softmax": low, "center": high}
    row = only(compare(groups, metrics=(metric,)))
    assert min(row.paired.differences) > 0, "differences are never turned round"
    assert row.verdict == verdict
    assert row.paired.probability == (1 if verdict == "better" else 0)
    other = only(compare(groups, "center", (metric,)))
    assert other.verdict == {"better": "worse", "worse": "better"}[verdict]


def test_less_time_is_better_and_more_images_per_second_are() -> None:
    assert higher_is_better("seconds") is False
    assert higher_is_better("images_per_second") is True
    assert higher_is_better("unseen-eer") is False
    assert higher_is_better("unseen-map-at-r") is True
    for name in catalog.names("metrics"):
        assert higher_is_better(name) is catalog.spec("metrics", name).higher_is_better


def test_metrics_with_no_better_side_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = dataclasses.replace(catalog.spec("metrics", "spread"), higher_is_better=None)
    known = catalog.spec
    monkeypatch.setattr(
        catalog, "spec", lambda *name: spec if name == ("metrics", "spread") else known(*name)
    )
    groups = {
        "softmax": outcomes("softmax", UP, spread=UP),
        "center": outcomes("center", UP, spread=shifted(UP, STEPS)),
    }
    assert only(compare(groups, metrics=("spread", "test_accuracy"))).metric == "test_accuracy"
    assert compare(groups, metrics=["spread"]) == []


def test_failed_and_diverged_runs_are_counted_and_their_seeds_unpaired() -> None:
    groups = {
        "softmax": outcomes("softmax", {**UP, 6: None}),
        "center": outcomes("center", {**shifted(UP, STEPS), 1: None, 2: None}),
    }
    groups["center"][1] = groups["center"][1]._replace(status="diverged", result={"status": "diverged"})
    row = only(compare(groups))
    assert (row.done, row.failed, row.missing) == (6, 2, "2 of 8 failed")
    assert (row.paired.n, row.paired.unpaired) == (5, 3)
    np.testing.assert_allclose(row.paired.differences, [STEPS[seed] for seed in (0, 3, 4, 5, 7)])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_unpairs_its_seed(bad: float) -> None:
    """Fresh from training an undefined metric is NaN or infinite, read back from its file it is missing."""
    own, base = {**shifted(UP, STEPS), 2: bad}, {**UP, 3: bad, 4: -bad}
    fresh = {"softmax": outcomes("softmax", UP, gap=base), "center": outcomes("center", UP, gap=own)}
    row = only(compare(fresh, metrics=("gap",)))
    assert (row.paired.n, row.paired.unpaired, row.missing) == (5, 3, "5 of 8 paired")
    stored = {
        "softmax": outcomes("softmax", UP, gap={**base, 3: None, 4: None}),
        "center": outcomes("center", UP, gap={**own, 2: None}),
    }
    assert only(compare(stored, metrics=("gap",))) == row
    assert mean_scores(fresh, "gap", ("digits",)) is not None
    assert np.isfinite(mean_scores(fresh, "gap", ("digits",))).all()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_baseline_can_stand_anywhere(place: int) -> None:
    names = ["center", "arcface"]
    names.insert(place, "softmax")
    steps = {"softmax": [0.0] * 8, "center": STEPS, "arcface": [-step for step in STEPS]}
    groups = {name: outcomes(name, shifted(UP, steps[name])) for name in names}
    assert [(row.loss, row.verdict) for row in compare(groups)] == [
        ("center", "better"),
        ("arcface", "worse"),
    ]


def test_a_baseline_that_always_failed_decides_nothing() -> None:
    groups = {"softmax": outcomes("softmax", dict.fromkeys(UP)), "center": outcomes("center", UP)}
    row = only(compare(groups))
    assert row.baseline == "softmax"
    assert (row.verdict, row.paired.n, row.paired.unpaired) == (None, 0, 8)
    assert math.isnan(row.p_holm)
    assert mean_scores(groups, "test_accuracy", ("digits",)) is None


def test_results_of_an_older_version_have_no_new_metric() -> None:
    groups = {"softmax": outcomes("softmax", UP), "center": outcomes("center", UP)}
    row = only(compare(groups, metrics=("map-at-r",)))
    assert (row.done, row.paired.n, row.verdict) == (8, 0, None)


def test_mean_scores_by_data_set() -> None:
    groups = {
        name: [*outcomes(name, {0: first, 1: first + 0.1, 2: None}), *outcomes(name, {0: second}, "kmnist")]
        for name, first, second in (("softmax", 0.5, 0.7), ("center", 0.6, 0.8))
    }
    scores = mean_scores(groups, "test_accuracy", ("kmnist", "digits"))
    np.testing.assert_allclose(scores, [[0.7, 0.8], [0.55, 0.65]])
    assert mean_scores(groups, "test_accuracy", ("kmnist", "mnist")) is None


def test_lists_of_metrics() -> None:
    assert parse_metrics("map-at-r", unseen=False) == ("map-at-r",)
    assert parse_metrics(" gap , test_accuracy,gap", unseen=False) == ("gap", "test_accuracy")
    assert parse_metrics("unseen-map-at-r,seconds", unseen=True) == ("unseen-map-at-r", "seconds")
    every = parse_metrics("all", unseen=False)
    assert every[0] == "test_accuracy"
    needs = {name: catalog.spec("metrics", name).needs for name in catalog.names("metrics")}
    attacks = {name for name in needs if needs[name] == "images"}  # they take seconds for each run
    assert set(every) == {"test_accuracy", *needs} - {"accuracy"} - attacks, "the same number twice"
    assert len(set(every)) == len(every)
    assert not any(name.startswith("unseen-") for name in every)
    apart = set(parse_metrics("all", unseen=True)) - set(every)
    assert apart == {f"unseen-{name}" for name in needs if "features" in needs[name].split()}


@pytest.mark.parametrize(
    ("text", "unseen", "sentence"),
    [
        ("map-at-rr", False, "Unknown metric 'map-at-rr'; did you mean map-at-r"),
        ("test_acuracy", False, "did you mean test_accuracy"),
        ("unseen-map-at-r", False, r"--metric unseen-map-at-r needs classes kept out of training: --unseen"),
        ("unseen-nll", True, "Unknown metric 'unseen-nll'"),  # needs scores: there are none of unseen classes
        ("unseen-test_accuracy", True, "Unknown metric"),
        ("gap,", False, "Unknown metric ''"),
        ("gap,all", False, "Unknown metric 'all'"),
    ],
)
def test_unknown_metrics_are_refused(text: str, unseen: bool, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        parse_metrics(text, unseen=unseen)


def test_every_metric_has_a_heading_and_a_name() -> None:
    for name in parse_metrics("all", unseen=True):
        assert column_title(name)
        assert "%" not in metric_name(name)
        assert "(%)" in column_title(name) or "accuracy" not in metric_name(name)
    assert column_title("test_accuracy") == "test (%)"
    assert metric_title("test_accuracy") == "test accuracy (%)"
    assert metric_title("spread-gap") == "spread/gap"
    assert column_title("unseen-map-at-r") == "unseen MAP@R"
    assert metric_name("test_accuracy") == "test accuracy"
    assert metric_name("unseen-map-at-r") == "unseen MAP@R"


def test_labels_tell_equal_titles_apart() -> None:
    configs = [
        make_config(loss=loss, lam=lam) for loss, lam in (("softmax", None), ("center", 0.1), ("center", 0.2))
    ]
    assert unique_labels(configs) == ["Softmax", "Center (λ = 0.1)", "Center (λ = 0.2)"]
    assert unique_labels(configs[:2]) == ["Softmax", "Center"]
