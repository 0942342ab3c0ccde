"""`lossbench bench` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lossbench.__main__ import main
from lossbench.benchmarks.result import Benchmark
from lossbench.errors import UsageError
from lossbench.runs.config_builder import make_config
from lossbench.runs.result import Machine
from lossbench.tables import Table
from lossbench.training.process import Placement

LOSSES = ["losses", "--losses", "softmax,supcon", "--repeats", "1", "--batch-size", "20", "--threads", "1"]


def test_prints_a_table_and_writes_it(capsys, tmp_path):
    assert main(["bench", *LOSSES, "--results", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "SupConLoss" in captured.out
    assert "1 threads" in captured.err and "B = 20" in captured.err and "torch" in captured.err
    (file,) = (tmp_path / "benchmarks").iterdir()
    assert "## losses\n" in file.read_text() and "| supcon |" in file.read_text()


def test_json_is_one_document(capsys, tmp_path):
    assert main(["bench", *LOSSES, "--json", "--results", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["loss"] for each in document["losses"]] == ["softmax", "supcon"]
    assert document["machine"]["threads"] == 1 and document["losses"][1]["ratio"] > 0


def test_what_was_measured_is_shown_where_its_file_cannot_be_written(capsys, tmp_path):
    (tmp_path / "benchmarks").touch()
    assert main(["bench", *LOSSES, "--results", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "SupConLoss" in captured.out and "cannot be written" in captured.err
    assert main(["bench", *LOSSES, "--json", "--results", str(tmp_path)]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["status"], len(document["losses"])) == ("failed", 2)


QUICK = {
    "train": "--networks lenet --precisions fp32 --threads 1 --repeats 1 --batch-size 20 --dataset digits",
    "metrics": "--metrics gap,spread --repeats 1",
    "quality": "--dataset digits --loss softmax --target 5 --epochs 1 --threads 1 --device cpu",
    "sweep": "--dataset digits --jobs 1 --runs 1 --epochs 1 --device cpu",
}


@pytest.mark.parametrize(
    "subject",
    [
        "metrics",
        "sweep",
        pytest.param("train", marks=pytest.mark.slow),
        pytest.param("quality", marks=pytest.mark.slow),
    ],
)
def test_every_subject_has_its_section(capsys, tmp_path, subject):
    assert main(["bench", subject, *QUICK[subject].split(), "--json", "--results", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["benchmark"] == subject and document["machine"]["torch"]
    (file,) = (tmp_path / "benchmarks").iterdir()
    assert document["file"] == str(file)
    assert f"## {subject}\n| " in file.read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        "losses --repeats 0",
        "losses --batch-size 1",
        "losses --threads 0",
        "losses --repeats x",
        "losses --losses sofmax",
        "train --threads 1,0",
        "train --threads two",
        "train --precisions fp8",
        "train --networks lenett",
        "train --dataset mnst",
        "quality --target 101",
        "quality --loss softmx",
        "quality --network lenett",
        "sweep --epochs 0",
        "metrics --metrics gapp",
        "start --repeats 0",
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(capsys, tmp_path, wrong):
    assert main(["bench", *wrong.split(), "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert wrong.split()[1] in said or wrong.split()[2] in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("subject", "words", "asked"),
    [
        ("start", "", {"repeats": 5}),
        ("start", "--repeats 2", {"repeats": 2}),
        ("quality", "--dataset digits", {"target": 0.985, "epochs": 30}),
        ("train", "--dataset digits --threads 1,2", {"repeats": 9, "batch_size": 128, "threads": [1, 2]}),
        ("losses", "--threads 2", {"repeats": 25, "batch_size": 1024, "threads": 2, "names": None}),
        ("metrics", "--metrics a,b", {"repeats": 3, "threads": None, "names": ["a", "b"]}),
    ],
)
def test_what_a_subject_measures_is_printed_and_written(capsys, monkeypatch, tmp_path, subject, words, asked):
    """Without the minutes that some take."""
    given = {}

    def measure(*_, **options):
        given.update(options)
        machine = Machine("cpu", "a processor", 2, "2.8", "3.11", "Linux")
        return Benchmark(subject, machine, Table(["time"], [["5 ms"]]), "Conditions.", {"seconds": 0.005})

    monkeypatch.setattr(f"lossbench.benchmarks.{subject}.measure", measure)
    command = ["bench", subject, *words.split(), "--results", str(tmp_path)]
    assert main(command) == 0
    shown = capsys.readouterr()
    file = tmp_path / "benchmarks" / "a-processor.md"
    assert "5 ms" in shown.out and shown.err == f"Conditions.\nTable: {file}\n"
    assert file.read_text().startswith("# Benchmarks on a processor\n") and "5 ms" in file.read_text()
    assert {name: given[name] for name in asked} == asked
    assert main([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert list(document) == ["status", "benchmark", "lossbench", "machine", "seconds", "file"]


RUN = {"network": "lenet", "dataset": "digits", "epochs": 3}
CPU = Placement("cpu", Path("d"))


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (
            "train --networks lenet,mlp --precisions bf16 --threads 1,2 --batch-size 3 --repeats 4 "
            "--dataset digits --data-dir d --device cpu",
            {
                **{"networks": ["lenet", "mlp"], "precisions": ["bf16"], "threads": [1, 2], "batch_size": 3},
                **{"repeats": 4, "dataset": "digits", "placement": CPU},
            },
        ),
        (
            "quality --loss center --network lenet --seed 3 --target 90 --epochs 2 --threads 2 "
            "--dataset digits --data-dir d --device cpu",
            {
                "runs": make_config(loss="center", network="lenet", dataset="digits", seed=3),
                **{"target": 0.9, "epochs": 2, "placement": CPU._replace(threads=2)},
            },
        ),
        (
            "sweep --jobs 2 --epochs 3 --network lenet --dataset digits --data-dir d --device cpu",
            {"runs": [make_config(seed=n, **RUN) for n in range(4)], "workers": 2, "placement": CPU},
        ),
        (
            "sweep --jobs 2 --runs 1 --epochs 3 --network lenet --dataset digits --data-dir d --device cpu",
            {"runs": [make_config(**RUN)], "workers": 2, "placement": CPU},
        ),
        (
            "losses --losses ring,git --repeats 4 --batch-size 3 --threads 2",
            {"names": ["ring", "git"], "repeats": 4, "batch_size": 3, "threads": 2},
        ),
        (
            "metrics --metrics gap,ece --repeats 4 --threads 2",
            {"names": ["gap", "ece"], "repeats": 4, "threads": 2},
        ),
        (
            "gpu --parts packs,graphs --repeats 4 --data-dir d",
            {"runs": ["packs", "graphs"], "repeats": 4, "placement": CPU._replace(device="cuda")},
        ),
    ],
)
def test_every_option_reaches_what_is_measured(monkeypatch, words, asked):
    given = {}

    def measure(*runs, **options):
        given.update(options, **dict(zip(["runs"], runs, strict=False)))
        raise UsageError("nothing is measured here")

    monkeypatch.setattr(f"lossbench.benchmarks.{words.split()[0]}.measure", measure)
    assert main(["bench", *words.split()]) == 2
    assert given == asked
