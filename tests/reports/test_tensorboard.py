"""`--tensorboard` on real runs, read back through a real TensorBoard on this machine's loopback."""

from __future__ import annotations

import http.client
import io
import json
import math
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
import pytest
from PIL import Image

from lossbench.__main__ import main
from lossbench.errors import Interrupted
from lossbench.figures import features
from lossbench.records import NullObserver
from lossbench.reports import tensorboard as tracking
from lossbench.reports.figure_files import render_pixels
from lossbench.runs.config_builder import make_config
from lossbench.runs.run_folder import RunFolder
from lossbench.runs.store import Store
from lossbench.runs.stored_run import StoredRun

from ..helpers.runs import Recorder, run, small

Capture = pytest.CaptureFixture[str]
QUICK = ["--dataset", "digits", "--epochs", "3", "--batch-size", "100", "--device", "cpu"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """One run with a sum of terms, trained by the command line."""
    folder = tmp_path_factory.mktemp("tracked")
    assert main(["train", "--loss", "center", *QUICK, "--tensorboard", "--results", str(folder)]) == 0
    return Store(folder).run(make_config(loss="center", dataset="digits", epochs=3, batch_size=100))


class Board:
    """A TensorBoard at work."""

    def __init__(self, port: int, server: subprocess.Popen[bytes]) -> None:
        self.port, self.server = port, server

    def get(self, path: str, **query: Any) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/data/plugin/{path}?{urlencode(query)}")
            answer = connection.getresponse()
            assert answer.status == 200, (path, query, answer.status)
            return answer.read()
        finally:
            connection.close()

    def json(self, path: str, **query: Any) -> Any:
        return json.loads(self.get(path, **query))

    def wait(self) -> None:
        """Until it has read everything; the embedding is named by the last file written."""
        until = time.monotonic() + 25
        while time.monotonic() < until:
            assert self.server.poll() is None, "TensorBoard has ended"
            try:
                if self.json("images/tags"):
                    return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        raise AssertionError("TensorBoard has read nothing")


@pytest.fixture(scope="module")
def board(trained: RunFolder) -> Iterator[Board]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(trained.path.parent)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--load_fast", "false"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        found = Board(port, server)
        found.wait()
        yield found
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def points(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """All scalars in the event files of a run, by tag, as they are on disk."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own
        from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted((folder / "tensorboard").glob("events.*")):
        for event in EventFileLoader(str(path)).Load():
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "scalars":
                    found.setdefault(value.tag, []).append((event.step, value.tensor.float_val[0]))
    return found


def test_the_scalars_are_those_of_the_epochs(trained: RunFolder, board: Board) -> None:
    name = f"{trained.name}/tensorboard"
    tags = board.json("scalars/tags")
    assert list(tags) == [name]
    expected = {
        "loss/total": lambda record: record.loss,
        "loss/softmax": lambda record: record.terms["softmax"],
        "loss/center": lambda record: record.terms["center"],
        "learning rate": lambda record: record.learning_rate,
        "validation/accuracy": lambda record: record.val_accuracy,
        "validation/spread": lambda record: record.spread,
        "validation/gap": lambda record: record.gap,
    }
    assert set(tags[name]) == set(expected)
    records = trained.epochs()
    moments = []
    for tag, value in expected.items():
        shown = board.json("scalars/scalars", run=name, tag=tag)
        assert [step for _, step, _ in shown] == [1, 2, 3]
        np.testing.assert_allclose([y for _, _, y in shown], [value(r) for r in records], rtol=1e-6)
        moments.append([moment for moment, _, _ in shown])
    assert all(own == moments[0] for own in moments)
    apart = np.diff(moments[0])
    np.testing.assert_allclose(apart, [record.seconds for record in records[1:]], atol=1e-3)
    assert abs(time.time() - moments[0][-1]) < 600


def test_the_figure_is_there(trained: RunFolder, board: Board) -> None:
    name = f"{trained.name}/tensorboard"
    (shown,) = board.json("images/images", run=name, tag="features", sample=0)
    assert shown["step"] == 3
    picture = Image.open(io.BytesIO(board.get("images/individualImage", **dict(parse_qsl(shown["query"])))))
    assert min(picture.size) > 400
    pixels = np.asarray(picture.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 100, "ten classes in colour"
    choices = {"split": "both", "view": "raw", "projection": "pca"}
    drawn = render_pixels(lambda figure: features.draw_figure(figure, [StoredRun(trained)], **choices))
    np.testing.assert_array_equal(pixels, drawn[:, :, :3])


def test_the_projector_has_every_test_digit(trained: RunFolder, board: Board) -> None:
    name = f"{trained.name}/tensorboard"
    assert board.json("projector/runs") == [name]
    (info,) = board.json("projector/info", run=name)["embeddings"]
    stored = StoredRun(trained)
    tested = stored.splits["test"]
    count = len(tested.labels)
    assert "test features" in info["tensorName"]
    assert info["tensorShape"] == [count, 3], "the plane, in the space that the projector turns"
    content = board.get("projector/tensor", run=name, name=info["tensorName"])
    shown = np.frombuffer(content, np.float32).reshape(count, 3)
    np.testing.assert_array_equal(shown[:, :2], tested.features)
    assert not shown[:, 2].any()
    labels = board.get("projector/metadata", run=name, name=info["tensorName"]).decode().split("\n")
    assert labels[:count] == [stored.class_names[label] for label in tested.labels]
    sheet = Image.open(io.BytesIO(board.get("projector/sprite_image", run=name, name=info["tensorName"])))
    width, height = info["sprite"]["singleImageDim"]
    columns = sheet.size[0] // width
    images = stored.images("test")
    for place in (0, 1, columns, count - 1):
        row, column = divmod(place, columns)
        box = np.asarray(sheet.convert("L"))[row * height :, column * width :][:height, :width]
        np.testing.assert_allclose(box, images[place, 0], atol=1)


def test_the_same_command_again_doubles_no_point(trained: RunFolder) -> None:
    before = points(trained.path)
    assert [step for step, _ in before["loss/total"]] == [1, 2, 3]
    options = ["--loss", "center", *QUICK, "--tensorboard", "--results", str(trained.path.parent.parent)]
    assert main(["train", *options]) == 0
    assert points(trained.path) == before
    assert len(list((trained.path / "tensorboard").glob("events.*"))) == 1


def test_numbers_can_be_seen_while_training(tmp_path: Path) -> None:
    """After each epoch they are in the file; an interrupted run goes on in a folder without doubles."""
    store, config = Store(tmp_path), small("center")
    folder = store.run(config)
    seen: list[list[int]] = []

    class Looking(Recorder):
        def finished_epoch(self, run: str, record: Any) -> None:
            super().finished_epoch(run, record)
            seen.append([step for step, _ in points(folder.path).get("loss/total", [])])

    def train(stop_after: int | None) -> None:
        watching = Looking(stop_after)
        with tracking.Tracker(watching, store) as tracker:
            tracker.stop = watching.stop  # type: ignore[attr-defined]
            run(config, tmp_path, tracker)  # type: ignore[arg-type]

    with pytest.raises(Interrupted):
        train(stop_after=20)
    began = len(seen)
    assert 0 < began < 3
    assert [step for step, _ in points(folder.path)["loss/total"]] == [*range(1, began + 1)]
    train(None)
    assert seen == [[*range(1, epoch)] for epoch in (1, 2, 3)]
    assert [step for step, _ in points(folder.path)["loss/total"]] == [1, 2, 3]


@pytest.mark.slow
def test_a_comparison_is_tracked_as_well(tmp_path: Path) -> None:
    options = [*QUICK, "--losses", "softmax,triplet", "--tensorboard"]
    options[3] = "1"
    assert main(["compare", *options, "--val-size", "0", "--results", str(tmp_path)]) == 0
    runs, _ = Store(tmp_path).all()
    assert len(runs) == 2
    for each in runs:
        (term,) = each.epochs()[0].terms
        found = points(each.path)
        assert set(found) == {"loss/total", f"loss/{term}", "learning rate"}, "no validation, no such numbers"
        assert all(len(values) == 1 for values in found.values())
        assert (each.path / "tensorboard" / "projector_config.pbtxt").exists()


def test_at_most_so_many_features(trained: RunFolder, monkeypatch: Any) -> None:
    monkeypatch.setattr(tracking, "FEATURES", 12)
    stored = StoredRun(trained)
    folder = tracking.write_tensorboard(stored)
    (tensors,) = folder.rglob("tensors.tsv")
    written = np.loadtxt(tensors)
    assert len(written) == 12
    features = stored.splits["test"].features
    np.testing.assert_allclose(written[[0, -1], :2], features[[0, -1]], rtol=1e-5)


def test_without_tensorboard_nothing_is_trained(tmp_path: Path, monkeypatch: Any, capsys: Capture) -> None:
    for name in [name for name in sys.modules if name.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    for command in ("train", "compare", "sweep"):
        assert main([command, *QUICK, "--tensorboard", "--results", str(tmp_path)]) == 2
        assert "pip install 'lossbench[tensorboard]'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("config.json"))


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, capsys: Capture) -> None:
    options = ["--loss", "softmax", *QUICK, "--results", str(tmp_path)]
    assert main(["train", *options]) == 0
    (each,), _ = Store(tmp_path).all()
    assert not (each.path / "tensorboard").exists(), "nobody asked for it"
    (each.path / "tensorboard").write_text("in the way")
    assert main(["train", *options, "--tensorboard"]) == 1
    assert "tensorboard cannot be written" in capsys.readouterr().err


def test_the_other_observer_hears_everything(trained: RunFolder) -> None:
    heard: list[str] = []

    class Listening(NullObserver):
        def started(self, *_: Any) -> None:
            heard.append("started")

        def stepped(self, *_: Any) -> None:
            heard.append("stepped")

        def finished_epoch(self, *_: Any) -> None:
            heard.append("finished")

    with tracking.Tracker(Listening(), Store(trained.path.parent.parent)) as tracker:
        tracker.started(trained.name, 3, 10, 0)
        tracker.stepped(trained.name, 1)
        tracker.finished_epoch(trained.name, trained.epochs()[0]._replace(loss=math.nan))
    assert heard == ["started", "stepped", "finished"]
    assert "loss/total" not in points(trained.path)
    assert [step for step, _ in points(trained.path)["loss/center"]] == [1]
