"""What `bench gpu` measures, on a CPU: the parts need a GPU for their numbers, not for what they compute."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from lossbench.__main__ import main
from lossbench.benchmarks import _trainers, gpu
from lossbench.errors import Diverged, UsageError
from lossbench.runs.config_builder import make_config
from lossbench.training.process import Placement

HERE = Placement("cpu", None, 1)


@pytest.fixture
def on_digits(monkeypatch):
    """Small networks and data in place of the default ones."""
    make = gpu.make_config
    small = {"dataset": "digits", "batch_size": 40, "network": "linear", "precision": "fp32"}
    monkeypatch.setattr(gpu, "make_config", lambda **options: make(**{**small, **options}))
    monkeypatch.setattr(gpu, "_EQUAL_STEPS", 3)


def test_packs_are_equal_to_their_runs_alone(on_digits, monkeypatch):
    timed, measured = gpu.time_alternately, []
    monkeypatch.setattr(
        gpu, "time_alternately", lambda *a, **k: measured.append(timed(*a, **k)) or measured[-1]
    )
    found = gpu.packs(2, HERE, (1, 3))
    for row, seconds in zip(found.table.rows, measured, strict=True):
        together, alone, first = map(np.median, seconds)
        assert row[3:5] == [f"{alone / together:.1f}", f"{together / first:.1f}"]
    assert [pack["runs"] for pack in found.data["packs"]] == [1, 3]
    assert [pack["differences"] for pack in found.data["packs"]] == [[0.0], [0.0] * 3]
    assert found.table.rows[1][6:] == ["3 of 3", "0.0e+00"]
    header = "runs|step of all (ms)|one after another (ms)|times faster|times one run|memory (MiB)|equal runs"
    assert "|".join(found.table.header) == f"{header}|largest difference"
    assert found.table.rows[0][0] == "1" and found.table.rows[0][5] == "–"
    assert found.heading == "gpu packs"
    assert "softmax, center" in found.conditions and "lossbench" in found.conditions
    assert f"Medians of 2 turns of {gpu.STEPS} steps." in found.conditions


def test_a_pack_that_changes_a_run_is_noticed(on_digits, monkeypatch):
    class Wrong(_trainers.StepGraph):
        def step(self, trainers):
            errors = super().step(trainers)
            for trainer in trainers[1:]:
                trainer.batch_indices.add_(1)
            return errors

    monkeypatch.setattr(_trainers, "StepGraph", Wrong)
    first, second = gpu.packs(1, HERE, (2,)).data["packs"][0]["differences"]
    assert first == 0 and second > 1e-4


def test_an_error_of_a_recorded_step_is_raised(monkeypatch):
    monkeypatch.setattr(
        _trainers.StepGraph, "step", lambda self, trainers: {trainers[0]: Diverged("at once")}
    )
    with pytest.raises(Diverged, match="at once"):
        _trainers.recorded_steps(["a run"])()


def test_each_column_of_graphs_is_its_own_time(on_digits, monkeypatch):
    """Without the minutes that compilation takes."""
    measured = [[0.004], [0.016], [0.008], [0.0004]]  # of a turn of four steps
    monkeypatch.setattr(gpu, "time_alternately", lambda *a, **k: measured)
    monkeypatch.setattr(torch, "compile", lambda network, mode="": network)
    found = gpu.graphs(5, HERE, ("mlp",))
    header = "network|one kernel after another (ms)|graph (ms)|compiled network, graph (ms)"
    assert "|".join(found.table.header) == f"{header}|network by reduce-overhead (ms)|compilation (s)"
    assert found.table.rows[0][:5] == ["mlp", "1.000", "2.000", "0.100", "4.000"]
    assert [each["median"] for each in found.data["networks"][0]["times"]] == [1, 2, 0.1, 4]
    assert found.conditions.startswith(
        "`torch.compile` with its defaults, and with mode reduce-overhead of the network alone. Medians of 5 turns "
    )


def test_comparisons_are_whole_commands(monkeypatch):
    """Without the hour that they take on a processor."""
    started = []

    def run(command, **options):
        started.append(command[1:])
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(gpu.subprocess, "run", run)
    found = gpu.comparisons(1, HERE._replace(data_dir=Path("there")))
    words = [each[: each.index("--device")] for each in started]
    assert words == [
        ["-m", "lossbench", "compare", "--losses", "softmax,center,arcface"],
        ["-m", "lossbench", "compare", "--losses", "all", "--seeds", "0-9"],
    ]
    assert all(each[-2:] == ["--data-dir", "there"] and each[-5] == "cpu" for each in started)
    assert "|".join(found.table.header) == "command|complete runs|seconds|exit code"
    first = found.table.rows[0]
    assert (first[0], first[1], first[3]) == ("compare --losses softmax,center,arcface", "0", "3")
    assert found.conditions.startswith("Each command is a process of its own in an empty results folder. ")


def test_networks_are_timed_as_by_bench_train(monkeypatch):
    asked = {}
    made = gpu._benchmark("train", HERE, ["a"], [], "", {})
    monkeypatch.setattr(gpu.train, "measure", lambda **options: asked.update(options) or made)
    assert gpu.networks(7, HERE).heading == "gpu networks"
    assert asked == {"repeats": 7, "threads": [1], "placement": HERE}


def test_accuracy_counts_the_seeds_above_the_target():
    options = {"loss": "softmax", "dataset": "digits", "epochs": 1, "batch_size": 40, "network": "mlp"}
    found = gpu.accuracy(1, HERE, 3, ((0.0, options), (1.0, options)))
    (low, high), runs = found.table.rows, found.data["goals"][0]["runs"]
    assert (low[2], high[2]) == ("3 of 3", "0 of 3")
    assert len({accuracy for accuracy, _, _ in runs}) > 1, "each seed is another training"
    assert all(0 < steps < whole < 60 for _, steps, whole in runs)
    assert "|".join(found.table.header) == "run|target (%)|reached|test (%)|training (s)|middle half|all (s)"
    words = "--loss softmax --dataset digits --epochs 1 --batch-size 40 --network mlp"
    assert (low[:2], high[:2]) == ([words, "0"], [words, "100"])
    percent = [100 * accuracy for accuracy, _, _ in runs]
    assert low[3].startswith(f"{np.mean(percent):.2f} ± ")
    assert low[4] == f"{np.median([steps for _, steps, _ in runs]):.3f}"
    assert low[6] == f"{np.median([whole for _, _, whole in runs]):.3f}"
    assert found.heading == "gpu accuracy" and found.conditions.startswith(
        "3 seeds each; the data are on the GPU"
    )


def test_a_training_without_an_end_is_no_time():
    with pytest.raises(Diverged):
        _trainers.train_once(
            make_config(dataset="digits", epochs=1, batch_size=40, network="linear", lr=2e9, optimizer="sgd"),
            HERE,
        )


def test_kernels_are_sorted_by_their_time(on_digits):
    found = gpu.kernels(2, HERE, ("mlp",))
    times = [row[1] for row in found.data["networks"][0]["kernels"]]
    assert times == sorted(times, reverse=True) and times[0] > 0
    assert found.table.rows[-1][1] == "all others"
    assert found.conditions.startswith(
        "Time on the GPU, without the gaps between kernels; means of 2 steps that are not recorded. "
    )
    assert "Medians" not in found.conditions
    assert "|".join(found.table.header) == "network|kernel|microseconds per step|times per step"
    assert len(found.table.rows) == 13 and found.table.rows[0][0] == "mlp"
    assert found.table.rows[0][2] == f"{times[0]:.1f}"
    assert float(found.table.rows[-1][2].replace(",", "")) == pytest.approx(
        sum(times[gpu._KERNELS :]), abs=0.1
    )


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (
            "void at::native::vectorized_elementwise_kernel<4, at::native::F>(int, float*)",
            "vectorized_elementwise_kernel",
        ),
        ("void cutlass::Kernel2<cutlass_80_simt_sgemm>(Params)", "Kernel2"),
        ("Memset (Device)", "Memset"),
        ("sm90_xmma_wgrad_nhwc", "sm90_xmma_wgrad_nhwc"),
    ],
)
def test_kernels_have_short_names(key, name):
    assert gpu._kernel_name(key).strip() == name


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_a_machine_without_a_gpu_is_told_so(capsys, tmp_path):
    assert main(["bench", "gpu", "--results", str(tmp_path)]) == 2
    assert "no usable CUDA device" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_help_names_all_parts(capsys):
    assert main(["bench", "gpu", "--help"]) == 0
    assert ", ".join(gpu.PARTS) in " ".join(capsys.readouterr().out.split())


def test_an_unknown_part_is_named():
    with pytest.raises(UsageError, match="--parts speed is not one of tests, networks, graphs"):
        list(gpu.measure(["speed"], repeats=1, placement=HERE))


def test_the_tests_are_counted(monkeypatch):
    monkeypatch.setattr(gpu, "_TESTS", Path(__file__).parents[1] / "training" / "test_gpu.py")
    found = gpu.tests(1, HERE)
    assert found.data["tests"] > 50 and found.data["failures"] == found.data["errors"] == 0
    assert found.data["skipped"] == (0 if torch.cuda.is_available() else found.data["tests"])
