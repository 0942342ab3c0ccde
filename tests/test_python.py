"""The functions of `import lossbench`: they do what the commands do, in a script as in a test."""

from __future__ import annotations

import importlib
import inspect
import json
import math
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import lossbench
from lossbench.__main__ import main
from lossbench.cli import COMMANDS
from lossbench.cli._options import OPTIONS_OF_RUN
from lossbench.cli._python import loss_name, names_of, python_request, seeds_of
from lossbench.errors import Interrupted, LossbenchError, RunError, UsageError
from lossbench.experiments.loss_search import SearchResult
from lossbench.losses import Center, WeightedSum
from lossbench.runs.config import LOSS_OPTIONS, RUN_OPTIONS
from lossbench.specs import catalog

QUICK: dict[str, Any] = {
    "dataset": "digits",
    "epochs": 2,
    "batch_size": 100,
    "precision": "fp32",
    "device": "cpu",
}
FLAGS = [
    "--dataset",
    "digits",
    "--epochs",
    "2",
    "--batch-size",
    "100",
    "--precision",
    "fp32",
    "--device",
    "cpu",
]


class Own(torch.nn.Module):
    """A linear classifier of a user."""

    def __init__(self, num_classes: int, feature_dim: int, factor: float = 1.0) -> None:
        super().__init__()
        self.linear, self.factor = torch.nn.Linear(feature_dim, num_classes), factor

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.linear(features)
        return scores

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.factor * torch.nn.functional.cross_entropy(self.logits(features), labels)


class Flat(torch.nn.Module):
    """A network of a user."""

    def __init__(self, input_shape: tuple[int, ...], feature_dim: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], feature_dim)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.linear(images.flatten(1))
        return features


