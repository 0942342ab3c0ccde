"""The speed of metrics, alone and together, compared with scikit-learn where it has the same.

Features are ten Gaussian classes in the plane, as many as MNIST has; the time depends on their number.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..files import plain
from ..metrics import MetricInput
from ..metrics import measure as measure_together
from ..records import Embedding
from ..runs.result import Machine
from ..specs import catalog
from ..tables import Table, number_text
from ..training.device import describe_machine
from ._timing import Task, Timing, thread_count, time_alternately, timing
from .result import Benchmark, machine_text

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
    measured = gaussian_classes(tested, reference)
    with thread_count(threads):
        timings = [
            _time_metric(name, "cheap" if spec.cheap else "on demand", [name], measured, repeats)
            for name, spec in specs.items()
        ]
        for title, several in (("all cheap", cheap), ("all", list(specs))):
            if len(several) > 1:
                timings.append(_time_metric(title, "together", several, measured, repeats))
        machine = describe_machine(torch.device("cpu"))
    return _to_benchmark(timings, machine, repeats, measured)


def gaussian_classes(tested: int, reference: int) -> MetricInput:
    """Features of ten classes around a circle, some of which overlap; nothing computed yet."""
    random = np.random.RandomState(0)
    turn = 2 * np.pi * np.arange(CLASSES) / CLASSES
    means = 5 * np.stack([np.cos(turn), np.sin(turn)], axis=1)

    def part(count: int) -> Embedding:
        labels = np.arange(count) % CLASSES
        features = (means[labels] + random.standard_normal((count, 2))).astype(np.float32)
        scores = -np.square(features[:, None] - means).sum(-1).astype(np.float32) / 2
        return Embedding(features, labels, scores.argmax(1), scores)

    return MetricInput(
        evaluated=part(tested),
        reference=part(reference)._replace(scores=None),
        classes=CLASSES,
        probabilities=True,
    )


def _time_metric(
    title: str, kind: str, names: Sequence[str], measured: MetricInput, repeats: int
) -> MetricTiming:
    # `measured` keeps what metrics share: each time has a new one
    tasks: list[Task] = [lambda: measure_together(dataclasses.replace(measured, _cache={}), names)]
    if title in _COUNTERPARTS:
        tasks.append(lambda: _COUNTERPARTS[title](measured.evaluated, measured.reference))
    ours, *theirs = (timing(seconds) for seconds in time_alternately(tasks, repeats, warm_up=1))
    return MetricTiming(title, kind, ours, theirs[0] if theirs else None)


def _to_benchmark(
    timings: Sequence[MetricTiming], machine: Machine, repeats: int, measured: MetricInput
) -> Benchmark:
    rows = [
        [
            each.metric,
            each.kind,
            *each.ours.scaled(1000).cells(1),
            number_text(1000 * each.theirs.median if each.theirs else math.nan, 1),
            number_text(each.theirs.median / each.ours.median if each.theirs else math.nan, 1),
        ]
        for each in timings
    ]
    header = ["metric", "measured", "ms", "middle half", "scikit-learn ms", "times ours"]
    tested, reference = len(measured.evaluated.labels), len(measured.reference.labels)
    conditions = (
        f"Metrics of {tested:,} test features in the plane, of {CLASSES} classes, with {reference:,} "
        f"training features as reference; medians of {repeats}, in turns with scikit-learn. Alone, each "
        f"computes what others share with it; together it is computed once. {machine_text(machine)}"
    )
    data = {
        "tested": tested,
        "reference": reference,
        "repeats": repeats,
        "unit": "seconds",
        "metrics": timings,
    }
    return Benchmark("metrics", machine, Table(header, rows), conditions, plain(data))


def _nearest_neighbours(count: int) -> Counterpart:
    def fitted(tested: Embedding, reference: Embedding) -> float:
        from sklearn.neighbors import KNeighborsClassifier

        model = KNeighborsClassifier(count).fit(reference.features, reference.labels)
        return float(model.score(tested.features, tested.labels))

    return fitted


def _nearest_centroid(tested: Embedding, reference: Embedding) -> float:
    from sklearn.neighbors import NearestCentroid

    model = NearestCentroid().fit(reference.features, reference.labels)
    return float(model.score(tested.features, tested.labels))


def _score_of_features(name: str) -> Counterpart:
    def score(tested: Embedding, _: Embedding) -> float:
        from sklearn import metrics

        return float(getattr(metrics, name)(tested.features, tested.labels))

    return score


_COUNTERPARTS: dict[str, Counterpart] = {
    "calinski-harabasz": _score_of_features("calinski_harabasz_score"),
    "davies-bouldin": _score_of_features("davies_bouldin_score"),
    "silhouette": _score_of_features("silhouette_score"),
    "nn-accuracy": _nearest_neighbours(1),
    "knn5-accuracy": _nearest_neighbours(5),
    "mean-accuracy": _nearest_centroid,
}
"""By the name of ours: scikit-learn's of the same formula, on (tested, reference)."""
