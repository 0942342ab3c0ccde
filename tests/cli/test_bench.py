"""`lossbench bench` as a user types it."""

from __future__ import annotations

import functools
import json

import pytest

from lossbench import benchmarking
from lossbench.__main__ import main


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    quick = functools.partial(benchmarking.measure_losses, names=("softmax", "supcon"))
    monkeypatch.setattr(benchmarking, "measure_losses", quick)


def test_prints_a_table_and_writes_it(capsys, tmp_path):
    asked = ["bench", "losses", "--repeats", "1", "--batch-size", "20", "--threads", "1"]
    assert main([*asked, "--results", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "SupConLoss" in captured.out
    assert "1 threads" in captured.err and "B = 20" in captured.err and "torch" in captured.err
    (file,) = (tmp_path / "benchmarks").iterdir()
    assert "## losses\n" in file.read_text() and "| supcon |" in file.read_text()


def test_json_is_one_document(capsys, tmp_path):
    asked = ["bench", "losses", "--repeats", "1", "--batch-size", "20", "--threads", "1", "--json"]
    assert main([*asked, "--results", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["loss"] for each in document["losses"]] == ["softmax", "supcon"]
    assert document["machine"]["threads"] == 1 and document["losses"][1]["ratio"] > 0


@pytest.mark.parametrize(
    "wrong", [["--repeats", "0"], ["--batch-size", "1"], ["--threads", "0"], ["--repeats", "x"]]
)
def test_wrong_input_is_one_sentence_and_exit_code_2(capsys, tmp_path, wrong):
    assert main(["bench", "losses", *wrong, "--results", str(tmp_path)]) == 2
    assert wrong[0] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
