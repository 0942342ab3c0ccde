"""The commands as a user types them, in one process; exit codes, sentences, JSON, files."""

from __future__ import annotations

import csv
import inspect
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import typing
from pathlib import Path

import numpy as np
import pytest

from lossbench import __version__, cli
from lossbench.__main__ import main
from lossbench.cli import Commands
from lossbench.errors import RunError
from lossbench.runs.config import RUN_OPTIONS
from lossbench.specs import catalog
from lossbench.training import train as training
from lossbench.training import trainer

QUICK = ["--dataset", "digits", "--epochs", "2", "--batch-size", "100", "--device", "cpu"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A results folder with the default comparison, trained for two epochs."""
    folder = tmp_path_factory.mktemp("stored") / "results"
    assert main(["compare", *QUICK, "--results", str(folder)]) == 0
    return folder


def call(capsys, *arguments):
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lossbench {__version__}\n"


def test_train_prints_one_json_document_and_nothing_else(capsys, tmp_path):
    code, out, _ = call(
        capsys, "train", "--loss", "center", "--lambda", "0.003", *QUICK, "--json", "--results", tmp_path
    )
    document = json.loads(out)
    assert code == 0
    assert {"run", "path", "status", "test_accuracy", "val_accuracy", "seconds", "images_per_second"} <= set(
        document
    )
    assert document["status"] == "done"
    assert 0 <= document["test_accuracy"] <= 1
    assert (tmp_path / "runs" / document["run"] / "result.json").exists()


def test_train_again_trains_nothing_and_shows_the_same(capsys, stored):
    before = {path: path.stat().st_mtime_ns for path in stored.rglob("*") if path.is_file()}
    code, out, err = call(capsys, "train", "--loss", "center", *QUICK, "--results", stored)
    assert code == 0
    assert "epoch" not in err
    assert out.startswith("Center λ = 0.003, α = 0.5 seed 0\n")
    for line in (
        r"test accuracy[ │]+[\d.]+ %  by class scores ",
        r"val accuracy[ │]+[\d.]+ % ",
        r"training time[ │]+[\d.]+ s on \w",
        r"speed[ │]+[\d,]+ images/s ",
        rf"files[ │]+{re.escape(str(stored / 'runs' / 'center-'))}",
    ):
        assert re.search(line, out), line
    assert before == {path: path.stat().st_mtime_ns for path in stored.rglob("*") if path.is_file()}


def test_a_stored_run_is_shown_without_importing_torch(stored):
    script = (
        "import sys; from lossbench.__main__ import main; "
        f"code = main(['train', '--loss', 'center', *{QUICK!r}, '--results', {str(stored)!r}]); "
        "assert code == 0; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["losses"], ["losses", "arcface"]])
def test_help_and_listings_do_not_import_torch(arguments):
    script = (
        "import sys; from lossbench.__main__ import main; "
        f"code = main({arguments!r}); assert code == 0; assert not {{'torch', 'numpy'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_training_does_not_import_the_compiler_of_torch(tmp_path):
    arguments = ["train", "--dataset", "digits", "--epochs", "1", "--results", str(tmp_path), "--optimizer"]
    script = (
        "import sys; from lossbench.__main__ import main\n"
        f"for optimizer in {catalog.names('optimizers')!r}:\n"
        f"    assert main([*{arguments!r}, optimizer]) == 0\n"
        "    assert 'torch._dynamo' not in sys.modules, optimizer"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr


def test_the_help_lists_every_command_with_its_own_first_sentence_and_imports_none():
    files = {path.stem for path in Path(cli.__file__).parent.glob("*.py") if path.stem[0] != "_"}
    assert set(Commands()) == files
    script = "import sys; from lossbench.__main__ import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert not {f"lossbench.cli.{name}" for name in files} & set(done.stdout.split())
    shown = " ".join(done.stdout.replace("│", " ").split())
    for name, command in Commands().items():
        assert f"{name} {' '.join(command.help.split(chr(10) * 2)[0].split())}" in shown


def test_compare_leaves_table_figure_and_index(stored):
    name = "compare-softmax-center-arcface-digits"
    table = (stored / "tables" / f"{name}.csv").read_text().splitlines()
    assert len(table) == 4
    assert table[0].startswith("loss,settings,done,diverged,failed,test_accuracy")
    assert (stored / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    index = (stored / "README.md").read_text()
    assert f"figures/{name}.png" in index
    assert "95 %" in index


def test_plot_draws_stored_runs_in_every_format_and_view(capsys, stored, tmp_path):
    for form, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        target = tmp_path / f"figure.{form}"
        code, _, _ = call(
            capsys, "plot", "--view", "normalized", "--format", form, "--output", target, "--results", stored
        )
        assert code == 0
        assert target.read_bytes().startswith(magic)
        assert b"arcface-" in target.read_bytes(), "the run's id is in the file"


def test_plot_is_the_same_file_twice(capsys, stored, tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for target in files:
        assert call(capsys, "plot", "--output", target, "--results", stored)[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_plot_of_chosen_runs(capsys, stored, tmp_path):
    _, out, _ = call(capsys, "runs", "--results", stored, "--json")
    name = next(document["run"] for document in json.loads(out) if document["run"].startswith("arcface"))
    code, out, _ = call(
        capsys, "plot", "--run", name.rpartition("-")[2], "--split", "test", "--json", "--results", stored
    )
    assert code == 0
    assert json.loads(out)["runs"] == [name]


def test_runs_lists_and_filters(capsys, stored):
    _, out, _ = call(capsys, "runs", "--results", stored, "--json")
    assert {document["status"] for document in json.loads(out)} == {"done"}
    _, out, _ = call(capsys, "runs", "--loss", "center", "--results", stored)
    assert "center-" in out
    assert "arcface-" not in out


def test_sweep_trains_a_grid_and_skips_it_the_second_time(capsys, tmp_path):
    arguments = ["sweep", "--loss", "center", "--lambda", "0,0.01", "--alpha", "0.5", "--seeds", "0-1"]
    code, out, err = call(capsys, *arguments, *QUICK, "--jobs", "2", "--results", tmp_path)
    assert code == 0
    assert "λ = 0.01" in out
    assert "±" in out
    assert err.count("test in") == 4
    with (tmp_path / "tables/sweep-center-lambda-digits.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["lambda"]) for row in table] == [0.0, 0.01]
    assert [row["test_accuracy_count"] for row in table] == ["2", "2"]
    for figure in ("curves", "grid"):
        assert (tmp_path / f"figures/sweep-center-lambda-digits-{figure}.png").exists()
    code, out, _ = call(capsys, "plot", "curves", "--json", "--results", tmp_path)
    assert code == 0
    assert len(json.loads(out)["runs"]) == 4, "all values and seeds"
    code, _, err = call(capsys, *arguments, *QUICK, "--jobs", "2", "--results", tmp_path)
    assert code == 0
    assert "4 of 4 runs are stored.\n" in err
    assert "test in" not in err


@pytest.mark.slow
def test_a_swept_setting_may_be_named_with_its_loss(capsys, tmp_path):
    words = ["--set", "cosface.margin=0.1,0.15", *QUICK, "--epochs", "1", "--jobs", "1", "--json"]
    code, out, err = call(capsys, "sweep", "--loss", "cosface", *words, "--results", tmp_path)
    assert code == 0, err
    assert (tmp_path / "figures" / "sweep-cosface-margin-digits-curves.png").exists()


def test_a_sweep_over_names_has_no_curves(capsys, tmp_path):
    words = ["--optimizer", "sgd,adamw", *QUICK, "--epochs", "1", "--jobs", "1", "--results", tmp_path]
    code, _, err = call(capsys, "sweep", "--loss", "softmax", *words)
    assert code == 0, err
    figures = {path.name for path in (tmp_path / "figures").glob("*.png")}
    assert figures == {"sweep-softmax-optimizer-digits-grid.png"}


def test_a_run_tells_each_number_once(capsys, tmp_path):
    code, out, _ = call(capsys, "train", "--loss", "softmax", *QUICK, "--epochs", "1", "--results", tmp_path)
    assert code == 0
    rows = [line.split("│")[1].strip() for line in out.splitlines() if line.startswith("│")]
    assert len(rows) == len(set(rows))
    assert "accuracy" not in rows, "it is the test accuracy"
    shown = dict(
        zip(rows, (line.split("│")[2].strip() for line in out.splitlines() if "│" in line), strict=True)
    )
    assert shown["angular gap"].endswith("°") and shown["1-NN accuracy"].endswith(" %")


def test_sweep_goes_on_after_a_failure_and_ends_with_1(capsys, tmp_path):
    grid = ["--batch-size", "100,5000", "--dataset", "digits", "--epochs", "1", "--device", "cpu"]
    code, out, err = call(capsys, "sweep", "--loss", "softmax", *grid, "--results", tmp_path)
    assert code == 1
    assert "1 of 2 runs failed" in err
    assert "0 / 1" in out


def test_diverged_training_exits_with_3(capsys, tmp_path):
    options = ["--dataset", "digits", "--network", "lenet", "--lr", "1e9", "--epochs", "2", "--device", "cpu"]
    options += ["--loss", "softmax", "--results", tmp_path]
    code, out, err = call(capsys, "train", *options, "--json")
    assert code == 3
    assert json.loads(out)["status"] == "diverged"
    assert "diverged" in err
    run = json.loads(out)["run"]
    _, _, err = call(capsys, "sweep", *options, "--jobs", "1")
    assert re.search(rf"{run}\W+diverged \(stored\)", err)
    _, _, err = call(capsys, "sweep", *options, "--jobs", "1", "--force")
    assert re.search(rf"{run} diverged in epoch 1: its loss", err)


WRONG = [
    (["train", "--loss", "centre"], "did you mean center"),
    (["train", "--loss", "softmax + "], "character"),
    (["train", "--network", "lennet"], "did you mean lenet"),
    (["train", "--dataset", "mnits"], "did you mean"),
    (["train", "--loss", "softmax", "--alpha", "0.5"], "no setting 'alpha'"),
    (["train", "--loss", "softmax", "--lambda", "0.1"], "--lambda is the weight of one auxiliary term"),
    (["train", "--loss", "center", "--lambda", "-1"], "at least 0"),
    (["train", "--loss", "center", "--alpha", "0"], "outside (0, 1]"),
    (["train", "--loss", "center", "--alpha", "1.5"], "outside (0, 1]"),
    (["train", "--loss", "center", "--set", "alpha"], "name=value"),
    (["train", "--loss", "center", "--set", "beta=1"], "no setting 'beta'"),
    (
        ["sweep", "--set", "alpha=0.1", "--set", "alpha=0.2"],
        "alpha is given twice; a sweep takes --set alpha=",
    ),
    (["train", "--loss", "oim", "--temperature", "0.2"], "the setting is written --set temperature=VALUE"),
    (["sweep", "--loss", "arcface", "--easy-margin=true"], "written --set easy_margin=VALUE"),
    (["train", "--epochs", "0"], "too small"),
    (["train", "--lr", "nan"], "not a number"),
    (["train", "--feature-dim", "0"], "too small"),
    (["train", "--precision", "fp8"], "is not one of auto, fp32, bf16"),
    (["train", "--device", "tpu"], "Unknown device"),
    (["train", "--threads", "0"], "--threads 0 is too small"),
    (["train", "--loss", ""], "Losses '': there is an empty name in the list"),
    (["compare", "--losses", "softmax,,center"], "Losses 'softmax,,center': there is an empty name"),
    (["plot", "--loss", "softmax,"], "Losses 'softmax,': there is an empty name"),
    (["plot", "--seed", "x"], "--seed x: 'x' is neither"),
    (
        ["train", "--loss", "triplet", "--samples-per-class", "9999"],
        "--samples-per-class 9999 = 99990 is more",
    ),
    (["sweep", "--seeds", "3-1"], "3 is above 1"),
    (["sweep", "--lambda", "1:0.1:log:3"], "rises"),
    (["sweep", "--lambda", "0:1:log:3"], "above 0"),
    (["sweep", "--lambda", "0,,1"], "empty value"),
    (["compare", "--losses", "softmax,nothing"], "Unknown loss"),
    (["compare", "--set", "nothing=1"], "nothing"),
    (["plot", "--split", "all"], "not one of both, train, test"),
    (["plot", "--run", "nothing"], "Unknown run"),
    (["losses", "nothing"], "Unknown loss"),
]


@pytest.mark.parametrize(("arguments", "sentence"), WRONG)
def test_wrong_usage_is_one_sentence_and_exit_code_2(capsys, stored, arguments, sentence):
    place = [] if arguments[0] == "losses" else ["--results", stored]
    before = sorted(stored.rglob("*"))
    extra = ["--dataset", "digits"] if arguments[0] != "plot" and "--dataset" not in arguments else []
    code, out, err = call(capsys, *arguments, *(extra if arguments[0] != "losses" else []), *place)
    assert code == 2
    assert sentence in err
    assert len(err.strip().splitlines()) <= 3
    assert out == ""
    assert sorted(stored.rglob("*")) == before


def test_plot_without_runs_says_what_makes_one(capsys, tmp_path):
    code, _, err = call(capsys, "plot", "--results", tmp_path)
    assert code == 1
    assert "lossbench compare" in err


def test_a_margin_that_cannot_hold_is_warned_of(capsys, tmp_path):
    options = ["--margin", "0.7", "--scale", "5", *QUICK, "--results", tmp_path]
    code, _, err = call(capsys, "train", "--loss", "arcface", *options)
    assert code == 0
    assert "0.628" in err
    assert "15.1" in err


def test_results_folder_that_is_a_file(capsys, tmp_path):
    (tmp_path / "results").write_text("not a folder")
    code, _, err = call(capsys, "train", *QUICK, "--results", tmp_path / "results")
    assert code == 1
    assert "results is not a folder." in err


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
@pytest.mark.parametrize("megabytes", [60, 120, 1500])
def test_too_little_memory_for_the_libraries_is_a_sentence(tmp_path, megabytes):
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, -1))

    command = [sys.executable, "-m", "lossbench", "train", *QUICK, "--results", str(tmp_path)]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"lossbench: There is too little memory \(.+\)\.\n", done.stderr)


def test_an_error_of_the_program_itself_keeps_its_traceback(capsys, monkeypatch):
    def broken(*_, **__):
        raise ImportError("cannot import name", name="lossbench", path="/x/lossbench/y.py")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ImportError):
        main(["losses"])


@pytest.mark.parametrize("loss", ["arcface", "triplet", "center"])
def test_an_explanation_fits_a_narrow_terminal(capsys, monkeypatch, loss):
    monkeypatch.setenv("COLUMNS", "40")
    _, out, _ = call(capsys, "explain", loss, "--classes", "25", "--feature-dim", "512")
    assert max(map(len, out.splitlines())) <= 40
    assert ("180°" in out) == (loss == "arcface")


def test_runs_of_no_status(capsys, tmp_path):
    code, _, err = call(capsys, "runs", "--status", "don", "--results", tmp_path)
    assert (code, err) == (2, "lossbench: Unknown status of runs 'don'; did you mean done?\n")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to mount a small file system")
def test_full_disk_is_one_sentence_and_nothing_half_written(capsys, tmp_path):
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("this machine does not let tests mount a file system")
    try:
        code, _, err = call(capsys, "train", *QUICK, "--results", tmp_path)
        assert code == 1
        assert "No space left" in err
        assert not list(tmp_path.rglob("*.tmp"))
        assert not list(tmp_path.rglob("result.json"))
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_cuda_asked_for_where_there_is_none(capsys, tmp_path):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    code, _, err = call(capsys, "train", "--dataset", "digits", "--device", "cuda", "--results", tmp_path)
    assert code == 2
    assert "no usable CUDA" in err


def test_a_config_edited_by_hand_is_named_and_the_rest_goes_on(capsys, tmp_path):
    for seed in ("0", "1"):
        assert main(["train", *QUICK, "--seed", seed, "--results", str(tmp_path)]) == 0
    victim = sorted((tmp_path / "runs").iterdir())[0]
    text = (victim / "config.json").read_text()
    (victim / "config.json").write_text(text.replace('"lr": 0.05', '"lr": 0.5'))
    code, out, err = call(capsys, "runs", "--results", tmp_path)
    assert code == 0
    assert "changed by hand" in err
    assert "softmax-" in out


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP", "SIGUSR1"])
def test_interrupted_by_a_signal_saves_and_exits_130(server, tmp_path, name):
    """A real process, a real signal in the middle of training; the same command then finishes the run."""
    command = ["train", "--dataset", "digits", "--epochs", "10", "--device", "cpu"]
    command += ["--results", str(tmp_path / "results")]
    output = tmp_path / "first.txt"
    process = server.start(command, output)
    deadline = time.monotonic() + 60
    while "epoch 2/" not in output.read_text():
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.01)
    os.kill(process, getattr(signal, name))
    assert server.wait(process) == 130
    assert output.read_text().count("the same command continues it") == 1
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    assert (folder / "resume.pt").exists()
    assert not (folder / "result.json").exists()
    if name != "SIGINT":
        return  # what is saved is the same
    again = tmp_path / "again.txt"
    assert server.run(command, again) == 0
    assert "epoch 10/10" in again.read_text() and "epoch 1/" not in again.read_text()
    assert np.isfinite(json.loads((folder / "result.json").read_text())["test_accuracy"])


def test_interrupted_after_the_last_run(capsys, tmp_path, monkeypatch):
    """The signal comes while the run, whose training is over, is stored."""
    store_done = trainer.Trainer._store_done

    def interrupted(trained):
        os.kill(os.getpid(), signal.SIGINT)
        return store_done(trained)

    monkeypatch.setattr(trainer.Trainer, "_store_done", interrupted)
    code, _, err = call(capsys, "sweep", *QUICK, "--loss", "softmax", "--results", tmp_path)
    assert code == 130
    assert "Interrupted after the last run; the same command continues." in err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("SIGTERM", False),
        ("SIGHUP", True),
        *(pytest.param(name, False, marks=pytest.mark.slow) for name in ("SIGINT", "SIGHUP", "SIGUSR1")),
    ],
)
def test_a_signal_before_or_after_training_is_a_sentence_too(tmp_path, name, ignored):
    """An ignored one, as SIGHUP under `nohup`, stays ignored."""
    number = getattr(signal, name)
    (tmp_path / "slow_data.py").write_text(
        "import pathlib, tempfile, time\n\ndef data():\n    with tempfile.NamedTemporaryFile():\n"
        f"        pathlib.Path('begun').touch()\n        time.sleep({1 if ignored else 60})\n"
    )
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "lossbench", "train", "--dataset", "slow_data:data", "--json"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL),
    )
    while not (tmp_path / "begun").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == (2 if ignored else 130), err
    assert json.loads(out)["status"] == ("failed" if ignored else "interrupted")
    assert not list(temporary.iterdir())


def test_no_word_of_a_help_text_is_taken_for_markup():
    """rich would swallow anything in square brackets."""
    seen = 0
    for command in Commands().values():
        for option in command.params:
            assert "[" not in (option.help or ""), (command.name, option.name, option.help)
            seen += 1
    assert seen > 50


def commands():
    for command in Commands().values():
        yield from getattr(command, "commands", {"": command}).values()


def test_the_help_shows_the_default_of_every_option():
    for command in commands():
        for option in command.params:
            shown = option.required or "(default: " in option.help
            assert shown or option.name == "help", (command.name, option.name)


BOUNDS = """
train: snapshots 0 to 1000
compare: jobs from 0, snapshots 0 to 1000
sweep: jobs from 0, snapshots 0 to 1000
tune: trials from 1, jobs from 0
reproduce: jobs from 0, snapshots 0 to 1000
animate: fps 0.5 to 60
runs: limit from 1
losses: classes from 2, dim from 1
explain: classes 2 to 100000, dim 1 to 4096
bench train: batch_size from 2, repeats from 1
bench quality: target 0 to 100, epochs from 1, seed from 0, threads from 1
bench sweep: runs from 1, jobs from 0, epochs from 1
bench losses: repeats from 1, batch_size from 2, threads from 1
bench metrics: repeats from 1, threads from 1
bench gpu: repeats from 1
bench start: repeats from 1
"""
"""By command, the smallest and the largest value of an option that is not an option of a run."""


def test_the_bounds_of_options_are_those_written_here():
    found = {}
    for name, command in Commands().items():
        for subject, each in getattr(command, "commands", {"": command}).items():
            for option in inspect.signature(each.callback, eval_str=True).parameters.values():
                declared = typing.get_args(option.annotation)[1]
                if declared.min is not None:
                    bounds = (
                        f"from {declared.min}"
                        if declared.max is None
                        else f"{declared.min} to {declared.max}"
                    )
                    found.setdefault(f"{name} {subject}".strip(), []).append(f"{option.name} {bounds}")
    written = dict(line.split(": ") for line in BOUNDS.strip().splitlines())
    assert {name: ", ".join(found[name]) for name in written} == written  # a new command need not be listed


SWEPT = "feature_dim epochs batch_size optimizer lr weight_decay momentum schedule warmup decay train_size imbalance label_noise"
"""The options of a run that take lists and ranges in a sweep."""


def test_the_options_that_can_be_swept_are_those_written_here():
    assert [name for name, option in RUN_OPTIONS.items() if option.sweep] == SWEPT.split()


def test_panels_stand_in_one_order_in_every_help_text():
    for command in commands():
        panels = [getattr(option, "rich_help_panel", None) for option in command.params]
        assert panels == sorted(panels, key=cli.PANELS.index), command.name


@pytest.mark.parametrize("command", [[], *([name] for name in Commands()), ["bench", "train"]])
def test_a_help_text_fits_80_columns_in_ascii_with_types_in_words(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call(capsys, *command, "--help")
    assert code == 0
    assert out.isascii()
    assert max(map(len, out.splitlines())) <= 80
    assert "<" not in out.replace("<=", "")
    if command and command != ["bench"]:
        headings = [line.rstrip(":") for line in out.splitlines() if line.endswith(":") and line[0] != " "]
        order = ["Arguments", "Options", *cli.PANELS[1:]]
        assert headings == [heading for heading in order if heading in headings]
        assert {"Options", "Output"} <= set(headings)


def test_the_help_says_what_stands_for_a_value(capsys):
    _, out, _ = call(capsys, "train", "--help")
    for text in ("--loss TEXT ", "--lr NUMBER ", "--epochs INTEGER ", "--results PATH ", "--json "):
        assert f"  {text} " in out


def test_the_help_imports_no_rich():
    script = "import sys; from lossbench.__main__ import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert not {"rich", "pydantic", "lossbench.specs"} & set(done.stdout.split())


def test_the_help_of_train_shows_what_an_option_of_a_run_declares(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = call(capsys, "train", "--help")
    assert code == 0
    for text in (
        "Peak learning rate (default: the optimizer's, 0.05 for muon).",
        "Number of epochs (default: the data set's, 4 for mnist).",
        "Learning-rate schedule: constant, cosine, linear, step (default: linear).",
        "Samples per step (default: 128).",
    ):
        assert text in out
    assert "eval-split" not in out


@pytest.mark.parametrize(
    ("figure", "command"),
    [
        ("budget", "lossbench tune"),
        ("critical-difference", "`lossbench compare --datasets digits,mnist --results elsewhere`"),
        ("scatter", "reproduce benchmark"),
    ],
)
def test_a_figure_that_plot_cannot_draw_is_not_offered_and_the_command_that_draws_it_is_named(
    capsys, figure, command
):
    assert figure not in call(capsys, "plot", "--help")[1]
    code, _, err = call(capsys, "plot", figure, "--results", "elsewhere")
    assert code == 2
    assert command in err


def test_one_run_takes_one_value_of_each_option(capsys):
    code, _, err = call(capsys, "train", "--loss", "center", "--set", "alpha=0.1,0.2")
    assert code == 2
    assert "alpha takes one value here" in err


def test_a_failed_run_is_a_document_that_says_why(capsys, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise RunError("this machine fails")

    words = ["compare", "--losses", "softmax,center", *QUICK, "--json"]
    with monkeypatch.context() as patch:
        patch.setattr(training, "Trainer", broken)
        code, out, _ = call(capsys, *words, "--results", tmp_path)
    document = json.loads(out)
    assert code == document["exit_code"] == 1
    assert document["status"] == "failed"
    assert "2 of 2 runs failed" in document["reason"]
    assert [run["loss_name"] for run in document["runs"]] == ["softmax", "center"]
    shown = {"center.lambda": 0.003, "center.alpha": 0.5}
    assert shown.items() <= document["runs"][1]["settings"].items()
    for run in document["runs"]:
        assert (run["status"], run["seed"], run["reason"]) == ("failed", 0, "this machine fails")
    code, out, _ = call(capsys, "train", *QUICK[:4], "--batch-size", "5000", "--json", "--results", tmp_path)
    document = json.loads(out)
    assert {"loss", "settings", "seed", "loss_name", "run"} <= set(document)
    assert (document["status"], document["exit_code"], code) == ("failed", 2, 2)
    assert "5000" in document["reason"]


@pytest.mark.parametrize(
    ("words", "code"),
    [(["train", "--loss", "nothing"], 2), (["train", "--nothing"], 2), (["plot", "--results", "nowhere"], 1)],
)
def test_an_error_is_one_json_document(capsys, words, code):
    found, out, err = call(capsys, *words, "--json")
    document = json.loads(out)
    assert document["exit_code"] == found == code
    assert document["status"] == "failed"
    assert document["reason"] in err


def test_a_comparison_in_a_pipe_prints_few_lines(capsys, tmp_path):
    words = ["compare", "--losses", "softmax,center,arcface", *QUICK, "--results", tmp_path]
    code, out, err = call(capsys, *words)
    assert code == 0
    assert len((out + err).splitlines()) <= 30
    code, out, err = call(capsys, *words)
    assert code == 0
    assert "Timing" not in err  # all is stored


RUN = """run path loss_name settings seed loss status rule epochs seconds images_per_second parameters precision
split_seed finished lossbench machine test_accuracy val_accuracy train_accuracy metrics terms reason"""
DOCUMENTS = {
    "runs": f"{RUN} config",
    "losses": "status name title aliases kind summary equation paper sampler settings",
    "explain": "status loss classes dim settings neighbour_angle largest_angular_margin largest_cosine_margin "
    "smallest_useful_scale best_probability curve recommended recipe",
    "plot": "status figure runs data",
    "report": "status page tables written",
    "train": RUN,
}
"""The keys of the JSON document of each command."""


def test_every_document_has_its_keys_and_a_status(capsys, stored):
    for words in (
        ["runs"],
        ["losses"],
        ["losses", "center"],
        ["explain", "arcface"],
        ["plot", "features", "--loss", "softmax"],
        ["report"],
        ["train", "--loss", "softmax", *QUICK],
    ):
        place = [] if words[0] in ("losses", "explain") else ["--results", stored]
        code, out, err = call(capsys, *words, *place, "--json")
        assert code == 0, err
        document = json.loads(out)
        documents = document if isinstance(document, list) else [document]
        assert documents
        assert {each["status"] for each in documents} == {"done"}, words
        assert all(set(each) == set(DOCUMENTS[words[0]].split()) for each in documents), words
    assert set(document["machine"]) == {"device", "device_name", "threads", "torch", "python", "system"}
    assert call(capsys, "report", "--results", stored) == (0, "", f"Page: {stored / 'index.html'}\n")


@pytest.mark.parametrize("command", ["losses", "explain"])
def test_a_table_in_a_pipe_keeps_its_columns_whole(command):
    """A pipe has no width, and most users have no variable COLUMNS."""
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    words = [sys.executable, "-m", "lossbench", command, "arcface"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0
    assert "…" not in done.stdout
    assert {"scale", "margin", "easy_margin", "monotone", "soft_start", "fixed"} <= set(done.stdout.split())
    assert "angle m added to the own class" in done.stdout


def test_the_losses_fit_a_screen_by_kind(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, err = call(capsys, "losses")
    assert "`lossbench losses --kind pairs` says what each does" in err
    assert len(out.splitlines()) <= 22
    assert max(map(len, out.splitlines())) <= 80
    assert {"center", "arcface", "triplet"} <= {word.strip(",") for word in out.split()}
    _, out, _ = call(capsys, "losses", "--kind", "pairs")
    assert "triplet" in out
    assert "arcface" not in out
    code, _, err = call(capsys, "losses", "--kind", "pair")
    assert code == 2
    assert "did you mean pairs" in err


def test_the_settings_of_a_loss_have_the_defaults_for_the_shape(capsys):
    _, out, _ = call(capsys, "losses", "arcface", "--classes", "100", "--dim", "3")
    title, equation, paper, *_ = out.splitlines()
    assert title == "ArcFace: Additive angular margin: narrow rays at even angles."
    assert equation == "L = CE(f, y),  f_j = s cos(theta_j),  f_y = s cos(theta_y + m)"
    assert paper.startswith("Deng et al., ArcFace: ") and paper.endswith("arXiv 1801.07698, eq. 3")
    assert "default (C=100, D=3)" in out
    assert "unit" in out
    assert "unit" not in call(capsys, "losses", "center")[1]
    assert re.search(r"scale +│ 24 ", out)
    assert "\nAlso called am-softmax.\n" in call(capsys, "losses", "cosface")[1]


def test_runs_are_sorted_limited_and_whole_at_80_columns(capsys, stored, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    orders = {
        "loss": lambda document: document["loss_name"],
        "test": lambda document: -document["test_accuracy"],
        "val": lambda document: -document["val_accuracy"],
    }
    shown = {}
    for key in ("oldest", "newest", *orders):
        _, out, _ = call(capsys, "runs", "--results", stored, "--json", "--sort", key)
        shown[key] = json.loads(out)
        if key in orders:
            assert shown[key] == sorted(shown["oldest"], key=orders[key]), key
    assert shown["newest"] == shown["oldest"][::-1]
    _, out, err = call(capsys, "runs", "--results", stored, "--sort", "test", "--limit", "2")
    assert "2 of 3 runs." in err
    assert max(map(len, out.splitlines())) <= 80
    _, names, _ = call(capsys, "runs", "--results", stored, "--json", "--sort", "loss")
    _, out, _ = call(capsys, "runs", "--results", stored)
    assert all(document["run"] in out for document in json.loads(names))
    assert call(capsys, "runs", "--results", stored, "--sort", "nothing")[0] == 2