class Broken(Own):
    """One that fails."""

    def forward(self, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("my own mistake")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A results folder with runs of three losses, two seeds each."""
    folder = tmp_path_factory.mktemp("python") / "results"
    lossbench.compare(["softmax", "center", Own], seeds=range(2), results=folder, snapshots=3, **QUICK)
    return folder


@pytest.fixture(scope="module")
def run(folder):
    return lossbench.train("center", results=folder, **QUICK)


# Import and documentation


def test_importing_the_package_loads_nothing():
    code = (
        "import sys; before = set(sys.modules); import lossbench; new = set(sys.modules) - before\n"
        "print(sorted(m for m in new if m.startswith('lossbench') or m in ('torch', 'numpy', 'rich')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['lossbench']"


def test_every_function_is_typed_and_documented():
    for name in lossbench.__all__:
        function = lossbench.runs.__call__ if name == "runs" else getattr(lossbench, name)
        text = inspect.getdoc(function)
        assert {"Args:", "Raises:"} <= set(text.splitlines()), name
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, name
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, (name, parameter)
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD or parameter.name == "options":
                assert parameter.name in text, (name, parameter)


def test_an_argument_has_one_default_and_it_is_that_of_the_command():
    """Beside those of `tune`, which searches over seeds of its own on another metric."""
    defaults: dict[str, set[Any]] = {}
    for name in set(lossbench.__all__) - {"runs", "tune"}:
        for parameter in inspect.signature(getattr(lossbench, name)).parameters.values():
            if parameter.default is not inspect.Parameter.empty:
                defaults.setdefault(parameter.name, set()).add(parameter.default)
    assert {name: values for name, values in defaults.items() if len(values) > 1} == {}
    tune = inspect.signature(lossbench.tune).parameters
    for name in ("jobs", "settings", "results", "progress"):
        assert {tune[name].default} == defaults[name]
    flags = {"force": False, "snapshots": 0, "tuned": False, "tensorboard": False, "progress": True}
    assert {name: defaults[name] for name in flags} == {name: {value} for name, value in flags.items()}


def test_the_functions_have_the_names_of_commands():
    assert set(lossbench.__all__) - {"load"} <= set(COMMANDS)


def test_the_package_runs_is_a_function_too(folder):
    """`lossbench.runs` is a package, whose import hides the function of this name."""
    import lossbench.runs.store

    assert lossbench.runs.store.Store
    assert len(lossbench.runs(results=folder)) == 6


# Training: the same store and the same ids as the command line


def test_train_is_the_command(capsys, tmp_path):
    run = lossbench.train("center", lam=0.003, seed=1, results=tmp_path, progress=False, **QUICK)
    assert capsys.readouterr() == ("", "")
    flags = ["--loss", "center", "--lambda", "0.003", "--seed", "1", *FLAGS, "--json"]
    before = (run.path / "result.json").stat().st_mtime_ns
    assert main(["train", *flags, "--results", str(tmp_path)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["run"] == run.name
    assert (run.path / "result.json").stat().st_mtime_ns == before  # nothing was trained again
    assert document["test_accuracy"] == run.metrics["test_accuracy"]


def test_every_option_of_a_run_is_an_argument(tmp_path, monkeypatch):
    """By the names of RunConfig; `lam` for lambda."""
    configs: list[Any] = []
    monkeypatch.setattr("lossbench.cli.train.train_run", lambda run, *_: configs.append(run.config))
    monkeypatch.setattr("lossbench.cli._python.open_run", lambda *_: None)
    given = {
        **{"network": "stride3", "feature_dim": 3, "dataset": "digits", "val_size": 100, "epochs": 2},
        **{"batch_size": 50, "optimizer": "sgd", "lr": 0.1, "weight_decay": 0.01, "momentum": 0.5},
        **{"nesterov": False, "lr_scale": "loss=2", "schedule": "step", "warmup": 0.1, "decay": 0.3},
        **{"milestones": [0.5, 0.75], "seed": 3, "precision": "fp32", "sampler": "balanced"},
        **{"classes_per_batch": 5, "samples_per_class": 4, "unseen": [7, 8, 9], "recipe": "fast"},
        **{"train_size": 300, "imbalance": 2.0, "label_noise": 0.1, "noise_kind": "pair"},
        **{"lam": 0.01, "alpha": 0.3},
    }
    of_run = {name for name, option in RUN_OPTIONS.items() if option.on_command_line}
    assert {*of_run, "lam", *(LOSS_OPTIONS.keys() - {"lambda"}), "recipe"} == OPTIONS_OF_RUN.keys()
    assert given.keys() <= OPTIONS_OF_RUN.keys()
    lossbench.train("center", results=tmp_path, **given)
    (config,) = configs
    expected = {**given, "milestones": (0.5, 0.75), "unseen": (7, 8, 9), "batch_size": 20}
    for name in of_run & given.keys():
        assert getattr(config, name) == expected[name], name
    assert config.value_of("lambda") == 0.01
    assert config.value_of("alpha") == 0.3
    lossbench.train("arcface", margin=0.2, scale=np.float64(8), seed=np.int64(2), results=tmp_path)
    assert {"margin", "scale"} <= LOSS_OPTIONS.keys()
    assert dict(configs[1].terms[0].settings)["scale"] == 8
    assert configs[1].seed == 2


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda **o: lossbench.train("center", epoch=3, **o), "did you mean epochs"),
        (lambda **o: lossbench.train("center", lambda_=3, **o), "Unknown option"),
        (lambda **o: lossbench.train("center", results_dir=3, **o), "Unknown option"),
        (lambda **o: lossbench.train("cente", **o), "did you mean center"),
        (lambda **o: lossbench.train(3, **o), "a name, a sum or a class, not int"),
        (lambda **o: lossbench.train("center", epochs=0, **o), "--epochs 0"),
        (lambda **o: lossbench.train("center", epochs=[1, 2], **o), "one value here"),
        (lambda **o: lossbench.train("center", threads=0, **o), "--threads 0"),
        (lambda **o: lossbench.train("center", snapshots=-1, **o), "snapshots"),
        (lambda **o: lossbench.train("center", settings={"alfa": 1}, **o), "alfa"),
        (lambda **o: lossbench.compare(["center"], seeds=[], **o), "seeds is empty"),
        (lambda **o: lossbench.compare(["center"], seeds=["a"], **o), "--seed a"),
        (lambda **o: lossbench.compare(["center"], seed=1, **o), "Unknown option"),
        (lambda **o: lossbench.compare(["center"], baseline="arcface", **o), "--baseline arcface"),
        (lambda **o: lossbench.compare(["center"], metric="acuracy", **o), "did you mean"),
        (lambda **o: lossbench.sweep("center", beta=[1, 2], **o), "Unknown option"),
        (lambda **o: lossbench.runs(seed="x", **o), "--seed x"),
        (lambda **o: lossbench.runs(sed=1, **o), "did you mean seed"),
        (lambda **o: lossbench.runs(loss="cente", **o), "did you mean"),
        (lambda **o: lossbench.load("center", **o), "no run"),
        (lambda **o: lossbench.plot("featurs", **o), "did you mean features"),
        (lambda **o: lossbench.plot("features", [], **o), "no run to show"),
        (lambda **o: lossbench.explain("arcface", settings={"m": 1}), "no setting 'm'"),
    ],
)
def test_a_mistake_is_a_sentence_and_leaves_nothing(tmp_path, call, sentence):
    with pytest.raises(UsageError, match=sentence) as caught:
        call(results=tmp_path / "results")
    assert isinstance(caught.value, ValueError)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda **o: lossbench.plot("features", "softmax", **o), "A run is what .* not str"),
        (lambda **o: lossbench.plot("features", 5, **o), "not int"),
        (lambda **o: lossbench.animate([None], **o), "not NoneType"),
        (lambda **o: lossbench.export("softmax", "net.onnx"), "A run is what .* not str"),
        (lambda **o: lossbench.plot(5, **o), "Unknown figure '5'"),
        (lambda **o: lossbench.plot("heatmap", over=["lam"], **o), "--over takes a text, not list"),
        (lambda **o: lossbench.animate(fps=0, **o), "--fps 0 is too small"),
        (lambda **o: lossbench.load(5, **o), "A path is .* not int"),
        (lambda **o: lossbench.train(data_dir=[], **o), "A path is .* not list"),
        (lambda **o: lossbench.runs(results=b"results"), "A path is .* not bytes"),
        (lambda **o: lossbench.train(snapshots="3", **o), "--snapshots 3 is not a number"),
        (lambda **o: lossbench.train(snapshots=2.5, **o), "--snapshots 2.5 is not a whole number"),
        (lambda **o: lossbench.train(settings=[("alpha", 1)], **o), "settings are a dictionary"),
        (lambda **o: lossbench.train(settings={1: 1}, **o), "settings are a dictionary"),
        (lambda **o: lossbench.explain("arcface", settings={1: 1}), "settings are a dictionary"),
        (lambda **o: lossbench.explain(None), "A loss is .* not NoneType"),
        (lambda **o: lossbench.train(unseen=8, **o), "--unseen takes a text or a list, not int"),
        (lambda **o: lossbench.runs(unseen=8, **o), "--unseen takes a text or a list, not int"),
        (lambda **o: lossbench.train(augment=["shift"], **o), "--augment takes a text, not list"),
        (lambda **o: lossbench.train(device=torch.device("cpu"), **o), "--device takes a text"),
        (lambda **o: lossbench.train(init=5, **o), "--init takes a text, not int"),
        (lambda **o: lossbench.train(recipe=["paper"], **o), "--recipe .* is not a name"),
        (lambda **o: lossbench.compare(5, **o), "A loss is .* not int"),
        (lambda **o: lossbench.runs(loss=5, **o), "A loss is .* not int"),
        (lambda **o: lossbench.compare(seeds=None, **o), "--seed None is not a number"),
        (lambda **o: lossbench.compare(seeds=[[1]], **o), r"--seed \[1\] is not a number"),
        (lambda **o: lossbench.compare(seeds=1.5, **o), "--seed 1.5 is not a whole number"),
        (lambda **o: lossbench.compare(metric=[], **o), "metric is empty"),
        (lambda **o: lossbench.compare(metric=[5], **o), "metric takes names, not int"),
        (lambda **o: lossbench.compare(datasets=[], **o), "datasets is empty"),
        (lambda **o: lossbench.compare(datasets=5, **o), "datasets takes names, not int"),
        (lambda **o: lossbench.compare(jobs="2", **o), "--jobs 2 is not a number"),
        (lambda **o: lossbench.sweep(jobs=-1, loss="center", **o), "--jobs -1 is too small"),
        (lambda **o: lossbench.sweep("center", lam=[], **o), "--lambda has no value"),
        (lambda **o: lossbench.sweep("center", lam={0.1}, **o), "--lambda {0.1} is not a number"),
        (lambda **o: lossbench.sweep("center", settings={"alpha": []}, **o), "alpha has no value"),
    ],
)
def test_a_value_of_a_wrong_type_is_a_sentence(tmp_path, call, sentence):
    with pytest.raises(UsageError, match=sentence):
        call(results=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_numbers_of_arrays_are_the_numbers_that_they_show(folder):
    lam = [np.float32(0.1), np.int64(1)]
    rate = torch.tensor(1e-3, requires_grad=True)
    request, _ = python_request({"lam": lam, "lr": rate, "epochs": np.arange(1, 3)}, None, folder)
    assert request.axes == {"lambda": (0.1, 1), "lr": (0.001,), "epochs": (1, 2)}
    assert seeds_of([np.int64(3), 3, 4]) == (3, 4)
    assert names_of("datasets", "digits, mnist") == names_of("datasets", ["digits", Path("mnist")])


def test_the_process_is_left_as_it_was(tmp_path):
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.random.get_rng_state()
    torch.set_num_threads(2)
    lossbench.train("softmax", results=tmp_path, progress=False, **QUICK)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before[0])
    assert torch.backends.cudnn.deterministic == before[1]
    assert torch.equal(torch.random.get_rng_state(), before[2])


# A run


def test_a_run_has_its_arrays(run):
    assert set(run.features) == {"train", "val", "test"}
    for split, features in run.features.items():
        count = len(run.labels[split])
        assert features.shape == (count, 2)
        assert features.dtype == np.float32
        assert run.images[split].shape == (count, 1, 28, 28)
        assert run.images[split].dtype == np.uint8
        assert run.predictions[split].shape == (count,)
    accuracy = (run.predictions["test"] == run.labels["test"]).mean()
    assert accuracy == pytest.approx(run.metrics["test_accuracy"])
    assert [record.epoch for record in run.history] == [1, 2]
    assert run.config.loss == "center"
    assert run.name in repr(run)
    with pytest.raises(KeyError):
        run.images["valid"]
    assert 0 < run.measure("recall-at-1", "gap")["recall-at-1"] <= 1
    with pytest.raises(UsageError, match="did you mean recall-at-1"):
        run.measure("recall-at-2")


def test_the_modules_of_a_run_have_its_weights(run):
    images = run.images["test"]
    with torch.inference_mode():
        features = run.network(images)
        assert torch.equal(features, run.network(torch.from_numpy(images).float()))
        logits = run.loss.classifier().logits(features)
    assert np.allclose(features.numpy(), run.features["test"], atol=1e-4)
    assert (logits.argmax(1).numpy() == run.predictions["test"]).mean() > 0.99
    assert np.array_equal(images, run.view.images("test"))  # normalized in a copy
    assert isinstance(run.loss, WeightedSum)
    assert isinstance(run.loss.losses[1], Center)
    labels = torch.from_numpy(run.labels["test"])
    run.loss(run.network(images), labels).backward()  # though it was loaded in inference mode
    assert run.loss.losses[0].weight.grad.abs().sum() > 0


def test_networks_data_and_first_weights_of_a_user(tmp_path, run):
    """A class, a path and a run instead of their names."""
    data = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", images=data, labels=np.arange(60) % 3)
    options = {**QUICK, "dataset": tmp_path / "data.npz", "batch_size": 10}
    first = lossbench.train("softmax", network=Flat, results=tmp_path / "results", **options)
    assert first.config.network == f"{__name__}:Flat"
    assert first.images["test"].shape[1:] == (1, 8, 8)
    assert first.network(first.images["test"]).shape == (len(first.labels["test"]), 2)
    again = lossbench.train("center", network=Flat, init=first, results=tmp_path / "results", **options)
    assert again.config.init.startswith(first.name)
    (found,) = lossbench.runs(network=Flat, loss="center", results=tmp_path / "results")
    assert found.name == again.name


def test_classes_kept_out_of_training_keep_their_numbers(tmp_path):
    run = lossbench.train("softmax", unseen=[2, 5], results=tmp_path, **QUICK)
    assert set(run.labels["unseen"]) == {2, 5}
    assert not {2, 5} & set(run.predictions["test"])


# Opening runs


def test_runs_are_found_and_loaded(folder, run, monkeypatch):
    assert [each.config.seed for each in lossbench.runs(loss="center", results=folder)] == [0, 1]
    assert [each.name for each in lossbench.runs(loss=["center"], seed=0, results=folder)] == [run.name]
    assert len(lossbench.runs(loss=Own, seed=[0, 1], results=folder)) == 2
    assert lossbench.runs(epochs=3, results=folder) == []
    assert len(lossbench.runs(epochs=np.array([2, 3]), unseen="none", results=folder)) == 6
    for name in (run.path, str(run.path)):
        assert lossbench.load(name).name == run.name
    for name in (run.name, run.config.id[:6]):
        assert lossbench.load(name, results=folder).name == run.name
    monkeypatch.chdir(run.path.parent)
    assert lossbench.load(run.name).name == run.name
    assert lossbench.runs(results="nowhere") == []
    assert not Path("nowhere").exists()
    with pytest.raises(RunError, match="no config"):
        lossbench.load(folder / "runs" / "none")


def test_opening_a_run_of_an_own_loss_does_not_run_its_code(folder, tmp_path):
    """Not for arrays, metrics, network or figure; only for the loss itself."""
    run = lossbench.runs(loss=Own, results=folder)[0]
    code = f"""
        import lossbench, sys
        run = lossbench.load({str(run.path)!r})
        run = lossbench.runs(results={str(folder)!r}, loss={run.config.loss!r})[0]
        repr(run), run.features, run.labels, run.predictions, run.metrics, run.history, run.images["test"]
        run.network(run.images["test"][:5])
        lossbench.plot("features", run)._repr_png_()
        assert "tests.test_python" not in sys.modules
        run.loss
        assert "tests.test_python" in sys.modules
    """
    root = Path(__file__).parents[1]
    path = [str(root)]
    code = f"import sys; sys.path[:0] = {path}\n{textwrap.dedent(code)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


# Comparison, sweep, figures


def test_a_comparison_has_tables_and_figures(folder):
    found = lossbench.compare(
        "softmax,center",
        baseline="center",
        metric=["test_accuracy", "gap"],
        seeds="0-1",
        results=folder,
        **QUICK,
    )
    assert [row.loss for row in found.rows] == ["softmax", "softmax"]
    assert found.table().header[0] == "loss"
    assert [row[0] for row in found.table().rows] == ["Softmax", "Center"]
    assert str(found.differences()).startswith("| metric |")
    assert found.to_latex().count("tab:compare-softmax-center-digits") >= 2
    assert "| Softmax |" in found._repr_markdown_()
    assert repr(found) == "<Comparison of 4 runs, Digits: Softmax · Center>"
    assert len(found.runs) == 4
    for kind in (None, "features", "forest"):
        assert isinstance(found.figure(kind), Figure)
    with pytest.raises(UsageError, match="did you mean forest"):
        found.figure("forrest")


def test_one_seed_has_no_differences(folder):
    found = lossbench.compare(["softmax", "center"], results=folder, **QUICK)
    assert found.rows == ()
    with pytest.raises(UsageError, match="two seeds"):
        found.differences()


def test_a_sweep_varies_lists(folder, capsys):
    found = lossbench.sweep(
        "center", lam=[0, 0.1], settings={"alpha": np.array([0.5])}, jobs=1, results=folder, **QUICK
    )
    assert dict(found.varied) == {"lambda": [0.0, 0.1]}
    assert [row.done for row in found.document.settings] == [1, 1]
    assert isinstance(found.figure(), Figure)
    capsys.readouterr()
    again = lossbench.sweep("center", lam="0,0.1", alpha=0.5, jobs=1, results=folder, **QUICK)
    assert [run.name for run in again.runs] == [run.name for run in found.runs]
    assert "to train" not in capsys.readouterr().err


def test_a_sweep_trains_as_many_runs_at_a_time_as_fit(monkeypatch, tmp_path):
    """Which is what 0 means; the command `sweep` does the same."""
    asked = []

    def run_configs(*_, jobs):
        asked.append(jobs)
        raise RunError("nothing is to be trained")

    monkeypatch.setattr("lossbench.cli._training.run_configs", run_configs)
    with pytest.raises(RunError, match="nothing is to be trained"):
        lossbench.sweep("center", lam=[0, 0.1], results=tmp_path, **QUICK)
    assert main(["sweep", "--loss", "center", "--lambda", "0,0.1", "--results", str(tmp_path)]) == 1
    assert asked == [0, 0]


def test_a_figure_shows_itself_in_a_notebook(folder, run):
    figure = lossbench.plot("features", [run, lossbench.runs(loss="softmax", seed=1, results=folder)[0]])
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    titles = " ".join(text.get_text() for axes in figure.axes for text in axes.texts)
    assert "seed 0" in titles
    assert "seed 1" in titles
    assert isinstance(lossbench.plot("curves", style="dark", results=folder), Figure)
    assert isinstance(lossbench.plot("target-logits"), Figure)
    with pytest.raises(UsageError, match="has no option --metrics"):
        lossbench.plot("features", run, metrics="gap")
    with pytest.raises(UsageError, match="drawn from"):
        lossbench.plot("budget", run)


def test_an_animation_shows_itself_in_a_notebook(folder, tmp_path):
    shown = lossbench.animate(results=folder)
    assert shown.path.parent == folder / "figures"
    assert shown._repr_html_().startswith('<img src="data:image/gif;base64,R0lGOD')
    run = lossbench.runs(loss="center", seed=1, results=folder)[0]
    assert lossbench.animate(run, tmp_path / "a.gif").path == tmp_path / "a.gif"
    with pytest.raises(UsageError, match="not one of gif, mp4"):
        lossbench.animate(run, tmp_path / "a.png")
    with pytest.raises(UsageError, match="--view x is not one of raw, normalized"):
        lossbench.animate(run, tmp_path / "a.gif", view="x")


def test_explain_is_the_explanation():
    explanation = lossbench.explain("am-softmax", 10, 3, settings={"margin": 0.2})
    assert explanation.settings["margin"] == 0.2
    assert explanation.curve is not None
    as_of_the_command = lossbench.explain("arcface", classes=10, dim=2)
    assert lossbench.explain("arcface").best_probability == as_of_the_command.best_probability


def test_tune_goes_on_and_gives_what_compare_takes(tmp_path):
    fixed = {"lr": 0.005, "lam": 0.01, "results": tmp_path, "progress": False}
    found = lossbench.tune("center", trials=1, seeds=5, **fixed, **QUICK)
    assert (found.trials, set(found.point)) == (1, {"lr", "lambda", "center.alpha"})
    again = lossbench.tune("center", trials=2, seeds=[5], **fixed, **QUICK)
    assert (again.trials, again.values[0]) == (2, found.value)
    compared = lossbench.compare(["center"], tuned=True, results=tmp_path, seeds=6, **QUICK)
    assert compared.runs[0].config.lr == 0.005
    with pytest.raises(UsageError, match="never looks at the test split"):
        lossbench.tune("center", metric="test_accuracy", **fixed, **QUICK)


def test_tune_finds_the_best_of_several_losses(tmp_path):
    fixed = {"results": tmp_path, "progress": False, **QUICK}
    found = lossbench.tune(losses=["softmax", "center"], budget=5, seeds=5, **fixed)
    assert isinstance(found, SearchResult)
    assert {each.loss for each in found.outcomes} == {"softmax", "center"}
    assert found.outcomes[0].verdict == "best"
    assert found.candidates[0] == found.outcomes[0].loss
    again = lossbench.tune(losses="softmax, center", budget="1s", seeds="5", **fixed)
    assert (again.study, again.trials > found.trials) == (found.study, True)
    compared = lossbench.compare(again.candidates[:1], tuned=True, seeds=6, **fixed)
    assert len(compared.runs) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"loss": "center", "losses": ["softmax"]}, "excludes --loss and --trials"),
        ({"losses": ["softmax"], "trials": 3}, "excludes --loss and --trials"),
        ({"loss": "center", "budget": 3.0}, "--loss with --trials, or --losses with --budget"),
        ({}, "--loss with --trials, or --losses with --budget"),
        ({"loss": "center", "trials": 0}, "at least one trial"),
        ({"losses": ["softmax"], "budget": 0.0}, "a time such as"),
        ({"losses": ["softmax"], "budget": math.nan}, "a time such as"),
        ({"losses": []}, "losses is empty"),
        ({"losses": ["softmax", "cosfcae"]}, "cosface"),
    ],
)
def test_tune_refuses_what_contradicts_itself(tmp_path, arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        lossbench.tune(results=tmp_path, **arguments)
    assert not any(tmp_path.iterdir())


# Own losses, failures, interruption


def test_a_class_is_named_by_its_module(folder):
    (run, _) = lossbench.runs(loss=Own, results=folder)
    assert run.config.loss == f"{__name__}:Own"
    assert lossbench.train(Center, results=folder, **QUICK).config.loss == "center"

    class Inside(Own):
        pass

    with pytest.raises(UsageError, match="top of a module"):
        lossbench.train(Inside, results=folder, **QUICK)


def test_a_class_that_was_defined_anew_is_the_one_that_trains(tmp_path, monkeypatch):
    """As in a notebook whose cell is run again: not the class of before, and not its stored run."""
    file = tmp_path / "anew.py"
    body = textwrap.dedent(inspect.getsource(Own))
    module = type(sys)("anew")
    monkeypatch.setitem(sys.modules, "anew", module)
    namespace = vars(module) | {"torch": torch}
    for factor in ("1", "2"):
        source = body.replace("self.factor *", f"{factor} * self.factor *")
        file.write_text(source)
        exec(compile(source, str(file), "exec"), namespace)
        import linecache

        linecache.checkcache()
        module.Own = namespace["Own"]
        module.Own.__module__ = "anew"
        if factor == "1":
            first = lossbench.train(module.Own, results=tmp_path / "results", **QUICK)
            loss = first.history[0].loss
        else:
            with pytest.raises(RunError, match="code of anew:Own has changed"):
                lossbench.train(module.Own, results=tmp_path / "results", **QUICK)
            again = lossbench.train(module.Own, results=tmp_path / "results", force=True, **QUICK)
    assert again.name == first.name
    assert isinstance(again.loss.losses[0], module.Own)
    assert again.history[0].loss > 1.2 * loss
    exec(compile(source, str(file), "exec"), namespace)
    module.Own = namespace["Own"]
    module.Own.__module__ = "anew"
    assert loss_name("softmax + 0.1*anew:Own") == "softmax + 0.1*anew:Own"
    assert catalog.load("losses", "anew:Own").__wrapped__ is namespace["Own"]


def test_a_file_that_was_edited_is_told_and_used_once_it_is_reloaded(tmp_path, monkeypatch, capsys):
    body = "import torch\n" + textwrap.dedent(inspect.getsource(Own))
    (tmp_path / "edited.py").write_text(body)
    monkeypatch.syspath_prepend(str(tmp_path))
    options = {"results": tmp_path / "results", "force": True, **QUICK}
    first = lossbench.train("edited:Own", **options).history[0].loss
    assert "has changed" not in capsys.readouterr().err
    (tmp_path / "edited.py").write_text(body.replace("self.factor *", "3 * self.factor *"))
    again = lossbench.train("edited:Own", **options)
    assert again.history[0].loss == first
    assert "edited:Own has changed since this process imported it" in capsys.readouterr().err
    importlib.reload(sys.modules["edited"])
    with pytest.raises(RunError, match="The code of edited:Own has changed since"):
        lossbench.train("edited:Own", **options | {"force": False})
    assert lossbench.train("edited:Own", **options).history[0].loss > 1.2 * first
    assert "has changed" not in capsys.readouterr().err


def test_a_run_that_fails_is_an_error_with_its_reason(tmp_path):
    with pytest.raises(RunError, match="my own mistake"):
        lossbench.train(Broken, results=tmp_path, **QUICK)
    with pytest.raises(RunError, match="1 of 2 runs failed.*my own mistake"):
        lossbench.compare(["softmax", Broken], results=tmp_path, **QUICK)


def test_diverged_runs_are_warned_of_and_counted(tmp_path, capsys):
    found = lossbench.sweep("softmax", lr=[0.002, 1e9], jobs=1, results=tmp_path, **QUICK)
    assert "1 of 2 runs diverged" in capsys.readouterr().err
    assert "diverged / failed" in found.table().header
    with pytest.raises(LossbenchError, match="diverged"):
        lossbench.train("softmax", lr=1e9, results=tmp_path, **QUICK)


def test_an_interrupted_call_continues(tmp_path, monkeypatch):
    import os
    import signal

    from lossbench.cli import _progress

    def interrupt(self, run, record):
        if record.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(_progress.RunDisplay, "finished_epoch", interrupt)
        with pytest.raises(Interrupted):
            lossbench.train("center", results=tmp_path / "a", **QUICK)
    assert lossbench.runs(results=tmp_path / "a") == []
    begun: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(_progress.RunDisplay, "started", lambda self, *a: begun.append(a[-1]))
        patch.setattr(_progress.RunDisplay, "finished_epoch", lambda *_: None)
        continued = lossbench.train("center", results=tmp_path / "a", **QUICK)
    assert begun[0] > 0
    whole = lossbench.train("center", results=tmp_path / "b", **QUICK)
    assert np.array_equal(continued.features["test"], whole.features["test"])


def test_another_thread_than_the_main_one_can_train(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(lambda: lossbench.train("softmax", results=tmp_path, **QUICK)).result()
    assert run.metrics["test_accuracy"] > 0.2


def test_calls_in_several_threads_wait_for_each_other(tmp_path, capsys):
    """What training sets in a process, such as the number of threads, holds for all of its threads."""
    from concurrent.futures import ThreadPoolExecutor

    def train(loss: str) -> Any:
        return lossbench.train(loss, results=tmp_path / "a", **QUICK).features["test"]

    threads = torch.get_num_threads()
    with ThreadPoolExecutor(2) as pool:
        features = list(pool.map(train, ("softmax", "center")))
    assert "Another thread of this process trains; this call waits for it." in capsys.readouterr().err
    assert torch.get_num_threads() == threads
    for loss, found in zip(("softmax", "center"), features, strict=True):
        alone = lossbench.train(loss, results=tmp_path / "b", **QUICK)
        assert np.array_equal(alone.features["test"], found), loss


# Workers and scripts


def test_a_script_without_a_guard_trains_in_workers(tmp_path):
    """Workers do not import `__main__`; its class trains in the script's own process."""
    script = tmp_path / "script.py"
    script.write_text(
        f"import lossbench\nprint('begins')\n{inspect.getsource(Own).replace('torch.', 'lossbench_torch.')}".replace(
            "import lossbench\n", "import lossbench\nimport torch as lossbench_torch\n"
        )
        + textwrap.dedent(f"""
            options = {QUICK!r}
            found = lossbench.compare(["softmax", "center"], jobs=2, **options)
            print(len(found.runs), "runs")
            print(lossbench.compare([Own], **options).runs[0].config.loss)
            print(len(lossbench.sweep(Own, lr=[0.001, 0.002], **options).runs))
            try:
                lossbench.compare([Own, "softmax"], seeds=5, jobs=2, **options)
            except lossbench.errors.UsageError as error:
                print(error)
            """)
    )
    environment = {**__import__("os").environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, script.name],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:4] == ["begins", "2 runs", "__main__:Own", "2"], done.stdout
    assert "into a module of its own" in lines[4]
    assert len(list((tmp_path / "results" / "runs").iterdir())) == 5
