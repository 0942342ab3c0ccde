"""Timings, and the one section of a machine's file that a benchmark owns."""

from __future__ import annotations

import inspect
import time

import pytest
import torch

from lossbench import __version__
from lossbench.benchmarks import gpu, metrics, quality, start, train
from lossbench.benchmarks._timing import Timing, thread_count, time_alternately, timing
from lossbench.benchmarks.result import Benchmark, document, machine_text, write_section
from lossbench.errors import RunError
from lossbench.runs.result import Machine
from lossbench.tables import Table


def made_up(heading="losses"):
    machine = Machine("cpu", "A CPU (R) @ 2 GHz", 2, "2", "3")
    return Benchmark(heading, machine, Table(["loss", "ms"], [["one", "5.00"]]), "Under these.", {"x": 1})


def test_only_its_own_section_is_replaced(tmp_path):
    path = write_section(tmp_path, made_up(), "lossbench bench losses")
    assert path == tmp_path / "benchmarks" / "a-cpu-r-2-ghz.md"
    first = path.read_text()
    assert first == (
        "# Benchmarks on A CPU (R) @ 2 GHz\n\n## losses\n| loss | ms |\n| --- | ---: |\n| one | 5.00 |\n\n"
        "Under these.\n\n`lossbench bench losses`\n"
    )
    path.write_text(
        first.replace("## losses\n", "## losses before\nkept\n\n## losses\nold\n") + "\n## after\nkept too\n"
    )
    write_section(tmp_path, made_up(), "again")
    text = path.read_text()
    assert "## losses before\nkept\n\n## losses\n| loss |" in text
    assert "`again`\n\n## after\nkept too\n" in text
    assert "old" not in text and text.count("## losses\n") == 1
    write_section(tmp_path, made_up(), "again")
    assert path.read_text() == text
    write_section(tmp_path, made_up("train"), "another")
    assert path.read_text() == text + "\n## train\n" + first.partition("## losses\n")[2].replace(
        "lossbench bench losses", "another"
    )


def test_a_machine_whose_name_has_no_letter_of_a_file_name_has_a_file_too(tmp_path):
    found = made_up()
    found = found._replace(machine=found.machine._replace(device_name="処理装置"))
    path = write_section(tmp_path, found, "lossbench bench losses")
    assert path == tmp_path / "benchmarks" / "machine.md"
    assert path.read_text().startswith("# Benchmarks on 処理装置\n")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "a-cpu-r-2-ghz.md").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(RunError, match="cannot be read"):
        write_section(tmp_path, made_up(), "")


def test_a_document_says_what_was_measured_and_on_what():
    data = document(made_up())
    assert (data["benchmark"], data["machine"]["threads"], data["x"]) == ("losses", 2, 1)
    assert data["lossbench"] == __version__
    assert machine_text(made_up().machine, "1 or 2").startswith(
        "A CPU (R) @ 2 GHz, 1 or 2 threads; torch 2, "
    )


def test_spread_is_the_middle_half():
    assert timing([1.0, 2.0, 3.0, 4.0, 100.0]) == Timing(3.0, 2.0, 4.0)
    assert timing([7.0]) == Timing(7.0, 7.0, 7.0)
    assert timing([7.0]).scaled(1000) == Timing(7000.0, 7000.0, 7000.0)
    assert Timing(3.0, 2.25, 4.0).range_text(1) == "2.2–4.0"


def test_works_take_turns_and_warm_up_is_left_out():
    order = []

    def run(name, pause):
        def act():
            order.append(name)
            time.sleep(0 if len(order) <= 2 else pause)

        return act

    first, second = time_alternately([run("a", 0.002), run("b", 0.01)], 3, warm_up=1)
    assert order == ["a", "b"] * 4
    assert len(first) == len(second) == 3
    assert min(first) >= 0.002 and min(second) >= 0.01


def test_numbers_that_published_tables_rest_on():
    def defaults(function):
        parameters = inspect.signature(function).parameters.values()
        return {each.name: each.default for each in parameters if each.default not in (each.empty, None)}

    assert defaults(train.measure) == {"batch_size": 128, "repeats": 9, "dataset": "mnist"}
    assert defaults(metrics.measure) == {"repeats": 3, "tested": 10_000, "reference": 55_000}
    assert defaults(start.measure) == {"repeats": 5, "runs": 6, "points": 60_000}
    assert defaults(time_alternately) == {"warm_up": 2}
    assert (gpu.PACKS, gpu._EQUAL_STEPS, gpu.STEPS, quality._REFERENCE) == ((1, 4, 8, 16, 32), 50, 4, 5000)
    assert " ".join(gpu.MIXED) == "softmax center arcface cosface triplet circle oim supcon"
    assert gpu.ACCURACIES == (
        (0.985, {"loss": "center", "epochs": 2, "train_size": 44000}),
        (0.99, {"loss": "softmax", "feature_dim": 64, "epochs": 1, "batch_size": 256}),
    )
    assert train._SIDE == {"cpu": 2048, "cuda": 8192, "mps": 4096}


def test_threads_are_as_before_after_a_measurement():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), thread_count(before + 2):
        assert torch.get_num_threads() == before + 2
        raise KeyError
    assert torch.get_num_threads() == before
