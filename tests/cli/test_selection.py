"""Which stored runs a command shows when none is named: the ones a reader would mean."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from lossbench.cli._selection import _pick
from lossbench.runs.config_builder import make_config


def stored(*configs):
    """Finished runs, oldest first."""
    return [SimpleNamespace(config=config) for config in configs]


def picked(runs, which, wanted=None):
    return [(run.config.loss, run.config.seed, run.config.feature_dim) for run in _pick(runs, wanted, which)]


def config(loss, seed=0, **options):
    return make_config(loss=loss, seed=seed, **options)


THREE = ["softmax", "center", "arcface"]


def test_compared_runs_were_trained_under_the_same_conditions():
    """A later run in three dimensions is not put beside two in the plane."""
    runs = stored(*map(config, THREE), config("arcface", feature_dim=3))
    assert picked(runs, "compared", THREE) == [(loss, 0, 2) for loss in THREE]


def test_of_two_complete_comparisons_the_newer_is_shown():
    runs = stored(*map(config, THREE), *(config(loss, feature_dim=3) for loss in THREE))
    assert picked(runs, "compared", THREE) == [(loss, 0, 3) for loss in THREE]


def test_a_loss_that_is_stored_under_other_conditions_alone_is_shown_too():
    runs = stored(config("softmax"), config("center"), config("arcface", feature_dim=3))
    assert picked(runs, "compared", THREE) == [("softmax", 0, 2), ("center", 0, 2), ("arcface", 0, 3)]


def test_the_newest_of_each_loss_in_the_order_asked_for():
    runs = stored(config("center", 3), config("softmax", 1), config("softmax", 2))
    assert picked(runs, "compared", ["softmax", "arcface", "center"]) == [("softmax", 2, 2), ("center", 3, 2)]


def test_seeds_are_all_those_of_the_newest_setting():
    runs = stored(config("center", 1), config("center", 0), config("center", 5, lam=0.1), config("center", 3))
    assert picked(runs, "seeds") == [("center", 0, 2), ("center", 1, 2), ("center", 3, 2)]


def test_a_sweep_is_shown_in_the_order_of_its_numbers():
    """0.00001 is written 1e-05, and comes before 0.001 all the same."""
    lams = (0.1, 0.00001, 0.001, 0.0)
    runs = stored(config("arcface"), *(config("center", seed, lam=lam) for lam in lams for seed in (1, 0)))
    shown = [(run.config.value_of("lambda"), run.config.seed) for run in _pick(runs, None, "all")]
    assert shown == [(lam, seed) for lam in sorted(lams) for seed in (0, 1)]


def test_every_run_means_every_loss_under_the_commonest_conditions():
    runs = stored(*(config(loss, seed) for loss in THREE for seed in (0, 1)), config("triplet", epochs=1))
    assert picked(runs, "every") == [(loss, seed, 2) for loss in sorted(THREE) for seed in (0, 1)]


def test_balanced_batches_are_no_other_condition():
    """Losses on pairs draw them by themselves, and are compared with the others for all that."""
    runs = stored(config("softmax"), config("triplet"), config("center"))
    assert {loss for loss, *_ in picked(runs, "every")} == {"softmax", "triplet", "center"}


@pytest.mark.parametrize("which", ["newest", "compared", "seeds", "all", "every"])
def test_one_run_is_enough_for_anything(which):
    assert picked(stored(config("center")), which) == [("center", 0, 2)]
