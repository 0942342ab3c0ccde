"""A user's own data, in every form: equal conditions, the same runs again, changed data, stored runs."""

from __future__ import annotations

import importlib
import io
import json
import os
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import lossbench
from lossbench.__main__ import main
from lossbench.data import SPLIT_SEED, load_splits, pictures_of
from lossbench.data._survey import moments
from lossbench.errors import DataError, InvalidData, UsageError
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.specs import DatasetSpec, plugins

from ..helpers import user_data
from ..helpers.own_code import forget
from ..helpers.runs import Recorder, run
from ..helpers.user_data import FORMS, OPTIONS, digits, make


def forget_data() -> None:
    """Let this process know no more of data sets than a new one would."""
    plugins._datasets.clear()
    plugins._places.clear()
    forget()
    from lossbench.data import _array_files, _splits, _user_data

    _array_files._functions.clear()
    _user_data._describe.cache_clear()
    _splits._load_splits.cache_clear()


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("my_data", None)
    forget_data()


def train(dataset: str, capsys, *more: str) -> dict:
    assert main(["train", "--dataset", dataset, *OPTIONS, *more, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("form", FORMS)
def test_classes_shape_and_moments_are_found(form, place):
    config = make_config(dataset=make(form, place))
    spec = config.data
    assert spec is not None and len(spec.classes) == 4 and config.classes == 4
    assert spec.shape == ((64,) if form == "embeddings" else (1, 8, 8))
    assert config.network == ("mlp" if form == "embeddings" else "stride3")
    splits = load_splits(config.split_spec)
    values = splits.train.images.double()
    assert float(values.mean()) == pytest.approx(spec.mean[0], rel=0.05)
    assert float(values.std()) == pytest.approx(spec.deviation[0], rel=0.05)
    sizes = [len(part.labels) for part in splits]
    given = form in ("idx", "split folder")
    assert sizes[2] == (220 if given else 144) and sum(sizes) == 720
    assert sizes[1] == config.val_size == (50 if given else 57)
    for part in splits[:3]:  # stratified, but for the parts that were given
        assert np.bincount(part.labels).min() > 0.2 * len(part.labels)


def test_features_are_shown_as_grey_squares_of_two_deviations_around_the_mean():
    spec = DatasetSpec.of_user(
        "mine", "0" * 64, samples=9, classes=("a", "b"), shape=(5,), mean=(3.0,), deviation=(2.0,)
    )
    pictures = pictures_of(torch.tensor([[3.0, 5.0, 1.0, 7.5, -2.0]]), spec)
    assert pictures.tolist() == [[[[127, 191, 63], [255, 0, 0], [0, 0, 0]]]]  # the last four are not features


def test_moments_have_three_digits_and_a_constant_has_the_deviation_1():
    grey, features = np.array([[0, 255], [7, 7]], np.uint8), np.arange(100_000, dtype=np.float32)
    assert moments(grey) == ((128.0, 7.0), (128.0, 1.0))  # 127.5 twice
    assert moments([features]) == ((5e4,), (2.89e4,))  # over the root of 12


def test_two_arrays_without_names_are_images_and_labels(place):
    images, labels = digits()
    np.savez(place / "named.npz", images=images, labels=labels)
    np.savez(place / "unnamed.npz", images, labels)
    named, unnamed = (load_splits(make_config(dataset=f"{name}named.npz").split_spec) for name in ("", "un"))
    for one, other in zip(named, unnamed, strict=True):
        assert torch.equal(one.images, other.images) and torch.equal(one.labels, other.labels)


def test_mean_and_deviation_are_of_all_training_features_however_many(place):
    generator = np.random.default_rng(0)
    features = generator.normal(3, np.linspace(1, 9, 1500)[:, None], (1500, 300)).astype(np.float32)
    labels = np.arange(1500) % 3
    np.savez(place / "many.npz", X_train=features, y_train=labels, X_test=features[:9], y_test=labels[:9])
    spec = make_config(dataset="many.npz").data
    assert spec is not None
    expected = features.astype(np.float64)
    assert spec.mean[0] == float(f"{expected.mean():.3g}")
    assert spec.deviation[0] == float(f"{expected.std():.3g}")


@pytest.mark.parametrize("form", FORMS)
def test_a_run_trains_and_is_found_again(form, place, capsys):
    dataset = make(form, place)
    first = train(dataset, capsys)
    assert first["test_accuracy"] > 0.4
    forget_data()
    again = train(dataset, capsys)
    assert again == first
    assert len(list((place / "results" / "runs").iterdir())) == 1
    assert main(["runs"]) == 0
    assert first["run"] in capsys.readouterr().out


@pytest.mark.parametrize("form", FORMS)
def test_losses_start_from_the_same_network_and_data(form, place):
    configs = [make_config(loss=loss, dataset=make_once(form, place)) for loss in ("softmax", "triplet")]
    assert configs[0].split_spec == configs[1].split_spec
    assert configs[0].dataset == configs[1].dataset


def test_the_test_split_is_stratified_and_the_same_for_every_seed(place, capsys):
    labels = np.random.RandomState(0).permutation(np.repeat(np.arange(3), (200, 75, 25)))
    features = np.arange(1200, dtype=np.float32).reshape(300, 4)  # no two samples are alike
    np.savez("uneven.npz", features=features, labels=labels)
    first, second = (load_splits(make_config(dataset="uneven.npz", seed=seed).split_spec) for seed in (0, 1))
    assert np.bincount(first.test.labels).tolist() == [40, 15, 5]
    assert np.bincount(first.val.labels).tolist() == [16, 6, 2]
    for part, other in zip(first, second, strict=True):
        assert torch.equal(part.images, other.images) and torch.equal(part.labels, other.labels)
    assert len(torch.cat([part.images for part in first]).unique(dim=0)) == 300
    results = [train("uneven.npz", capsys, "--batch-size", "32", "--seed", seed) for seed in ("0", "1")]
    assert [result["split_seed"] for result in results] == [SPLIT_SEED] * 2


def make_once(form: str, place: Path) -> str:
    forget_data()
    for entry in place.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return make(form, place)


@pytest.mark.parametrize("form", FORMS)
def test_interrupted_and_continued_is_uninterrupted_bit_for_bit(form, place, tmp_path):
    config = make_config(loss="center", dataset=make(form, place), epochs=2, batch_size=32, network="linear")
    run(config, place / "whole")
    from lossbench.errors import Interrupted

    with pytest.raises(Interrupted):
        run(config, place / "parts", Recorder(stop_after=20))
    forget_data()
    opened = Store(place / "parts").all()[0][0].config  # from config.json alone
    assert opened == config and opened.id == config.id
    run(opened, place / "parts")
    name = f"runs/{config.run_name}/model.safetensors"
    assert (place / "whole" / name).read_bytes() == (place / "parts" / name).read_bytes()


@pytest.mark.parametrize("form", FORMS)
def test_figures_pages_and_open_set(form, place, capsys):
    dataset = make(form, place)
    train(dataset, capsys, "--unseen", "class 3" if "folder" in form else "3", "--snapshots", "3")
    forget_data()
    for command in (["plot"], ["plot", "hardest"], ["plot", "confusion"], ["plot", "roc"], ["explore"]):
        named = ["--dataset", dataset] if form == "function" else []
        assert main([*command, *named]) == 0, command
    assert main(["plot", "--dataset", dataset]) == 0
    assert len(list((place / "results" / "figures").glob("*.png"))) >= 4


def test_only_images_can_be_attacked(place, capsys):
    train(make("embeddings", place), capsys)
    assert main(["plot", "attacked"]) == 1
    assert "was trained on feature vectors; only images can be attacked." in capsys.readouterr().err


@pytest.mark.parametrize(
    "labels", [np.arange(30) % 3, np.array([b"b", b"a", b"\xc3\xa9"])[np.arange(30) % 3]]
)
def test_words_in_bytes_are_names_of_classes(place, labels):
    """As Fortran, HDF5 and Python 2 store them."""
    np.savez("bytes.npz", x=np.arange(60.0).reshape(30, 2), y=labels, classes=[b"b", b"a", "é".encode()])
    config = make_config(dataset="bytes.npz")
    assert config.data is not None and config.data.classes == ("b", "a", "é")
    split = load_splits(config.split_spec).train
    assert (split.images[:, 0] / 2 % 3).long().tolist() == split.labels.tolist()


def test_the_same_content_in_another_place_is_the_same_run(place):
    first = make_config(dataset=make("npz", place))
    shutil.move(place / "npz.npz", place / "other")
    images, labels = digits()
    (place / "pair").mkdir()
    np.save(place / "pair" / "x.npy", images)
    np.save(place / "pair" / "y.npy", labels)
    names = {make_config(dataset=str(place / name)).data.digest for name in ("other", "pair", "pair/x.npy")}
    assert names == {first.data.digest}
    (place / "elsewhere").mkdir()
    shutil.move(place / "other", place / "elsewhere" / "npz.npz")
    assert make_config(dataset=str(place / "elsewhere" / "npz.npz")).id == first.id


def test_stored_runs_are_found_by_their_data_under_any_name_of_these(place, capsys):
    """Also two names of which nothing but the sign that file names leave out differs."""
    first = train(dataset := make("npz", place), capsys)
    for other in ("npz_.npz", "other.npz"):
        forget_data()
        shutil.copy(dataset, place / other)
        assert train(other, capsys) == first
    forget_data()
    assert train("npz_.npz", capsys, "--results", "others")["run"] != first["run"]  # its own name
    for results, name in (("results", "npz"), ("others", "npz_")):  # known by both titles to this process
        assert len(found := lossbench.runs(results=results)) == 1
        assert json.loads((found[0].path / "config.json").read_text())["data"]["title"] == name
        assert main(["plot", "hardest", "--results", results, "--json"]) == 0
        figure = json.loads(capsys.readouterr().out)["figure"]
        assert json.loads(Path(f"{figure}.json").read_text())["files"][0]["runs"] == [found[0].name]


def test_the_name_that_runs_print_is_taken_where_they_answer(place, capsys):
    dataset = make("npz", place)
    trained = train(dataset, capsys)["run"]
    name = json.loads((place / "results" / "runs" / trained / "config.json").read_text())["dataset"]
    Path(dataset).unlink()
    forget_data()
    compare = ["compare", "--losses", "softmax", *OPTIONS, "--json"]
    for option in ("--dataset", "--datasets"):
        assert main([*compare, option, name]) == 0
        assert json.loads(capsys.readouterr().out)["runs"][0]["run"] == trained
        forget_data()
    assert main(["plot", "target-logits", "--loss", "arcface", "--dataset", name]) == 0
    assert main([*compare, "--dataset", name, "--seeds", "1"]) == 1
    assert "npz.npz is not there; say with --dataset where the data are now" in capsys.readouterr().err
    assert main(["train", "--dataset", "npz@0123456789"]) == 2
    assert "has no run on npz@0123456789; name the folder or file of these data" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["npz", "folder", "embeddings"])
def test_changed_data_are_refused_and_forced(form, place, capsys):
    dataset = make(form, place)
    before = train(dataset, capsys)
    path = place / "folder" / "class 0" / "0000.png"
    if form == "folder":
        from PIL import Image

        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    else:
        arrays = dict(np.load(dataset))
        key = next(name for name in arrays if name != "labels")
        arrays[key][0, 0] += 1
        np.savez(dataset, **arrays)
    forget_data()
    assert main(["train", "--dataset", dataset, *OPTIONS]) == 1
    said = capsys.readouterr().err
    assert "have changed since softmax-" in said and "--force" in said
    assert (
        main(["compare", "--losses", "softmax,center", "--seeds", "0", "--dataset", dataset, *OPTIONS]) == 1
    )
    last = capsys.readouterr().err.splitlines()[-1]  # one reason, before any run fails by it
    assert last.startswith("lossbench: The data in ") and "have changed since softmax-" in last
    after = train(dataset, capsys, "--force")
    assert after["run"] != before["run"]
    train(dataset, capsys, "--loss", "center")  # no longer refused
    assert main(["explore", "--run", before["run"]]) == 1  # its images are gone
    assert "have changed" in capsys.readouterr().err


def test_data_that_change_while_a_command_runs_are_not_trained_on(place):
    config = make_config(dataset=make("npz", place))
    images, labels = digits()
    np.savez(place / "npz.npz", images=images[::-1], labels=labels)
    with pytest.raises(DataError, match="have changed"):
        load_splits(config.split_spec)


def test_opening_stored_runs_never_runs_the_function(place, capsys):
    train(make("function", place), capsys)
    (place / "my_data.py").write_text("raise SystemExit('the code of a stored run was executed')")
    sys.modules.pop("my_data")
    forget_data()
    assert main(["runs"]) == 0
    assert main(["plot"]) == 0
    for command in (["plot", "hardest"], ["plot", "attacked"], ["explore"]):
        assert main(command) == 1
        assert "code from outside, which is not run to read a stored run; say" in capsys.readouterr().err


def test_a_function_that_was_defined_anew_is_the_one_that_is_called(place):
    """As in a notebook whose cell is run again."""
    name = make("function", place)
    before = make_config(dataset=name)
    module = importlib.import_module("my_data")
    first = module.digits
    module.digits = lambda: tuple(array[:400] for array in first())
    after = make_config(dataset=name)
    assert after.data.samples < 330 < before.data.samples
    assert len(load_splits(after.split_spec).train.labels) + after.val_size == after.data.samples
    module.digits = []
    with pytest.raises(InvalidData, match="'list' object is not callable"):
        make_config(dataset=name)


@pytest.mark.parametrize("form", ["npz", "folder", "function"])
def test_processes_train_the_same_runs(form, place, capsys):
    dataset = make(form, place)
    command = ["compare", "--losses", "softmax,center", "--seeds", "0-1", "--dataset", dataset, *OPTIONS]
    assert main([*command, "--jobs", "2"]) == 0
    assert main([*command, "--jobs", "1", "--results", "alone"]) == 0
    for folder in (place / "results" / "runs").iterdir():
        alone = place / "alone" / "runs" / folder.name / "model.safetensors"
        assert alone.read_bytes() == (folder / "model.safetensors").read_bytes()
    assert "4 classes" not in capsys.readouterr().err
    for kind in ("tables/*.md", "figures/*.png"):
        assert list((place / "results").glob(kind))


def test_a_data_set_of_this_package_goes_before_a_folder_of_its_name(place):
    user_data.write_images(place / "digits", *digits())
    assert make_config(dataset="digits").data is None
    assert make_config(dataset="./digits").data.title == "digits"


def test_sweep_and_selection_by_place_and_by_name(place, capsys):
    dataset = make("embeddings", place)
    command = ["sweep", "--loss", "center", "--lambda", "0.01,0.1", "--dataset", dataset, *OPTIONS]
    assert main([*command, "--network", "mlp"]) == 0
    name = Store(place / "results").all()[0][0].config.dataset
    os.remove(dataset)
    forget_data()
    assert main(["plot", "curves", "--loss", "center", "--dataset", name]) == 0
    assert main(["plot", "--dataset", "embeddings.npz"]) == 2
    assert "is not there" in capsys.readouterr().err


def test_a_stored_description_that_was_changed_is_refused(place, capsys):
    document = train(make("npz", place), capsys)
    path = place / "results" / "runs" / document["run"] / "config.json"
    stored = json.loads(path.read_text())
    for key, value in {
        "classes": ["a", "a", "b", "c"], "shape": [1, -8, 8], "mean": [float("nan")], "digest": "x",
        "deviation": [0.0], "title": 3,
    }.items():  # fmt: skip
        path.write_text(json.dumps({**stored, "data": {**stored["data"], key: value}}))
        forget_data()
        assert Store(place / "results").all()[0] == [], key
    path.write_text(json.dumps({key: value for key, value in stored.items() if key != "data"}))
    forget_data()
    assert Store(place / "results").all()[0] == []


def test_image_size_brings_images_to_one_size(place):
    images, labels = digits()
    user_data.write_images(place / "mixed", images, labels)
    user_data.write_images(place / "mixed", np.kron(images[:9], np.ones((2, 3), np.uint8)), labels[:9])
    config = make_config(dataset=str(place / "mixed"))
    with pytest.raises(InvalidData, match=r"has .* pixels.*--image-size"):
        load_splits(config.split_spec)
    config = make_config(dataset=str(place / "mixed"), image_size=12)
    assert load_splits(config.split_spec).train.images.shape[1:] == (1, 12, 12) == config.input_shape
    assert config.id != make_config(dataset=str(place / "mixed"), image_size=13).id
    with pytest.raises(UsageError, match="--image-size"):
        make_config(dataset="digits", image_size=8)


def test_features_reach_python_and_the_exported_network_as_they_are(place, capsys):
    import lossbench
    from lossbench.runs.stored_run import StoredRun

    found = lossbench.train(
        dataset=make("embeddings", place), epochs=1, network="mlp", precision="fp32", progress=False
    )
    given = found.images["test"]
    assert given.shape == (144, 64) and given.dtype == np.float32
    np.testing.assert_allclose(found.network(given).detach().numpy(), found.features["test"], atol=1e-5)
    pictures = StoredRun(Store(place / "results").all()[0][0]).images("test")
    assert pictures.shape == (144, 1, 8, 8) and pictures.dtype == np.uint8
    assert pictures.std() > 20


@pytest.mark.parametrize("form", ["npz", "folder"])
def test_tuning_and_animation(form, place, capsys):
    dataset = make(form, place)
    train(dataset, capsys, "--snapshots", "3")
    assert main(["animate", "--output", "a.gif"]) == 0
    assert Path("a.gif").read_bytes().startswith(b"GIF")
    command = ["tune", "--loss", "center", "--trials", "2", "--dataset", dataset, *OPTIONS]
    assert main(command) == 0
    assert (
        main(["compare", "--losses", "center", "--tuned", "--seeds", "1", "--dataset", dataset, *OPTIONS])
        == 0
    )


@pytest.mark.parametrize("names", [("train",), ("train", "val"), ("train", "val", "test"), ("train", "car")])
def test_folders_that_are_parts_and_folders_that_are_classes(names, place):
    images, labels = digits()
    for number, name in enumerate(names):
        if names == ("train", "car"):
            user_data.write_images(place / "p" / name, images[:9], labels[:9])  # the class may have folders
        else:
            user_data.write_images(place / "p" / name, images[number::9], labels[number::9])
    splits = load_splits(make_config(dataset=place / "p").split_spec)
    counts = {"train": 80, "val": 80, "test": 80}
    if names == ("train", "car"):
        assert [len(part.labels) for part in splits[:3]] == [13, 1, 4]
    elif names == ("train",):
        assert [len(part.labels) for part in splits[:3]] == [58, 6, 16]
    else:
        assert [len(part.labels) for part in splits[:3]] == [72, 8, counts[names[-1]]]
        shown = images[len(names) - 1 :: 9]
        assert int(splits.test.images.sum()) == int(shown.sum())  # `test` goes before `val`


def test_a_stored_run_that_was_opened_before_changes_no_default(place, capsys):
    dataset = make("embeddings", place)
    config = make_config(dataset=dataset)
    assert config.network == "mlp" and config.val_size == 57 and config.epochs == 40
    run(make_config(dataset=dataset, epochs=1), place / "results")
    forget_data()
    opened = Store(place / "results").all()[0][0].config
    again = make_config(dataset=dataset)
    assert again == config and again.id == config.id
    assert make_config(dataset=opened.dataset) == config
    moved = str(place / "moved.npz")
    shutil.move(dataset, moved)
    assert load_splits(make_config(dataset=moved, epochs=2).split_spec).train.images.shape == (519, 64)


def other_data() -> bytes:
    file, (images, labels) = io.BytesIO(), digits()
    np.savez_compressed(file, images=images[::-1], labels=labels)
    return file.getvalue()


@pytest.mark.parametrize("moved", ["elsewhere/other.npz", "NPZ!.npz"])
def test_data_that_were_moved_are_shown_from_where_they_are_now(place, capsys, moved, monkeypatch):
    """Under any name: the runs are those of these data, which their digest tells."""
    dataset, results = make("npz", place), ("--results", str(place / "results"))
    name = train(dataset, capsys, *results)["run"]
    (place / moved).parent.mkdir(exist_ok=True)
    shutil.move(dataset, place / moved)
    forget_data()
    assert main(["plot", "hardest", *results]) == 1
    assert "npz.npz is not there; say with --dataset where the data are now" in capsys.readouterr().err
    for content in (b"", (place / moved).read_bytes()[:-1], other_data()):  # there is something else
        Path(dataset).write_bytes(content)
        for command in (["plot", "hardest"], ["plot", "attacked"], ["explore"], ["export", "--run", name]):
            more = ["--output", "a.onnx"] if command[0] == "export" else []
            forget_data()
            assert main([*command, *more, *results]) == 1
            assert "; say with --dataset where the data are now" in capsys.readouterr().err
    forget_data()
    for run_name in ((), ("--run", name)):
        assert main(["plot", "hardest", *run_name, "--dataset", moved, *results, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["runs"] == [name]
        forget_data()
    monkeypatch.setattr("lossbench.reports.onnx_file.export", lambda run, path: run.samples("test").missing)
    for command in (["plot", "hardest"], ["export", "--output", "a.onnx"]):
        assert main([*command, "--run", name, "--dataset", "digits", *results]) == 2
        assert f"{name} was trained on npz@" in capsys.readouterr().err
    with pytest.raises(AttributeError, match="missing"):  # the samples were read
        main([*command, "--run", name, "--dataset", moved, *results])
    assert main(["plot", "hardest", "--loss", "ring", "--dataset", moved, *results]) == 1
    assert (
        f" --dataset {shlex.quote(str(place / moved))} " in capsys.readouterr().err
    )  # of the command that makes it


def test_an_interrupted_run_is_not_continued_on_other_data(place, capsys):
    from lossbench.errors import Interrupted

    dataset = make("npz", place)
    config = make_config(dataset=dataset, epochs=2, batch_size=32, network="linear")
    with pytest.raises(Interrupted):
        run(config, place / "results", Recorder(stop_after=20))
    images, labels = digits()
    np.savez(dataset, images=255 - images, labels=labels)
    assert main(["train", "--dataset", dataset, *OPTIONS]) == 1
    assert f"have changed since {config.run_name} was trained" in capsys.readouterr().err
    assert len(list((place / "results" / "runs").iterdir())) == 1
