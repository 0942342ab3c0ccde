"""A sweep both ways: every second of a worker is accounted for, and memory is what it holds alone."""

from __future__ import annotations

import math
import mmap
import os
import subprocess
import sys

import pytest

from lossbench import __version__
from lossbench.benchmarks.sweep import SweepTiming, _time_sweep, _WorkerMonitor, measure, memory, to_benchmark
from lossbench.errors import RunError
from lossbench.runs.result import Machine
from lossbench.training.process import Placement

from ..helpers.runs import small

MACHINE = Machine("cpu", "A CPU", 2, "2", "3")
ALONE = SweepTiming("one after another", 1, 2, 4, 50.0, 0.0, 44.0, 4.0, 400_000, float("nan"), float("nan"))
TOGETHER = SweepTiming("2 workers", 2, 1, 4, 30.0, 10.0, 40.0, 6.0, 400_000, 530.0, 905.0)


def test_throughput_overhead_and_what_is_left_without_the_start():
    found = to_benchmark(small("softmax"), ALONE, TOGETHER, MACHINE)
    data = found.data["together"]
    assert data["ratio"] == pytest.approx(50 / 30)
    assert data["ratio_without_start"] == pytest.approx(50 / 25)  # five seconds per worker
    assert data["overhead"] == pytest.approx((60 - 10 - 40 - 6) / 4)
    assert data["overhead_share"] == pytest.approx(4 / 46)
    assert found.data["alone"]["overhead"] == pytest.approx(0.5)
    row = "4, 2 workers|2 x 1|30.0|13333|1.67|2.00|5.0|1.50|8.7|530|905"
    assert "|".join(found.table.rows[1]) == row
    assert found.table.rows[0][-2:] == ["–", "–"]
    header = (
        "runs|workers x threads|seconds|images/s|times alone|without start|start (s)|evaluation per run (s)"
    )
    assert "|".join(found.table.header) == f"{header}|overhead (%)|MB per worker, unique|resident"
    config = small("softmax")
    assert found.conditions.startswith(
        f"Runs of {config.epochs} epochs on digits, Softmax, network {config.network}, B = {config.batch_size}, "
        f"precision {config.precision}; the same ones one after another, in workers, in workers again and one "
        "after another again, in temporary folders. Start: until a worker trains. Evaluation: all splits, "
    )
    assert found.conditions.endswith(
        "as a part of training and evaluation. Unique memory: what no other process maps, at its most. A CPU, 2 "
        f"threads; torch 2, Python 3, lossbench {__version__}."
    )
    assert found.data["alone"]["judging"] == 4.0  # the name of the key in stored files


def test_two_rounds_add_up_to_one_batch():
    other = TOGETHER._replace(wall=50.0, start=12.0, unique=540.0)
    both = TOGETHER.combined_with(other)
    assert (both.runs, both.images, both.wall, both.start) == (8, 800_000, 80.0, 22.0)
    assert (both.unique, both.resident, both.workers) == (540.0, 905.0, 2)
    assert both.overhead == pytest.approx((TOGETHER.overhead + other.overhead) / 2)
    alone = ALONE.combined_with(ALONE)
    assert (alone.rate, alone.share) == (ALONE.rate, ALONE.share)
    row = to_benchmark(small("softmax"), alone, both, MACHINE).table.rows[1]
    assert row[:5] == ["8, 2 workers", "2 x 1", "80.0", "10000", "1.25"]
    assert row[6] == "5.5", "seconds of one worker's start"


@pytest.mark.slow
def test_runs_train_both_ways_and_workers_are_watched():
    configs = [small("softmax", epochs=1, seed=seed) for seed in (0, 1)]
    found = measure(configs, workers=2, placement=Placement("cpu", None, 1))
    for batch in (found.data["alone"], found.data["together"]):
        assert batch["images"] == 2 * 2 * 1200  # there and back; 1,253 images in batches of 100
        assert batch["runs"] == 4 and batch["training"] > 0 and batch["judging"] > 0
        assert 0 <= batch["start"] < batch["wall"] * batch["workers"]
        assert batch["overhead"] >= 0
    together = found.data["together"]
    assert together["start"] > 1  # torch is imported meanwhile, once for both
    assert 100 < together["unique"] < 450  # MB per worker: the libraries are shared
    assert together["unique"] < together["resident"]


def test_one_after_another_every_second_has_its_place():
    configs = [small("softmax", epochs=1, seed=seed) for seed in (0, 1)]
    batch = _time_sweep("alone", configs, 1, Placement("cpu", None, 1))
    assert (batch.runs, batch.workers, batch.threads, batch.images) == (2, 1, 1, 2400)
    assert 0 <= batch.start < batch.wall
    assert batch.training > 0 and batch.evaluation > 0
    assert 0 <= batch.overhead < batch.wall / 2
    assert math.isnan(batch.unique)


def test_a_run_that_fails_ends_the_measurement(tmp_path):
    with pytest.raises(RunError, match="failed: --batch-size 5000"):
        measure([small("softmax", batch_size=5000)], workers=1, placement=Placement("cpu", None, 1))


def test_memory_that_processes_share_is_not_unique(tmp_path):
    """A mapped file of 64 MB is resident here; with a second process that maps it, it is unique to none."""
    path, size = tmp_path / "shared", 64 << 20
    path.write_bytes(bytes(size))
    reader = (
        "import mmap, sys; file = open(sys.argv[1], 'rb'); "
        "held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ); sum(held[::4096]); "
        "print('read', flush=True); sys.stdin.read()"
    )
    before = memory(os.getpid())
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as held:
        assert sum(held[::4096]) == 0
        own = memory(os.getpid())
        command = [sys.executable, "-c", reader, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
            other.stdout.readline()
            both = memory(os.getpid())
            other.stdin.close()
    assert own["resident"] - before["resident"] > 60
    assert own["unique"] - before["unique"] > 60
    assert both["unique"] - before["unique"] < 10
    assert both["resident"] - before["resident"] > 60
    assert memory(2**22 + 1) == {}


def test_only_the_first_run_of_each_worker_is_its_start():
    watch = _WorkerMonitor(["a", "b"])
    for run in ("a", "c", "b", "a"):
        watch.started(run, 1, 1, 0)
    assert list(watch.first) == ["a", "b"]
    assert watch() is False
