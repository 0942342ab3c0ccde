"""A run as an ONNX file: what onnxruntime computes from images, and what the file says of itself."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import lossbench
from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.reports import onnx_file
from lossbench.specs import plugins

from ..test_python import Own

QUICK: dict[str, Any] = {
    "dataset": "digits",
    "epochs": 2,
    "batch_size": 100,
    "device": "cpu",
    "precision": "fp32",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx") / "results"
    # the default network once; export takes several times as long for it
    for loss, network in (
        ("arcface", "stride3"),
        ("triplet", "linear"),
        ("supcon", "linear"),
        (Own, "linear"),
    ):
        lossbench.train(loss, network=network, unseen=[2, 5], results=folder, **QUICK)
    return folder


def computed(path: Any, run: Any) -> tuple[list[np.ndarray], dict[str, str]]:
    """The outputs for the test images, normalized as the file says, and its metadata."""
    session = onnxruntime.InferenceSession(path)
    about = session.get_modelmeta().custom_metadata_map
    mean, deviation = (np.array(json.loads(about[key])).reshape(-1, 1, 1) for key in ("mean", "deviation"))
    images = ((run.images["test"] - mean) / deviation).astype(np.float32)
    return session.run(None, {"images": images}), about


@pytest.mark.parametrize("loss", ["arcface", "triplet", "supcon"])
def test_the_file_computes_features_and_predictions_of_the_run(capsys, folder, tmp_path, loss):
    """By class scores, or by distances or cosines to the class means, as the run; for all images at once."""
    (run,) = lossbench.runs(loss=loss, results=folder)
    path = tmp_path / "network.onnx"
    assert main(["export", "--run", run.name, "--output", str(path), "--results", str(folder), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["run"] == run.name
    assert document["images"] == len(run.labels["test"])
    assert document["difference"] <= onnx_file.TOLERANCE
    assert document["same_predictions"] == 1
    (features, scores), about = computed(path, run)
    assert np.allclose(features, run.features["test"], atol=1e-3)
    assert (scores.max() > 0) == (loss != "triplet")  # whose scores are distances, negated
    names = json.loads(about["classes"])
    assert names == ["0", "1", "3", "4", "6", "7", "8", "9"]
    predicted = np.array([int(names[number]) for number in scores.argmax(1)])
    assert (predicted == run.predictions["test"]).all()
    assert about["run"] == run.name
    assert about["dataset"] == "digits"
    assert about["loss"].startswith(
        {"arcface": "ArcFace m = ", "triplet": "Triplet m = "}.get(loss, "SupCon")
    )
    assert "pixels are from 0 to 255" in about["normalization"]
    onnx.checker.check_model(onnx.load(path))


def test_a_head_on_features_of_a_user(tmp_path):
    """The input is then the stored features, normalized."""
    labels = np.arange(300) % 3
    data = np.random.default_rng(0).normal(labels[:, None], 0.3, (300, 6)).astype(np.float32)
    np.savez(tmp_path / "data.npz", features=data, labels=labels)
    options = {**QUICK, "dataset": str(tmp_path / "data.npz")}
    run = lossbench.train("softmax", network="mlp", results=tmp_path / "results", **options)
    assert run.images["test"].shape == (len(run.labels["test"]), 6)
    file = lossbench.export(run, tmp_path / "head.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "head.onnx")
    about = session.get_modelmeta().custom_metadata_map
    values = (run.images["test"] - json.loads(about["mean"])[0]) / json.loads(about["deviation"])[0]
    features, _ = session.run(None, {"images": values.astype(np.float32)})
    assert np.allclose(features, run.features["test"], atol=1e-3)
    assert file.same_predictions == 1


def test_an_own_loss_gives_scores(capsys, folder, tmp_path):
    (run,) = lossbench.runs(loss=Own, results=folder)
    path = tmp_path / "own.onnx"
    assert main(["export", "--run", run.config.id, "--output", str(path), "--results", str(folder)]) == 0
    said = capsys.readouterr().err
    assert "\nFeatures and scores of " in said and "left out" not in said
    (features, scores), about = computed(path, run)
    assert np.allclose(features, run.features["test"], atol=1e-3)
    names = json.loads(about["classes"])
    assert [int(names[place]) for place in scores.argmax(1)] == list(run.predictions["test"])


class Distances(Own):
    def logits(self, features):
        return -torch.cdist(features, self.linear.weight)  # which the exporter does not know


def changed(loss, digest=plugins.digest):
    return "another" if loss.endswith(":Own") else digest(loss)


@pytest.mark.parametrize("reason", ["changed", "missing"])
def test_scores_are_left_out_where_the_code_of_an_own_loss_is_not_there(
    capsys, folder, tmp_path, monkeypatch, reason
):
    (run,) = lossbench.runs(loss=Own, results=folder)
    if reason == "changed":
        monkeypatch.setattr(plugins, "digest", changed)
    else:
        monkeypatch.setattr(
            plugins, "find", lambda name, kind="losses": plugins.import_object("x", "gone:Own")
        )
    path = tmp_path / "own.onnx"
    assert main(["export", "--run", run.name, "--output", str(path), "--results", str(folder)]) == 0
    assert "Scores are left out, as the code of the loss cannot be used: " in capsys.readouterr().err
    (features,), _ = computed(path, run)
    assert np.allclose(features, run.features["test"], atol=1e-3)


def test_scores_are_left_out_where_an_own_loss_cannot_be_exported(tmp_path):
    run = lossbench.train(Distances, network="linear", results=tmp_path / "results", progress=False, **QUICK)
    file = lossbench.export(run, tmp_path / "own.onnx")
    assert (file.outputs, bool(file.left_out)) == (("features",), True)


def test_only_a_file_of_lossbench_is_replaced(folder, tmp_path):
    (run,) = lossbench.runs(loss="triplet", results=folder)
    path = tmp_path / "network.onnx"
    first = lossbench.export(run, path)
    content = path.read_bytes()
    assert lossbench.export(run, path) == first
    assert path.read_bytes() == content
    assert b".py" not in content  # no path of this machine
    path.write_bytes(b"somebody's")
    with pytest.raises(RunError, match="not a file of lossbench"):
        lossbench.export(run, path)
    assert path.read_bytes() == b"somebody's"
    with pytest.raises(UsageError, match=r"must end in \.onnx"):
        lossbench.export(run, tmp_path / "network.pt")


def test_a_file_that_computes_something_else_is_not_written(folder, tmp_path, monkeypatch):
    """One output is enough."""
    (run,) = lossbench.runs(loss="triplet", results=folder)
    export, made, places = onnx_file._exported, [], iter((0, 1))

    def exported(*arguments):
        if not made:
            made.append(export(*arguments))
        (content, expected), wrong = made[0], next(places)
        return content, [value + (place == wrong) for place, value in enumerate(expected)]

    monkeypatch.setattr(onnx_file, "_exported", exported)
    for _ in range(2):
        with pytest.raises(RunError, match="nothing is written"):
            lossbench.export(run, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "onnxscript"])
def test_without_the_extra_there_is_a_sentence(capsys, folder, tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    (run,) = lossbench.runs(loss="arcface", results=folder)
    path = tmp_path / "network.onnx"
    assert main(["export", "--run", run.name, "--output", str(path), "--results", str(folder)]) == 2
    assert "pip install 'lossbench[onnx]'" in capsys.readouterr().err
    assert not path.exists()
