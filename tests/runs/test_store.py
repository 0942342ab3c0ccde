"""The results folder: files that are whole or not there, runs found by name, locks that die with their owner."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.files import to_json, write_atomically
from lossbench.records import Embedding, EpochRecord
from lossbench.runs import run_folder
from lossbench.runs.config import RunConfig
from lossbench.runs.config_builder import make_config
from lossbench.runs.measurement import measure_stored
from lossbench.runs.result import Machine, RunResult, Status
from lossbench.runs.run_folder import RunFolder
from lossbench.runs.store import Store

from ..helpers.users import as_ordinary_user


def made(loss: str = "center", **options: Any) -> RunConfig:
    return make_config(loss=loss, **{"network": "lenet", **options})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def begun(store: Store, config: RunConfig | None = None) -> RunFolder:
    run = store.run(config or made())
    run.begin()
    return run


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name.endswith(".tmp")]


# writing


def test_a_file_is_written_whole_and_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file"
    write_atomically(path, b"first")
    write_atomically(path, b"second")
    assert path.read_bytes() == b"second"
    assert path.stat().st_mode & 0o777 == 0o644
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


@contextlib.contextmanager
def full_disk(folder: Path, size: str = "64k") -> Iterator[Path]:
    """A real file system, 64 KiB small."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if (
        os.geteuid() != 0
        or not shutil.which("mount")
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("cannot mount a small file system here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Every write beyond `size` bytes of a file fails, as with a quota."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    with full_disk(tmp_path / "disk") as disk:
        path = disk / "result.json"
        write_atomically(path, b"old")
        with pytest.raises(RunError, match=r"result\.json cannot be written: No space left on device"):
            write_atomically(path, bytes(100_000))
        assert path.read_bytes() == b"old"
        assert [entry.name for entry in disk.iterdir()] == ["result.json"]
        Store(disk).check_writable()
        with pytest.raises(OSError, match="No space left"), (disk / "ballast").open("wb", 0) as ballast:
            while True:
                ballast.write(bytes(4096))
        with pytest.raises(RunError, match="not writable: No space left on device"):
            Store(disk).check_writable()


def test_a_write_that_fails_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_atomically(path, b"old")
    with (
        largest_file(1000),
        pytest.raises(RunError, match=r"model\.safetensors cannot be written: File too large"),
    ):
        write_atomically(path, bytes(5000))
    assert path.read_bytes() == b"old"
    assert leftovers(tmp_path) == []


def test_a_result_that_cannot_be_written_leaves_the_run_resumable(store: Store) -> None:
    run = begun(store)
    run.write_bytes("resume.pt", b"state")
    with largest_file(100), pytest.raises(RunError):
        run.write_result(done(run, metrics={str(i): 1.0 for i in range(100)}))
    assert run.result() is None
    assert run.read_bytes("resume.pt") == b"state"
    run.write_result(done(run))
    assert run.result().status is Status.DONE
    assert run.read_bytes("resume.pt") is None


@pytest.mark.parametrize("name", [name for name in run_folder._FILES if name != "result.json"])
def test_a_result_is_written_after_the_other_files_and_removed_before_them(store: Store, name: str) -> None:
    run = store.run(made())
    run.unpack({})
    assert not run.path.exists()
    (run.path / name).mkdir(parents=True)  # so that this file can be neither written nor removed
    with pytest.raises(RunError, match=f"{name} cannot be written"):
        run.unpack(dict.fromkeys(run_folder._FILES, b"{}"))
    assert not (run.path / "result.json").exists()
    (run.path / "result.json").write_bytes(b"{}")
    with pytest.raises(OSError, match=name):
        run.clear()
    assert not (run.path / "result.json").exists()


def test_a_read_only_folder_is_a_sentence() -> None:
    folder = Path(tempfile.mkdtemp())  # tmp_path is closed to other users
    try:
        runs = folder / "results" / "runs"
        runs.mkdir(parents=True)
        store = Store(folder / "results")
        for path in (folder, folder / "results", runs):
            path.chmod(0o555)
        with as_ordinary_user():
            run = store.run(made())
            with pytest.raises(RunError, match="cannot be written: Permission denied"):
                run.begin()
            with pytest.raises(RunError, match="cannot be written: Permission denied"), run.lock():
                pass
            with pytest.raises(RunError, match="is not writable: Permission denied"):
                store.check_writable()
            run.log("nothing happens")
        assert list(runs.iterdir()) == []
    finally:
        for path in (folder, folder / "results", runs):
            path.chmod(0o755)
        shutil.rmtree(folder)


def test_a_file_in_the_place_of_a_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    store = Store(tmp_path / "results")
    run = store.run(made())
    for attempt in (run.begin, store.check_writable, lambda: run.write_bytes("log.txt", b"")):
        with pytest.raises(RunError, match="results"):
            attempt()
    with pytest.raises(RunError, match="cannot be written"), run.lock():
        pass
    with pytest.raises(RunError):
        run.read_bytes("model.safetensors")
    assert (tmp_path / "results").read_text() == "mine"


@pytest.mark.parametrize("below", ["", "runs", "further/results"])
@pytest.mark.parametrize("kind", ["file", "dangling link", "loop"])
def test_what_is_no_results_folder_is_not_taken_for_an_empty_one(
    tmp_path: Path, capsys: Any, kind: str, below: str
) -> None:
    place = tmp_path / "place"
    if kind == "file":
        place.touch()
    else:
        place.symlink_to("place" if kind == "loop" else "nowhere")
    results = tmp_path
    if below == "runs":
        place.rename(tmp_path / "runs")
        place = tmp_path / "runs"
    else:
        results = place / below
    for read in (Store(results).all, lambda: Store(results).find("softmax")):
        with pytest.raises(RunError, match=f"^{place} is not a folder"):
            read()
    quick = ["--dataset", "digits", "--epochs", "1", "--device", "cpu"]
    for words in (
        ["runs"], ["report"], ["reproduce"], ["compare", *quick], ["train", *quick], ["tune", *quick],
        ["tune", "--losses", "softmax,center", *quick],
    ):  # fmt: skip
        assert main([*words, "--results", str(results)]) == 1
        assert capsys.readouterr().err == f"lossbench: {place} is not a folder.\n"
    assert Store(tmp_path / "none").all() == ([], [])


def test_a_folder_in_the_place_of_a_file_is_a_sentence(store: Store) -> None:
    run = begun(store)
    (run.path / "result.json").mkdir()
    with pytest.raises(RunError, match=r"result\.json cannot be written"):
        run.write_result(done(run))
    with pytest.raises(RunError, match=r"result\.json cannot be read"):
        run.result()
    assert leftovers(run.path) == []


def test_json_has_no_nan() -> None:
    text = to_json({"a": math.nan, "b": [math.inf, 1.5], "c": (0.1, {"d": -math.inf}), "ä": None})
    assert json.loads(text, parse_constant=pytest.fail) == {
        "a": None,
        "b": [None, 1.5],
        "c": [0.1, {"d": None}],
        "ä": None,
    }
    assert "ä" in text
    assert text.endswith("}\n")


# a run


def done(run: RunFolder, **values: Any) -> RunResult:
    return RunResult(run=run.name, status=Status.DONE, **values)


@pytest.mark.parametrize(
    "result",
    [
        RunResult(run="r", status=Status.DONE),
        RunResult(
            run="r", status=Status.DIVERGED, epoch=2, epochs=1, loss=1.5, terms={"softmax": 1.5}, seconds=3.0
        ),
        RunResult(
            run="r", status=Status.DONE, test_accuracy=0.5, metrics={"gap": None, "spread": 2.0},
            unseen_classes="7, 8", unseen={"roc-auc": 0.9}, machine=Machine("cpu", "a processor", 2),
        ),
    ],
)  # fmt: skip
def test_a_result_comes_back_from_its_json(result: RunResult) -> None:
    again = RunResult.from_dict(json.loads(to_json(result.to_dict())))
    assert to_json(again.to_dict()) == to_json(result.to_dict())
    assert again.numbers == result.numbers
    assert RunResult.from_dict(result.to_dict() | {"key of a later version": 1}).status is result.status


def test_a_run_begins_is_open_and_is_complete(store: Store) -> None:
    run = store.run(made())
    assert not run.path.exists()
    begun(store)
    assert run.path == store.runs / made().run_name
    assert run.result() is None
    assert store.find(run.name).config == made()
    run.write_bytes("resume.pt", b"1")
    run.write_result(done(run, test_accuracy=0.5, metrics={"gap": math.nan}))
    assert run.result().test_accuracy == 0.5
    assert run.result().metrics == {"gap": None}
    run.log("a line\n")
    (run.path / "tensorboard").mkdir()
    (run.path / "tensorboard" / "events").touch()
    run.clear()
    assert run.result() is None
    assert [path.name for path in run.path.iterdir()] == ["config.json"]
    run.clear()


def test_the_epochs_are_a_csv_that_any_tool_reads(store: Store) -> None:
    import csv

    run = begun(store)
    records = [
        EpochRecord(1, 0.1, 0.75, {"softmax": 0.5, "center": 0.25}, 0.9, 1.5, 1000.0),
        EpochRecord(2, 0.1 + 0.2, 0.5, {"softmax": 0.25, "center": 0.125}, math.nan, 1.5, 1000.0),
    ]
    run.write_epochs(records)
    with (run.path / "epochs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [
        "epoch",
        "learning_rate",
        "loss",
        "softmax",
        "center",
        "val_accuracy",
        "seconds",
        "images_per_second",
        "spread",
        "gap",
    ]
    assert list(rows[0]) == names
    assert float(rows[1]["learning_rate"]) == 0.1 + 0.2
    assert rows[0]["center"] == "0.25"
    assert math.isnan(float(rows[1]["val_accuracy"]))
    again = run.epochs()
    assert again[0][:7] == records[0][:7]
    assert again[1].terms == {"softmax": 0.25, "center": 0.125}
    run.write_epochs([])
    assert (run.path / "epochs.csv").read_text().startswith("epoch,learning_rate,loss,")


def test_the_log_is_dated_lines(store: Store) -> None:
    run = begun(store)
    run.log("one\n")
    run.log("zwei ü")
    lines = (run.path / "log.txt").read_text(encoding="utf-8").splitlines()
    assert [line[20:] for line in lines] == [" one", " zwei ü"]
    assert all(line[4] == "-" and line[19] == "Z" for line in lines)


NO_RESULTS = [
    json.dumps({"run": "RUN", "status": "done", **wrong})
    for wrong in (
        {"status": "finished"},
        {"status": None},
        {"test_accuracy": "0.5"},
        {"metrics": [1]},
        {"metrics": {"gap": "wide"}},
        {"epochs": None},
        {"machine": "fast"},
        {"seconds": "1"},
    )
]


@pytest.mark.parametrize(
    "content",
    [
        '{"run": "center-0123456789"}',
        '{"test_accuracy": 1}',
        "[]",
        '"text"',
        "5",
        '{"run": null}',
        "null",
        *NO_RESULTS,
    ],
)
def test_the_result_of_another_run_is_refused(store: Store, content: str) -> None:
    run = begun(store)
    (run.path / "result.json").write_text(content.replace("RUN", run.name))
    with pytest.raises(RunError, match=r"result\.json"):
        run.result()


def test_a_cut_result_is_never_half_read(store: Store) -> None:
    run = begun(store)
    run.write_result(done(run, test_accuracy=0.5, rule="ä"))
    path = run.path / "result.json"
    whole = path.read_bytes()
    for end in range(len(whole) - 1):  # the last byte is the end of the line
        path.write_bytes(whole[:end])
        with pytest.raises(RunError, match=r"result\.json"):
            run.result()


# features


def features_of(run: RunFolder) -> dict[str, Embedding]:
    random = np.random.RandomState(0)
    parts = {
        split: Embedding(random.randn(n, 2).astype(np.float32), random.choice(10, n), random.choice(10, n))
        for split, n in (("train", 30), ("val", 5), ("test", 10))
    }
    parts["test"] = parts["test"]._replace(scores=random.randn(10, 10).astype(np.float32))
    run.write_features(parts, {"weight": random.randn(10, 2), "bias": None, "centers": random.randn(10, 2)})
    return parts


def test_features_come_back_bit_for_bit(store: Store) -> None:
    run = begun(store)
    parts = features_of(run)
    found, directions = run.features()
    assert list(found) == ["train", "val", "test"]
    for split, part in parts.items():
        for before, after in zip(part, found[split], strict=True):
            if before is None or after is None:
                assert before is after  # only the test split has scores
                continue
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after)
    assert set(directions) == {"weight", "centers"}
    run.write_features({"train": parts["train"], "test": parts["test"]}, {})
    assert list(run.features()[0]) == ["train", "test"]


