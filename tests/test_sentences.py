"""The sentences in which wrong input is refused, whole: what is wrong, and what is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.cli._flags import canonical_losses
from lossbench.cli._options import values_of
from lossbench.cli._python import loss_names, names_of, seeds_of
from lossbench.engines import EngineOptions
from lossbench.errors import LossbenchError
from lossbench.experiments.grid import expand, parse_seeds, parse_values
from lossbench.experiments.tuning_result import TuningResult, read_result
from lossbench.files import refuse_links
from lossbench.runs.config import RUN_OPTIONS
from lossbench.runs.config_builder import config_at, make_config
from lossbench.runs.option_values import (
    augmentation_names,
    check_device,
    milestone_fractions,
    parse_scales,
    unseen_labels,
)
from lossbench.runs.run_folder import open_run
from lossbench.runs.store import Store

DIGITS = tuple("0123456789")
TOO_MANY = ",".join(["0-9999", "10000"])


def checks(name: str, value: Any) -> Callable[[], Any]:
    return lambda: RUN_OPTIONS[name].check(value)


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (lambda: parse_values("--lr", "1,,2"), "--lr 1,,2: there is an empty value in the list."),
        (lambda: parse_values("--lr", "$"), "--lr $ is neither a number, a range nor a word."),
        (
            lambda: parse_values("--lr", "a:1:lin:3"),
            "--lr a:1:lin:3: a range goes from number to number, like 1e-4:1e-1:log:7.",
        ),
        (
            lambda: parse_values("--lr", "1:1:lin:3"),
            "--lr 1:1:lin:3: a range rises from a number to a larger one.",
        ),
        (lambda: parse_values("--lr", "0:1:log:3"), "--lr 0:1:log:3: a logarithmic range starts above 0."),
        (
            lambda: parse_values("--lr", "0:1:lin:1"),
            "--lr 0:1:lin:1: a range has at least 2 and at most 10000 values.",
        ),
        (
            lambda: parse_values("--lr", "0:1:lin:10001"),
            "--lr 0:1:lin:10001: a range has at least 2 and at most 10000 values.",
        ),
        (lambda: parse_seeds("3-1"), "--seeds 3-1: 3 is above 1."),
        (lambda: parse_seeds("0-10000"), "--seeds 0-10000: at most 10000 seeds."),
        (lambda: parse_seeds(TOO_MANY), f"--seeds {TOO_MANY}: at most 10000 values."),
        (lambda: parse_seeds("x"), "--seeds x: 'x' is neither a seed nor a range like 0-4."),
        (
            lambda: expand("softmax", {"seed": tuple(range(10_001))}),
            "This grid has 10001 runs; the limit is 10000.",
        ),
        (lambda: values_of("--lr", []), "--lr has no value: the list is empty."),
        (lambda: loss_names([]), "losses is empty."),
        (lambda: loss_names(5), "A loss is a name, a sum or a class, not int."),  # type: ignore[arg-type]
        (lambda: seeds_of([]), "seeds is empty."),
        (lambda: names_of("metrics", []), "metrics is empty."),
        (lambda: names_of("metrics", [1]), "metrics takes names, not int."),
        (lambda: EngineOptions("ray", cpus_per_run=0), "--cpus-per-run 0: at least 1."),
        (
            lambda: EngineOptions("ray", gpus_per_run=1.5),
            "--gpus-per-run 1.5: a part of one GPU, or a whole number.",
        ),
        (lambda: EngineOptions(cpus_per_run=1), "--cpus-per-run is for --engine ray."),
        (
            lambda: EngineOptions("ray").check_device("cuda:0"),
            "--device cuda:0 on Ray needs --gpus-per-run.",
        ),
        (lambda: check_device("gpu"), "Unknown device 'gpu'; there are: auto, cpu, cuda, cuda:0 ..., mps."),
        (checks("network", 5), "--network 5 is not a name."),
        (checks("precision", "x"), "--precision x is not one of auto, fp32, bf16."),
        (checks("init", 5), "--init takes a text, not int."),
        (checks("unseen", 5), "--unseen takes a text or a list, not int."),
        (checks("nesterov", 3), "--nesterov 3 is neither true nor false."),
        (checks("epochs", 0), "--epochs 0 is too small; it must be 1 to 100000."),
        (checks("epochs", 100_001), "--epochs 100001 is too large; the limit is 100000."),
        (checks("epochs", 1.5), "--epochs 1.5 is not a whole number."),
        (checks("epochs", True), "--epochs True is not a number."),
        (checks("lr", 0), "--lr 0 is too small; it must be more than 0."),
        (checks("lr", float("inf")), "--lr inf is not a finite number."),
        (checks("lr", float("nan")), "--lr nan is not a number."),
        (checks("batch_size", 0), "--batch-size 0 is too small; it must be at least 1."),
        (checks("epochs", 10**30), f"--epochs 1{'0' * 19} is too large; the limit is 100000."),
        (lambda: parse_values("--lr", "$" * 50), f"--lr {'$' * 40} is neither a number, a range nor a word."),
        (lambda: canonical_losses("x," * 30), f"Losses '{'x,' * 20}': there is an empty name in the list."),
        (
            lambda: augmentation_names("y" * 50),
            f"--augment {'y' * 40} is not one of shift, rotate, none.",
        ),
        (
            lambda: milestone_fractions("z" * 50),
            f"--milestones {'z' * 40}: write fractions like 0.5,0.75.",
        ),
        (
            lambda: milestone_fractions("0.5,0.5"),
            "--milestones are rising fractions of the steps between 0 and 1, like 0.5,0.75.",
        ),
        (
            lambda: parse_scales("w" * 50),
            f"--lr-scale {'w' * 40}: write it like loss=10 or network=0.5,loss=2.",
        ),
        (
            lambda: unseen_labels("x" * 50, ("a", "b", "c")),
            f"--unseen {'x' * 40} is not a class or range of classes; there are: a, b, c.",
        ),
        (lambda: unseen_labels("0-8", DIGITS), "--unseen leaves 1 class; training needs two."),
        (lambda: unseen_labels("0-9", DIGITS), "--unseen leaves no class; training needs two."),
        (lambda: unseen_labels([10], DIGITS), "unseen names labels that the data set does not have."),
        (
            lambda: unseen_labels("9-7", DIGITS),
            "--unseen 9-7 is not a class or range of classes; there are: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.",
        ),
        (
            lambda: make_config(sampler="shuffled", classes_per_batch=2),
            "--classes-per-batch and --samples-per-class need balanced batches.",
        ),
        (
            lambda: make_config(classes_per_batch=11),
            "--classes-per-batch 11 is more than the 10 classes there are.",
        ),
        (
            lambda: make_config(image_size=8),
            "--image-size is for a folder of image files; these data have a shape of their own.",
        ),
        (
            lambda: make_config(loss="softmax + 0.1*center + 0.1*island", settings={"alpha": 0.5}),
            "Several terms have a setting 'alpha'; say center.alpha or island.alpha.",
        ),
        (
            lambda: make_config(loss="center", settings={"x": 1}),
            "softmax + center has no setting 'x'; it has: softmax.bias, softmax.fixed, center.alpha.",
        ),
        (
            lambda: make_config(loss="softmax + center + center"),
            "Each loss can stand in a sum once; center is repeated.",
        ),
        (
            lambda: make_config(loss="center", lam=-1.0),
            "The weight of center is -1.0; a weight (lambda) is finite and at least 0.",
        ),
        (
            lambda: make_config(lam=1.0),
            "--lambda is the weight of one auxiliary term (such as center) without a written weight; 'softmax' "
            "has none.",
        ),
        (
            lambda: make_config(loss="softmax + center + island", lam=1.0),
            "--lambda is the weight of one auxiliary term (such as center) without a written weight; "
            "'softmax + center + island' has several.",
        ),
        (lambda: config_at("center", {"lambda": "a"}), "--lambda a is not a number."),
        (lambda: make_config(init="a-run"), "--init a-run is not a run that is stored here."),
        (
            lambda: TuningResult.from_dict({"format": 99}),
            "No result of tuning, of another format, or changed by hand.",
        ),
    ],
)
def test_wrong_values(refused: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(LossbenchError) as found:
        refused()
    assert str(found.value) == sentence


def test_the_most_and_the_least_that_is_allowed() -> None:
    assert len(parse_seeds("0-9999")) == len(parse_values("--lr", "0:1:lin:10000")) == 10_000
    assert parse_seeds("3-3,1,3") == (3, 1)
    assert parse_values("--lr", "1:2:lin:2") == (1, 2)
    assert len(expand("softmax", {"seed": (0, 1), "epochs": (1, 2)})) == 4
    assert (EngineOptions("ray", cpus_per_run=1).cpus, EngineOptions("ray", gpus_per_run=0.5).gpus) == (
        1,
        0.5,
    )
    assert RUN_OPTIONS["epochs"].check(1) == 1 and RUN_OPTIONS["epochs"].check(100_000) == 100_000
    assert unseen_labels("0-7", DIGITS) == tuple(range(8))
    assert parse_scales(" loss = 10, network=0.5") == {"loss": 10.0, "network": 0.5}
    assert milestone_fractions("0.5,0.75") == (0.5, 0.75)
    assert make_config(classes_per_batch=10).classes_per_batch == 10


def test_files(tmp_path: Path) -> None:
    run = tmp_path / "softmax-0123456789"
    run.mkdir()
    (tmp_path / "link").symlink_to(run)
    config = make_config(loss="arcface", dataset="digits")
    missing = tmp_path / "tuned" / "digits" / "stride3" / "arcface.json"
    tune = "`lossbench tune --loss arcface --dataset digits --network stride3`"
    link = f"{tmp_path / 'link'} is a link; lossbench makes none here and follows none."
    settings = run / "config.json"
    cases: list[tuple[Callable[[], Any], object, str]] = [
        (
            lambda: open_run(run),
            None,
            f"{run} has no config.json; it is no run, or its training never began.",
        ),
        (lambda: open_run(run), {"format": 9}, f"{settings} has another format than this version reads (1)."),
        (lambda: refuse_links(tmp_path), None, link),
        (lambda: refuse_links(tmp_path / "link"), None, link),
        (
            lambda: read_result(Store(tmp_path), config, "arcface"),
            None,
            f"{missing} is not there; {tune} makes it.",
        ),
    ]
    for refused, content, sentence in cases:
        if content is not None:
            settings.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(LossbenchError) as found:
            refused()
        assert str(found.value) == sentence


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "runs --sort old",
            "lossbench: Unknown order of runs 'old'; did you mean oldest?",
        ),
        ("losses --kind pair", "lossbench: Unknown kind of losses 'pair'; did you mean pairs?"),
        ("runs", "There is no run in {0}; `lossbench train --results {0}` makes one."),
    ],
)
def test_listings(words: str, sentence: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = ["--results", str(tmp_path)] if words.startswith("runs") else []
    code = main([*words.split(), *place])
    assert capsys.readouterr().err == sentence.format(tmp_path) + "\n"
    assert code == (2 if sentence.startswith("lossbench:") else 0)
