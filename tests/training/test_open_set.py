"""Classes kept out of training: never seen, measured on their own, in resumed runs and comparisons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from lossbench.__main__ import main
from lossbench.errors import Interrupted
from lossbench.runs.config import RunConfig
from lossbench.runs.measurement import measure_stored
from lossbench.runs.result import RunResult
from lossbench.runs.store import Store
from lossbench.specs import catalog
from lossbench.training.process import Placement
from lossbench.training.train import train

from ..data.test_datasets import FILES, idx, write_data_set
from ..helpers.runs import Recorder, run, small

UNSEEN = "7,8,9"
QUICK = ["--dataset", "digits", "--epochs", "2", "--batch-size", "100", "--device", "cpu", "--unseen", UNSEEN]
FEATURES_ONLY = {
    name
    for name in catalog.names("metrics")
    if catalog.spec("metrics", name).needs in ("features", "validation features")
}


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def weights(folder: Path, config: RunConfig) -> dict[str, torch.Tensor]:
    return load_file(Store(folder).run(config).path / "model.safetensors")


def assert_same_weights(config: RunConfig, left: Path, right: Path) -> None:
    first, second = weights(left, config), weights(right, config)
    assert first.keys() == second.keys()
    for key, tensor in first.items():
        assert torch.equal(tensor, second[key]), key


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunResult]:
    """A results folder with one open-set run, by the real command, and its stored result."""
    folder = tmp_path_factory.mktemp("open-set")
    assert main(["train", *QUICK, "--results", str(folder)]) == 0
    (path,) = (folder / "runs").glob("*/result.json")
    return folder, RunResult.from_dict(json.loads(path.read_text()))


def test_the_result_has_the_unseen_metrics(trained: tuple[Path, RunResult]) -> None:
    folder, result = trained
    assert set(result.unseen) == FEATURES_ONLY
    for name in ("map-at-r", "recall-at-1", "roc-auc", "eer"):
        assert 0 <= result.unseen[name] <= 1
    assert result.unseen["map-at-r"] > 1 / 6, "no better than chance"
    assert "accuracy" in result.metrics
    assert result.test_accuracy > 1 / 7


def test_features_have_a_split_of_unseen_classes_only(trained: tuple[Path, RunResult]) -> None:
    """Training numbers its seven classes 0 to 6, and the unseen digits 7, 8 and 9 go on from there."""
    folder, result = trained
    config = small("softmax", unseen=UNSEEN, epochs=2, precision="auto")
    assert result.run == config.run_name
    splits, directions = Store(folder).run(config).features()
    assert set(splits["unseen"].labels) == {7, 8, 9}
    assert [config.labels[label] for label in (7, 8, 9)] == [7, 8, 9]
    for name in ("train", "val", "test"):
        assert set(splits[name].labels) == set(range(7))
    assert directions["weight"].shape == (7, 2)
    assert set(splits["unseen"].predictions) <= set(range(7))
    whole = catalog.load("data", "digits")(Path(), "test").labels
    assert len(splits["unseen"].labels) == int((whole >= 7).sum())
    assert len(splits["test"].labels) == int((whole < 7).sum())


def test_the_same_command_shows_what_is_stored(
    trained: tuple[Path, RunResult], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, result = trained
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    code, out, err = call(capsys, "train", *QUICK, "--results", folder)
    assert code == 0
    assert "epoch" not in err
    assert f"{result.unseen['map-at-r']:.3f}" in out
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}
    _, out, _ = call(capsys, "train", *QUICK, "--json", "--results", folder)
    assert json.loads(out)["unseen"] == result.unseen


def altered(folder: Path) -> None:
    """Turn every image of the unseen classes into its negative, in both files."""
    images, labels = catalog.load("data", "fashion-mnist")(folder, "train")
    tested, tested_labels = catalog.load("data", "fashion-mnist")(folder, "test")
    names = FILES["FashionMNIST"]
    for part, numbers, name in ((images, labels, names[0]), (tested, tested_labels, names[2])):
        changed = torch.where((numbers >= 7)[:, None, None], 255 - part, part)
        assert not torch.equal(changed, part)
        (folder / "FashionMNIST/raw" / name).write_bytes(idx(changed))


def test_training_never_sees_them(tmp_path: Path) -> None:
    """Other images of the unseen classes, the same bits of everything that was learned."""
    features = {}
    config = small(
        "center", dataset="fashion-mnist", unseen="sneaker,bag,boot", val_size=7, batch_size=14, epochs=2
    )
    for name in ("before", "after"):
        write_data_set(tmp_path / name, "FashionMNIST", labels=torch.arange(200) % 10)
        if name == "after":
            altered(tmp_path / name)
        train(
            config,
            Store(tmp_path / name / "results"),
            placement=Placement("cpu", tmp_path / name, 1),
            observer=Recorder(),
            stop=lambda: False,
        )
        features[name], _ = Store(tmp_path / name / "results").run(config).features()
    assert_same_weights(config, tmp_path / "before/results", tmp_path / "after/results")
    for split in ("train", "val", "test"):
        np.testing.assert_array_equal(features["before"][split].features, features["after"][split].features)
    assert not np.array_equal(features["before"]["unseen"].features, features["after"]["unseen"].features)
    results = [Store(tmp_path / name / "results").run(config).result() for name in features]
    assert results[0].test_accuracy == results[1].test_accuracy
    assert results[0].metrics == results[1].metrics


def test_interrupted_and_continued_equals_uninterrupted(tmp_path: Path) -> None:
    config = small("center", unseen=UNSEEN, epochs=2)
    whole = run(config, tmp_path / "whole")
    for stop_after in (3, 6):
        with pytest.raises(Interrupted):
            run(config, tmp_path / "parts", Recorder(stop_after))
    last = Recorder()
    parts = run(config, tmp_path / "parts", last)
    assert last.began_at == 9
    assert_same_weights(config, tmp_path / "whole", tmp_path / "parts")
    for name in ("test_accuracy", "val_accuracy", "metrics", "unseen", "loss"):
        assert getattr(whole, name) == getattr(parts, name)


def test_compared_by_a_metric_of_unseen_classes(
    trained: tuple[Path, RunResult], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, result = trained
    options = ["--losses", "softmax,center", "--seeds", "0-1", "--metric", "unseen-map-at-r", "--json"]
    code, out, err = call(capsys, "compare", *QUICK, *options, "--results", folder)
    assert code == 0
    assert "1 of 4 runs are stored, 3 to train" in err
    document = json.loads(out)
    (entry,) = document["against"]
    assert (entry["metric"], entry["n"]) == ("unseen-map-at-r", 2)
    values = {
        (run["run"].split("-")[0], number): run["unseen"]["map-at-r"]
        for number, run in enumerate(document["runs"])
    }
    assert values["softmax", 0] == result.unseen["map-at-r"]
    expected = [values["center", 2] - values["softmax", 0], values["center", 3] - values["softmax", 1]]
    assert entry["differences"] == expected
    assert (folder / "figures/compare-softmax-center-digits-unseen789-forest.png").exists()
    text = (folder / "tables/compare-softmax-center-digits-unseen789.md").read_text()
    assert "unseen MAP@R" in text
    assert "Classes 7, 8, 9 are kept out of training." in text
    code, _, err = call(capsys, "compare", *QUICK[:-2], *options, "--results", folder)
    assert code == 2
    assert "needs classes kept out of training" in err


def test_a_metric_newer_than_the_run_is_measured_on_its_unseen_classes(
    trained: tuple[Path, RunResult], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, result = trained
    unseen = {name: value for name, value in result.unseen.items() if name != "map-at-r"}
    kept = result.to_dict() | {"unseen": unseen}
    path = folder / "runs" / result.run
    copy = tmp_path / "runs" / result.run
    copy.mkdir(parents=True)
    for name in ("config.json", "features.npz"):
        (copy / name).write_bytes((path / name).read_bytes())
    (copy / "result.json").write_text(json.dumps(kept))
    options = ["--losses", "softmax", "--metric", "unseen-map-at-r,map-at-r", "--json", "--results", tmp_path]
    code, out, _ = call(capsys, "compare", *QUICK, *options)
    assert code == 0
    (shown,) = json.loads(out)["runs"]
    assert shown["unseen"]["map-at-r"] == result.unseen["map-at-r"]
    remembered = json.loads((copy / "metrics.json").read_text())
    assert remembered == {
        "unseen-map-at-r": result.unseen["map-at-r"],
        "map-at-r": shown["metrics"]["map-at-r"],
    }
    config = small("softmax", unseen=UNSEEN, epochs=2, precision="auto")
    assert measure_stored(Store(tmp_path).run(config), ["map-at-r"], unseen=True) == {
        "map-at-r": result.unseen["map-at-r"]
    }