@pytest.mark.parametrize(("split", "unseen"), [("test", False), ("unseen", True)])
def test_metrics_of_features_that_are_not_stored_are_a_sentence(
    store: Store, split: str, unseen: bool
) -> None:
    run = begun(store)
    run.write_features({"train": features_of(run)["train"]}, {})
    with pytest.raises(RunError, match=rf"features\.npz has no {split} features\.$"):
        measure_stored(run, ["map-at-r"], unseen=unseen)


def test_cut_features_are_a_sentence_wherever_they_end(store: Store) -> None:
    run = begun(store)
    features_of(run)
    path = run.path / "features.npz"
    whole = path.read_bytes()
    for end in [*range(0, 60), *range(60, len(whole), 37), *range(len(whole) - 30, len(whole))]:
        path.write_bytes(whole[:end])
        with pytest.raises(RunError, match=r"features\.npz .* --force"):
            run.features()
    path.unlink()
    with pytest.raises(RunError, match=r"features\.npz cannot be read: No such .* again with --force"):
        run.features()


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"eer": "x", "map-at-r": []}'])
def test_metrics_that_cannot_be_read_are_measured_again(store: Store, content: str) -> None:
    run = begun(store)
    (run.path / "metrics.json").write_text(content)
    assert run.metrics() == {}


