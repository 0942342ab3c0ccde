"""The parts of the benchmark are those that its protocol states."""

from __future__ import annotations

from collections import Counter

import numpy as np

from lossbench.experiments.loss_benchmark import (
    METRICS,
    OPEN_SETS,
    PARTS,
    TUNING_SEEDS,
    UNSEEN_METRICS,
)
from lossbench.reports.loss_benchmark.findings import FINDINGS
from lossbench.specs import catalog
from lossbench.specs.quantities import parse_metrics

from ..helpers.pages import ROOT

PROTOCOL = " ".join((ROOT / "results" / "published" / "PROTOCOL.md").read_text(encoding="utf-8").split())


def test_the_protocol_names_parts_metrics_and_splits() -> None:
    assert f"METRICS is `{','.join(METRICS)}`." in PROTOCOL
    assert f"UNSEEN is `{','.join(UNSEEN_METRICS)}`." in PROTOCOL
    assert all(f"| {name} |" in PROTOCOL for name in PARTS)
    assert all(f"`{split}`" in PROTOCOL for split in OPEN_SETS)
    assert f"seeds {' and '.join(map(str, TUNING_SEEDS))}" in PROTOCOL
    assert f"{PARTS['tuning'].trials} trials of each loss" in PROTOCOL
    assert parse_metrics(",".join([*METRICS, *UNSEEN_METRICS]), unseen=True) == (*METRICS, *UNSEEN_METRICS)
    assert [f"{number}. " in PROTOCOL for number in range(1, len(FINDINGS) + 1)] == [True] * 10


def test_the_axes_and_settings_of_parts() -> None:
    assert {name: dict(part.axes) for name, part in PARTS.items() if part.axes} == {
        "open-set": {"unseen": OPEN_SETS},
        "dimensions": {"feature_dim": (2, 3, 8, 64)},
        "digits": {"dataset": ("digits",)},
        "fashion-mnist": {"dataset": ("fashion-mnist",)},
    }
    assert [name for name, part in PARTS.items() if part.settings != "defaults"] == ["tuning", "tuned"]
    assert [name for name, part in PARTS.items() if part.metrics != METRICS] == ["open-set"]


def test_the_open_sets_are_the_draw_that_the_protocol_describes() -> None:
    random = np.random.default_rng(0)
    while True:
        splits = np.concatenate([random.permutation(10), random.permutation(10)]).reshape(5, 4)
        if all(len(set(split)) == 4 for split in splits):
            break
    assert [",".join(map(str, sorted(split))) for split in splits] == list(OPEN_SETS)
    assert set(Counter(",".join(OPEN_SETS).split(",")).values()) == {2}


def test_no_comparison_uses_a_seed_of_the_search() -> None:
    for part in PARTS.values():
        if part.settings != "search":
            assert not set(part.seeds) & set(TUNING_SEEDS)


def test_every_loss_is_run_in_every_block_with_every_seed() -> None:
    losses, counts = set(catalog.names("losses")), {"open-set": 25, "fashion-mnist": 10}
    for name, part in PARTS.items():
        if part.settings == "search":
            assert {study.loss for study in part.studies()} == losses
            continue
        configs = part.configs(part.seeds)
        assert set(configs) == losses
        assert {len(group) for group in configs.values()} == {counts.get(name, 20)}
        assert {len(group) for group in part.configs([0, 1, 777]).values()} == {
            counts.get(name, 20) // len(part.seeds) * 2
        }
