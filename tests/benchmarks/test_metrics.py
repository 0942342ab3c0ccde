"""Timings of metrics: all of them, at the sizes asked for, and scikit-learn's is the same number."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.benchmarks import metrics
from lossbench.benchmarks.metrics import gaussian_classes, measure
from lossbench.errors import UsageError
from lossbench.metrics._measure import measure as values
from lossbench.specs import catalog


def test_every_metric_is_timed_alone_and_all_together():
    found = measure(repeats=2, tested=200, reference=500)
    lines = {line["metric"]: line for line in found.data["metrics"]}
    assert list(lines) == [*catalog.names("metrics"), "all cheap", "all"]
    for line in lines.values():
        assert 0 < line["ours"]["low"] <= line["ours"]["median"] <= line["ours"]["high"]
    assert {name for name, line in lines.items() if line["theirs"]} == set(metrics._COUNTERPARTS)
    assert [len(row) for row in found.table.rows] == [len(found.table.header)] * len(lines)
    header = "metric|measured|ms|middle half|scikit-learn ms|times ours"
    assert "|".join(found.table.header) == header
    assert found.conditions.startswith(
        "Metrics of 200 test features in the plane, of 10 classes, with 500 training features as reference; "
        "medians of 2, in turns with scikit-learn. Alone, each computes what others share with it; together it is "
        "computed once. "
    )
    kinds = {name: line["kind"] for name, line in lines.items()}
    assert [kinds[name] for name in ("gap", "nmi", "all")] == ["cheap", "on demand", "together"]
    measured = ("tested", "reference", "repeats", "unit")
    assert [found.data[key] for key in measured] == [200, 500, 2, "seconds"]
    for row, line in zip(found.table.rows, found.data["metrics"], strict=True):
        assert row[2] == f"{1000 * line['ours']['median']:.1f}"
        if line["theirs"]:
            assert row[4] == f"{1000 * line['theirs']['median']:.1f}"
            assert row[5] == f"{line['theirs']['median'] / line['ours']['median']:.1f}"
        else:
            assert row[4:] == ["–", "–"]


def test_each_turn_computes_anew(monkeypatch):
    made = []
    monkeypatch.setattr(metrics, "measure_together", lambda measured, names: made.append(measured._cache))
    measure(repeats=3, names=["gap"], tested=20, reference=20)
    assert len(made) == 4 and len({id(known) for known in made}) == 4  # one to warm up


def test_counterparts_compute_the_same():
    measured = gaussian_classes(300, 600)
    for name, theirs in metrics._COUNTERPARTS.items():
        own = values(measured, [name])[name]
        assert theirs(measured.evaluated, measured.reference) == pytest.approx(own, rel=1e-4), name


def test_features_are_the_same_ones_every_time_and_of_ten_classes():
    first, second = gaussian_classes(50, 70), gaussian_classes(50, 70)
    np.testing.assert_array_equal(first.evaluated.features, second.evaluated.features)
    assert first.evaluated.features.shape == (50, 2) and first.reference.features.shape == (70, 2)
    assert set(first.evaluated.labels) == set(range(10))
    assert set(first.available) == {"features", "reference", "scores", "probabilities", "predictions"}


def test_an_unknown_metric_is_refused():
    with pytest.raises(UsageError, match="metric"):
        measure(names=["gapp"])