def test_packed_arrays_are_refused_before_they_are_unpacked(store: Store) -> None:
    """A zip bomb: 40 MB of zeros in a few kilobytes."""
    run = begun(store)
    for name, read in (("features.npz", run.features), ("snapshots.npz", run.snapshots)):
        np.savez_compressed(run.path / name, train_features=np.zeros(5_000_000))
        assert (run.path / name).stat().st_size < 100_000
        tracemalloc.start()
        with pytest.raises(RunError, match=rf"{name} cannot be read \(its content is packed"):
            read()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 5_000_000


@pytest.mark.parametrize("name", ["log.txt", ".lock", "resume.pt", "tensorboard", "features.npz"])
def test_a_link_out_of_the_folder_is_not_followed(store: Store, tmp_path: Path, name: str) -> None:
    run = begun(store)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "letter").write_text("dear")
    os.symlink(outside if name == "tensorboard" else outside / "letter", run.path / name)
    with pytest.raises(RunError, match=f"{re.escape(name)} is a link"), run.lock():
        pass
    run.log("something failed")
    run.clear()
    assert [path.name for path in outside.iterdir()] == ["letter"]
    assert (outside / "letter").read_text() == "dear"


def test_features_of_another_kind_are_a_sentence(store: Store) -> None:
    run = begun(store)
    path = run.path / "features.npz"
    arrays: list[dict[str, Any]] = [
        {"train_features": np.zeros(3)},
        {
            "train_features": np.array([object()]),
            "train_labels": np.zeros(1),
            "train_predictions": np.zeros(1),
        },
    ]
    for stored in arrays:
        with path.open("wb") as file:
            np.savez(file, **stored)
        with pytest.raises(RunError, match=r"features\.npz"):
            run.features()
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(RunError, match=r"features\.npz"):
        run.features()


