"""How long each metric takes, alone and together, beside scikit-learn's where it has the same.

Features are ten Gaussian classes in the plane, as many as MNIST has: what they look like matters little, how
many there are a lot.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..metrics import measure as measure_together
from ..records import Embedding, Measured
from ..runs.result import Machine
from ..specs import catalog
from ..tables import Table, number_text
from ..training.device import describe_machine
from ._timing import Timing, Work, in_turns, spread, threads_set, timing
from .result import Benchmark, on_machine

TESTED, REFERENCE, CLASSES = 10_000, 55_000, 10
Counterpart = Callable[[Embedding, Embedding], float]


class MetricTiming(NamedTuple):
    """Seconds of one metric, or of several together; of scikit-learn's (None: there is none)."""

    metric: str
    kind: str
    ours: Timing
    theirs: Timing | None


def measure(
    *,
    repeats: int = 3,
    threads: int | None = None,
    names: Sequence[str] | None = None,
    tested: int = TESTED,
    reference: int = REFERENCE,
) -> Benchmark:
    """Time the metrics of the catalogue (or `names`). Raises UsageError for an unknown name."""
    specs = {name: catalog.spec("metrics", name) for name in names or catalog.names("metrics")}
    cheap = [name for name, spec in specs.items() if spec.cheap]
    measured = clouds(tested, reference)
    with threads_set(threads):
        found = [
            _timed(name, "cheap" if spec.cheap else "on demand", [name], measured, repeats)
            for name, spec in specs.items()
        ]
        for title, several in (("all cheap", cheap), ("all", list(specs))):
            if len(several) > 1:
                found.append(_timed(title, "together", several, measured, repeats))
        machine = describe_machine(torch.device("cpu"))
    return _told(found, machine, repeats, measured)


def clouds(tested: int, reference: int) -> Measured:
    """Features of ten classes around a circle, some of which overlap; nothing computed yet."""
    random = np.random.RandomState(0)
    turn = 2 * np.pi * np.arange(CLASSES) / CLASSES
    means = 5 * np.stack([np.cos(turn), np.sin(turn)], axis=1)

    def part(count: int) -> Embedding:
        labels = np.arange(count) % CLASSES
        features = (means[labels] + random.standard_normal((count, 2))).astype(np.float32)
        scores = -np.square(features[:, None] - means).sum(-1).astype(np.float32) / 2
        return Embedding(features, labels, scores.argmax(1), scores)

    return Measured(
        tested=part(tested),
        reference=part(reference)._replace(scores=None),
        classes=CLASSES,
        probabilities=True,
    )


def _timed(title: str, kind: str, names: Sequence[str], measured: Measured, repeats: int) -> MetricTiming:
    # what metrics share is remembered by what they measure: each turn has a new one
    works: list[Work] = [lambda: measure_together(dataclasses.replace(measured, _known={}), names)]
    if title in _COUNTERPARTS:
        works.append(lambda: _COUNTERPARTS[title](measured.tested, measured.reference))
    ours, *theirs = (timing(taken) for taken in in_turns(works, repeats, warm_up=1))
    return MetricTiming(title, kind, ours, theirs[0] if theirs else None)


def _told(found: Sequence[MetricTiming], machine: Machine, repeats: int, measured: Measured) -> Benchmark:
    rows = [
        [
            each.metric,
            each.kind,
            number_text(1000 * each.ours.median, 1),
            spread(each.ours.times(1000), 1),
            number_text(1000 * each.theirs.median if each.theirs else math.nan, 1),
            number_text(each.theirs.median / each.ours.median if each.theirs else math.nan, 1),
        ]
        for each in found
    ]
    header = ["metric", "measured", "ms", "middle half", "scikit-learn ms", "times ours"]
    tested, reference = len(measured.tested.labels), len(measured.reference.labels)
    conditions = (
        f"Metrics of {tested:,} test features in the plane, of {CLASSES} classes, with {reference:,} "
        f"training features as reference; medians of {repeats}, in turns with scikit-learn. Alone, each "
        f"computes what others share with it; together it is computed once. {on_machine(machine)}"
    )
    lines = [
        each._asdict()
        | {"ours": each.ours._asdict(), "theirs": each.theirs._asdict() if each.theirs else None}
        for each in found
    ]
    data = {"tested": tested, "reference": reference, "repeats": repeats, "unit": "seconds", "metrics": lines}
    return Benchmark("metrics", machine, Table(header, rows), conditions, data)


def _neighbours(count: int) -> Counterpart:
    def fitted(tested: Embedding, reference: Embedding) -> float:
        from sklearn.neighbors import KNeighborsClassifier

        model = KNeighborsClassifier(count).fit(reference.features, reference.labels)
        return float(model.score(tested.features, tested.labels))

    return fitted


def _centroid(tested: Embedding, reference: Embedding) -> float:
    from sklearn.neighbors import NearestCentroid

    model = NearestCentroid().fit(reference.features, reference.labels)
    return float(model.score(tested.features, tested.labels))


def _of_features(name: str) -> Counterpart:
    def score(tested: Embedding, _: Embedding) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(tested.features, tested.labels))

    return score


_COUNTERPARTS: dict[str, Counterpart] = {
    "calinski-harabasz": _of_features("calinski_harabasz_score"),
    "davies-bouldin": _of_features("davies_bouldin_score"),
    "silhouette": _of_features("silhouette_score"),
    "nn-accuracy": _neighbours(1),
    "knn5-accuracy": _neighbours(5),
    "mean-accuracy": _centroid,
}
"""By the name of ours: scikit-learn's of the same formula, on (tested, reference)."""
