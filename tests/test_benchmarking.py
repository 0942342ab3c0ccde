"""Timings of losses: what is timed, beside what, and the one section of the file that they own."""

from __future__ import annotations

import pytest
import torch

from lossbench import benchmarking, catalog
from lossbench.benchmarking import Benchmark, LossTiming, Timing, loss_table, measure_losses, write_section
from lossbench.errors import RunError

from .losses.oracle import build


@pytest.fixture(scope="module")
def small():
    return measure_losses(repeats=2, batch_size=20, names=("softmax", "arcface", "triplet"))


def made_up(device_name="A CPU (R) @ 2 GHz"):
    machine = {"device_name": device_name, "threads": 2, "torch": "2", "python": "3"}
    losses = [
        LossTiming("one", Timing(5.0, 4.0, 6.0), Timing(10.0, 9.0, 11.0), "OneLoss"),
        LossTiming("two", Timing(1.0, 1.0, 1.0), None, ""),
    ]
    return Benchmark(machine, 1024, 9, Timing(50.0, 40.0, 60.0), losses)


def test_times_every_named_loss_and_what_it_is_compared_with(small):
    assert [timing.loss for timing in small.losses] == ["softmax", "arcface", "triplet"]
    assert [timing.theirs is None for timing in small.losses] == [True, False, False]
    assert (small.batch_size, small.repeats, small.machine["threads"]) == (20, 2, torch.get_num_threads())
    for timing in (small.step, *(each.ours for each in small.losses)):
        assert 0 < timing.low <= timing.median <= timing.high


def test_every_counterpart_belongs_to_a_loss_and_computes():
    kinds = {catalog.load("losses", name).__name__: name for name in catalog.names("losses")}
    assert set(benchmarking._COUNTERPARTS) <= set(kinds)
    for kind in benchmarking._COUNTERPARTS:
        chosen = catalog.spec("losses", kinds[kind]).resolve(10, 2)
        name, other = benchmarking._counterpart(kind, chosen, 20)
        assert other is not None, name
        x = torch.randn(20, 2, requires_grad=True)
        other(x, torch.arange(20) % 10).backward()
        assert torch.isfinite(x.grad).all(), name


@pytest.mark.parametrize("name", ["cosface", "multi-similarity", "triplet"])
def test_arguments_are_mapped(name):
    """Where both compute the same formula, the counterpart gives the same value (its own weights put in)."""
    x, y = torch.randn(20, 2), torch.arange(20) % 10
    ours = build(name)
    kind = type(ours).__name__
    _, theirs = benchmarking._counterpart(kind, catalog.spec("losses", name).resolve(10, 2), 20)
    if hasattr(ours, "weight"):
        theirs.W.data = ours.weight.detach().T.clone()
    expected = theirs(x, y)
    if name == "multi-similarity":
        return  # its default reducer leaves out zeros: the miner and the scales are what is mapped
    torch.testing.assert_close(ours(x, y), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind,name", [("Triplet", "triplet"), ("Lifted", "lifted")])
def test_a_library_that_lists_all_triplets_is_not_run_on_large_batches(kind, name):
    chosen = catalog.spec("losses", name).resolve(10, 2)
    assert benchmarking._counterpart(kind, chosen, 1024)[1] is None


def test_without_the_library_there_is_no_counterpart(monkeypatch):
    monkeypatch.setattr(benchmarking.importlib.util, "find_spec", lambda name: None)
    chosen = catalog.spec("losses", "supcon").resolve(10, 2)
    assert benchmarking._counterpart("SupCon", chosen, 20) == ("SupConLoss", None)


def test_percent_of_a_step_and_ratio():
    first, second = loss_table(made_up()).rows
    assert first == ["one", "5.00", "4.00–6.00", "10.0", "OneLoss", "10.00", "2.0"]
    assert second == ["two", "1.00", "1.00–1.00", "2.0", "–", "–", "–"]
    document = benchmarking.document(made_up())
    assert document["losses"][0]["ratio"] == 2 and document["losses"][0]["percent_of_step"] == 10
    assert document["losses"][1]["theirs"] is None


def test_only_its_own_section_is_replaced(tmp_path):
    path = write_section(tmp_path, made_up(), "losses", "lossbench bench losses")
    assert path == tmp_path / "benchmarks" / "a-cpu-r-2-ghz.md"
    first = path.read_text()
    assert first.startswith("# Benchmarks on A CPU (R) @ 2 GHz\n\n## losses\n| loss |")
    path.write_text(
        first.replace("## losses\n", "## before\nkept\n\n## losses\nold\n") + "\n## lossesque\nkept too\n"
    )
    write_section(tmp_path, made_up(), "losses", "again")
    text = path.read_text()
    assert "## before\nkept\n\n## losses\n| loss |" in text
    assert "`again`\n\n## lossesque\nkept too\n" in text
    assert "old" not in text and text.count("## losses\n") == 1
    write_section(tmp_path, made_up(), "losses", "again")
    assert path.read_text() == text


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "a-cpu-r-2-ghz.md").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(RunError, match="cannot be read"):
        write_section(tmp_path, made_up(), "losses", "")


def test_spread_is_the_middle_half():
    assert benchmarking._timing([1.0, 2.0, 3.0, 4.0, 100.0]) == Timing(3.0, 2.0, 4.0)
    assert benchmarking._timing([7.0]) == Timing(7.0, 7.0, 7.0)