# finding runs


def test_runs_are_found_by_name_id_and_prefix(store: Store) -> None:
    runs = [begun(store, made("center", lam=lam)) for lam in (0.1, 0.2)] + [begun(store, made("arcface"))]
    for run in runs:
        ident = run.name.rpartition("-")[2]
        others = [r.name.rpartition("-")[2] for r in runs if r is not run]
        length = next(n for n in range(1, 11) if not any(o.startswith(ident[:n]) for o in others))
        for name in (run.name, ident, ident[:9], ident[: max(length, 4)], run.name[:-1]):
            assert store.find(name).name == run.name
            assert store.find(name).config == run.config
    assert store.find("arc").name == runs[2].name
    with pytest.raises(UsageError, match=r"'center' can be any of center-\w{10}, center-\w{10}; give more"):
        store.find("center")


def test_a_name_that_can_be_any_of_many_runs_names_a_few(store: Store) -> None:
    for seed in range(30):
        begun(store, made("center", seed=seed))
    with pytest.raises(UsageError, match=r"'c' can be any of (center-\w{10}, ){20}10 more; give more"):
        store.find("c")


@pytest.mark.parametrize(
    "name", ["", "cosface", "center-0000000000", "../x", "*", "ffffffffffff", "config.json"]
)
def test_an_unknown_run_is_a_usage_error(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="There is no run in"):
        store.find(name)
    begun(store)
    with pytest.raises(UsageError, match="Unknown run"):
        store.find(name)


