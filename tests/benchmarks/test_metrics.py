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
    assert "200 test features" in found.conditions and "500 training features" in found.conditions


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
