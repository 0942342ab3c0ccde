"""Timings of losses: what is timed, and beside what."""

from __future__ import annotations

import pytest
import torch

from lossbench import __version__
from lossbench.benchmarks import losses
from lossbench.benchmarks._timing import Timing
from lossbench.benchmarks.losses import BatchTimings, LossTiming, measure, to_benchmark
from lossbench.runs.config_builder import make_config
from lossbench.runs.result import Machine
from lossbench.specs import catalog

from ..losses.oracle import build


@pytest.fixture(scope="module")
def small():
    return measure(repeats=2, batch_size=20, names=("softmax", "arcface", "triplet"))


def test_times_every_named_loss_and_what_it_is_compared_with(small):
    lines = small.data["losses"]
    assert [line["loss"] for line in lines] == ["softmax", "arcface", "triplet"]
    assert [line["theirs"] is None for line in lines] == [True, False, False]
    assert (small.data["batch_size"], small.data["repeats"]) == (20, 2)
    default = small.data["batches"][1]
    assert [batch["batch_size"] for batch in small.data["batches"]] == [20, make_config().batch_size]
    assert [line["loss"] for line in default["losses"]] == ["softmax", "arcface", "triplet"]
    assert small.machine.threads == torch.get_num_threads()
    for found in (small.data["step"], *(line["ours"] for line in lines)):
        assert 0 < found["low"] <= found["median"] <= found["high"]


def test_every_counterpart_belongs_to_a_loss_and_computes():
    kinds = {catalog.load("losses", name).__name__: name for name in catalog.names("losses")}
    assert set(losses._COUNTERPARTS) <= set(kinds)
    for kind in losses._COUNTERPARTS:
        chosen = catalog.spec("losses", kinds[kind]).resolve(10, 2)
        name, other = losses._counterpart(kind, chosen, 20)
        assert other is not None, name
        x = torch.randn(20, 2, requires_grad=True)
        other(x, torch.arange(20) % 10).backward()
        assert torch.isfinite(x.grad).all(), name


SAME_FORMULA = ["arcface", "circle-pair", "coco", "cosface", "l-softmax", "lifted", "margin-pair", "modified-softmax",
                "normface", "proxy-anchor", "softtriple", "subcenter-arcface", "supcon", "triplet"]  # fmt: skip


@pytest.mark.parametrize("name", SAME_FORMULA)
def test_arguments_are_mapped(name):
    """Where both compute the same formula, the counterpart gives the same value (its own weights put in)."""
    x, y = torch.randn(20, 2), torch.arange(20) % 10
    ours = build(name)
    kind = type(ours).__name__
    _, theirs = losses._counterpart(kind, catalog.spec("losses", name).resolve(10, 2), 20)
    if hasattr(ours, "weight"):
        (own,) = theirs.parameters()
        weight = ours.weight.detach()
        own.data = weight.clone() if own.shape == weight.shape else weight.T.clone()
    torch.testing.assert_close(ours(x, y), theirs(x, y), rtol=5e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "arguments", "normalized"),
    [
        ("contrastive", {"pos_margin": 0, "neg_margin": 1.0}, False),
        ("multi-similarity", {"alpha": 2.0, "beta": 50.0, "base": 0.905}, True),
        ("n-pair", {}, False),
        ("proxy-nca", {"softmax_scale": 12.0}, True),
        ("sphereface", {"margin": 4, "scale": 1}, True),
    ],
)
def test_arguments_of_other_formulas(name, arguments, normalized):
    """They average over other pairs, or anneal: at our defaults for ten classes in the plane."""
    kind = type(build(name)).__name__
    _, theirs = losses._counterpart(kind, catalog.spec("losses", name).resolve(10, 2), 20)
    if name == "multi-similarity":
        assert theirs.miner.epsilon == 0.1
        theirs = theirs.loss
    assert {key: getattr(theirs, key) for key in arguments} == arguments
    assert theirs.distance.normalize_embeddings is normalized


@pytest.mark.parametrize(
    "kind,name", [("Triplet", "triplet"), ("Lifted", "lifted"), ("MarginPair", "margin-pair")]
)
def test_a_library_that_lists_all_triplets_is_not_run_on_large_batches(kind, name):
    chosen = catalog.spec("losses", name).resolve(10, 2)
    shown, other = losses._counterpart(kind, chosen, 257)
    assert shown.endswith("Loss (too large)") and other is None
    assert losses._counterpart(kind, chosen, 256)[1] is not None


def test_a_counterpart_that_does_less_says_so():
    chosen = catalog.spec("losses", "n-pair").resolve(10, 2)
    assert losses._counterpart("NPair", chosen, 20)[0] == "NPairsLoss (one pair per class)"


def test_without_the_library_there_is_no_counterpart(monkeypatch):
    monkeypatch.setattr(losses.importlib.util, "find_spec", lambda name: None)
    chosen = catalog.spec("losses", "supcon").resolve(10, 2)
    assert losses._counterpart("SupCon", chosen, 20) == ("SupConLoss", None)


def test_percent_of_a_step_and_ratio():
    machine = Machine("cpu", "A CPU", 2, "2", "3")
    found = [
        LossTiming("one", Timing(5.0, 4.0, 6.0), Timing(50, 40, 60), Timing(10.0, 9.0, 11.0), "OneLoss"),
        LossTiming("two", Timing(1.0, 1.0, 1.0), Timing(40, 40, 40), None, ""),
    ]
    made_up = to_benchmark(machine, [BatchTimings(1024, Timing(50.0, 40.0, 60.0), found)], 1024, repeats=9)
    first, second = made_up.table.rows
    assert first == ["one", "1024", "5.00", "4.00–6.00", "10.0", "OneLoss", "10.00", "2.0"]
    assert second == ["two", "1024", "1.00", "1.00–1.00", "2.5", "–", "–", "–"]
    lines = made_up.data["losses"]
    assert lines[0]["ratio"] == 2 and lines[0]["percent_of_step"] == 10
    assert lines[1]["theirs"] is None
    header = "loss|B|ms|middle half|% of a step|pytorch-metric-learning|ms|times ours"
    assert "|".join(made_up.table.header) == header
    assert made_up.conditions == (
        "Value and gradient for features of a batch of B, C = 10, D = 2, defaults throughout; medians of 9, in "
        "turns with pytorch-metric-learning and a training step of the default network, which takes 50.0 ms "
        f"(40.00–60.00) at B = 1024. A CPU, 2 threads; torch 2, Python 3, lossbench {__version__}."
    )