def test_a_run_whose_name_begins_another_is_found(store: Store) -> None:
    config = made("arcface")
    begun(store, config)
    begun(store, made("arcface + cosface"))
    assert store.find(config.run_name).config == config
    assert store.find("arcface-").config == config


def test_what_is_no_run_is_left_alone(store: Store) -> None:
    run = begun(store)
    for name in ("notes", "Center-0123456789", "center-012345678", "center-012345678g", ".hidden-0123456789"):
        (store.runs / name).mkdir()
    (store.runs / "center-0123456789").write_text("a file")
    found, problems = store.all()
    assert [r.name for r in found] == [run.name]
    assert problems == []


def test_all_runs_come_oldest_result_first_with_the_broken_ones_named(store: Store) -> None:
    runs = [begun(store, made(loss)) for loss in ("arcface", "center", "softmax")]
    for age, run in zip((100, 300, 200), runs, strict=True):
        run.write_result(done(run))
        os.utime(run.path / "result.json", (age, age))
    broken = begun(store, made("cosface"))
    (broken.path / "config.json").write_text("{")
    empty = store.runs / "center-0123456789"
    empty.mkdir()
    found, problems = store.all()
    assert [run.name for run in found] == [runs[0].name, runs[2].name, runs[1].name]
    assert len(problems) == 2
    assert any(str(empty) in problem for problem in problems)
    assert any(str(broken.path) in problem for problem in problems)


# config.json


def test_a_config_edited_by_hand_is_refused_with_a_sentence(store: Store) -> None:
    run = begun(store)
    path = run.path / "config.json"
    data = json.loads(path.read_text())
    for key, value in data.items():
        edited: Any = (
            value + 1 if isinstance(value, int | float) else "lenet++" if key == "network" else "auto"
        )
        if value == edited:
            edited = "fp32"
        path.write_text(json.dumps({**data, key: edited}))
        with pytest.raises(RunError, match="changed by hand|another format|Unknown"):
            store.find(run.name)
        path.write_text(json.dumps({other: v for other, v in data.items() if other != key}))
        with pytest.raises(RunError, match="changed by hand|another format|Unknown"):
            store.find(run.name)
    data["terms"][1]["weight"] = 0.004
    path.write_text(json.dumps(data))
    with pytest.raises(
        RunError, match=r"holds the run center-\w{10}: the folder was renamed, or its config.json changed"
    ):
        store.find(run.name)
    run.begin()
    assert store.find(run.name).config == run.config


@pytest.mark.parametrize(
    ("kind", "name"),
    [("loss", "no-such-loss" * 9), ("network", "lenett"), ("optimizer", "muonn"), ("data set", "mnistt")],
)
def test_a_run_of_something_unknown_says_what_is_missing_and_how_to_get_it(
    store: Store, kind: str, name: str
) -> None:
    """The package that offered it is not installed any more, or the version is older."""
    run = begun(store)
    data = json.loads((run.path / "config.json").read_text())
    if kind == "loss":
        data["terms"][1]["name"] = name
    else:
        data[{"data set": "dataset"}.get(kind, kind)] = name
    (run.path / "config.json").write_text(json.dumps(data))
    sentence = (
        f"{run.path} cannot be read. Unknown {kind} '{name}'; install the package, or the version of lossbench, "
        "that has it."
    )
    assert store.all() == ([], [sentence])


def test_a_cut_config_raises_nothing_but_run_error(store: Store) -> None:
    run = begun(store)
    path = run.path / "config.json"
    whole = path.read_bytes()
    for end in range(len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(RunError, match=run.name):
            store.find(run.name)
        assert len(store.all()[1]) == 1


@settings(max_examples=100, deadline=None, database=None)
@given(
    st.one_of(
        st.binary(max_size=50),
        st.text(max_size=30).map(lambda text: json.dumps({"format": text}).encode()),
        st.tuples(st.integers(0, 700), st.binary(min_size=1, max_size=3)),
        st.just(b"[" * 100_000),
        st.just(b'{"format": 1, "epochs": 1' + b"0" * 400 + b"}"),
        st.just(b'{"format": 1' + b"0" * 5000 + b"}"),
    )
)
def test_any_config_raises_nothing_but_run_error(content: bytes | tuple[int, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        run = begun(store)
        path = run.path / "config.json"
        if isinstance(content, tuple):
            whole = path.read_bytes()
            content = whole[: content[0]] + content[1] + whole[content[0] + len(content[1]) :]
        path.write_bytes(content)
        with contextlib.suppress(RunError):
            assert store.find(run.name).config == run.config


def test_a_number_too_large_for_a_float_in_a_config_is_a_run_error(store: Store) -> None:
    run = begun(store)
    path = run.path / "config.json"
    data = json.loads(path.read_text())
    path.write_text(json.dumps({**data, "epochs": 10**400}))
    with pytest.raises(RunError, match="changed by hand"):
        store.find(run.name)
    assert len(store.all()[1]) == 1


# the lock


OWNER = """
import sys, time
from pathlib import Path
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
with Store(Path(sys.argv[1])).run(make_config(loss="center", network="lenet")).lock():
    print("inside", flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def another_owner(store: Store) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", OWNER, str(store.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "inside\n"
            yield process
        finally:
            process.kill()


def test_two_processes_never_write_one_run_and_a_dead_owner_holds_nothing(store: Store) -> None:
    run = store.run(made())
    with another_owner(store) as process:
        with pytest.raises(RunError, match=f"Another process is training {run.name} right now"), run.lock():
            pass
        with store.run(made("softmax")).lock():  # another run is free
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with run.lock():
            pass


def test_the_lock_is_free_again_after_an_error(store: Store) -> None:
    run = store.run(made())
    with pytest.raises(ZeroDivisionError), run.lock():
        _ = 1 / 0
    with run.lock(), pytest.raises(RunError, match="Another process"), store.run(made()).lock():
        pass
    with run.lock():
        pass
