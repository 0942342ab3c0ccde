"""Lists and ranges, grids of configs, and one row per setting from what became of the runs."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lossbench.errors import UsageError
from lossbench.experiments.grid import MAX_RUNS, axes_by_loss, expand, parse_seeds, parse_values, varied_axes
from lossbench.experiments.summary import summarize
from lossbench.runs.config import RunConfig
from lossbench.runs.config_builder import make_config
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import RunResult, Status

FUZZ = settings(max_examples=300, deadline=None, database=None)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0", (0,)),
        ("0,0.1", (0, 0.1)),
        (" 0 , 0.1 ", (0, 0.1)),
        ("-1,+2,.5,5.,1e-3", (-1, 2, 0.5, 5.0, 0.001)),
        ("hard,all", ("hard", "all")),
        ("true,false", ("true", "false")),
        ("0.1:0.9:lin:5", (0.1, 0.3, 0.5, 0.7, 0.9)),
        ("0:10:lin:3", (0, 5, 10)),
        ("-1:1:lin:3", (-1, 0, 1)),
        ("1e-4:1e-1:log:4", (0.0001, 0.001, 0.01, 0.1)),
        ("1:100:log:3", (1, 10, 100)),
        ("8:64:log:4", (8, 16, 32, 64)),
        ("0,1e-3:1e-1:log:3,hard", (0, 0.001, 0.01, 0.1, "hard")),
        ("3,1,2,1,3", (3, 1, 2)),
        ("0.01,1e-2,0.010", (0.01,)),
        ("1e-3:1e-1:log:3,0.01,0.5", (0.001, 0.01, 0.1, 0.5)),
    ],
)
def test_values_are_read_in_order_each_once(text: str, values: tuple[Any, ...]) -> None:
    assert parse_values("--lambda", text) == values
    assert [type(value) is str for value in parse_values("--lambda", text)] == [
        type(v) is str for v in values
    ]


def test_whole_numbers_stay_whole() -> None:
    assert [type(value) for value in parse_values("--epochs", "5,10")] == [int, int]
    assert [type(value) for value in parse_values("--lr", "1e-3,5.0")] == [float, float]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ",",
        "1,",
        ",1",
        "1,,2",
        "a:1:lin:3",
        "0:1:lin:1",
        "0:1:lin:0",
        "1:0:lin:3",
        "1:1:lin:3",
        "0:1:log:3",
        "-1:1:log:3",
        "0:1e999:lin:3",
        "0:1:lin:10001",
        "0:1:lin:" + "9" * 5000,
        "9" * 5000,
        ",".join(map(str, range(MAX_RUNS + 1))),
    ],
    ids=lambda text: text[:20],
)
def test_values_that_make_no_sense_are_refused_by_the_option(text: str) -> None:
    with pytest.raises(UsageError, match="^--lambda "):
        parse_values("--lambda", text)


@pytest.mark.parametrize("exponents", [(-3, 0, 4), (-4, -1, 4), (-6, 2, 9), (-12, 3, 16)])
def test_a_point_of_a_log_range_is_the_same_run_as_the_point_written_out(exponents: tuple[int, ...]) -> None:
    low, high, count = exponents
    values = parse_values("--lambda", f"1e{low}:1e{high}:log:{count}")
    assert values == tuple(float(f"1e{exponent}") for exponent in range(low, high + 1))
    assert 0.001 in values
    by_range = expand("center", {"lambda": values})
    written = expand("center", {"lambda": tuple(float(f"1e{e}") for e in range(low, high + 1))})
    assert [config.id for config in by_range] == [config.id for config in written]


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e6), st.integers(2, 50), st.sampled_from(["lin", "log"]))
@settings(max_examples=100, deadline=None, database=None)
def test_a_range_has_its_ends_and_rises(low: float, factor: float, count: int, kind: str) -> None:
    low = float(f"{low:.6g}")
    high = float(f"{low * factor:.6g}")
    if not low < high:
        return
    values = parse_values("--lr", f"{low!r}:{high!r}:{kind}:{count}")
    assert len(values) == count
    assert (values[0], values[-1]) == pytest.approx((low, high), rel=1e-11)
    steps = np.diff(np.log(values) if kind == "log" else values)  # type: ignore[arg-type]
    np.testing.assert_allclose(steps, steps.mean(), rtol=1e-5)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0-2", (0, 1, 2)),
        ("0,3,5-7", (0, 3, 5, 6, 7)),
        ("5-7,3,0", (5, 6, 7, 3, 0)),
        ("2-2", (2,)),
        (" 1 , 2 ", (1, 2)),
        ("1-3,2-4,1", (1, 2, 3, 4)),
        ("007", (7,)),
        ("0-9999", tuple(range(10_000))),
    ],
)
def test_seeds_are_read_in_order_each_once(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text",
    [
        "3-1",
        "",
        "a",
        "1e9-2e9",
        "1-",
        "-1",
        "1,,2",
        "1.5",
        "0x1",
        "1:3",
        "0-10000",
        "0-1000000000",
        "²",
        "1-2-3",
    ]
    + ["9" * 5000, "0-" + "9" * 5000],
    ids=lambda text: text[:20],
)
def test_seeds_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="^--seeds "):
        parse_seeds(text)


@FUZZ
@given(st.one_of(st.text(max_size=20), st.text("0123456789-,:.elingo+ ²٣", max_size=30)))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_seeds, lambda text: parse_values("--x", text)):
        try:
            values = read(text)
        except UsageError:
            continue
        assert 1 <= len(values) == len(set(values)) <= MAX_RUNS


def grid(loss: str = "center", **axes: Any) -> list[RunConfig]:
    return expand(
        loss, {"network": ["lenet"], **{key.replace("__", "."): value for key, value in axes.items()}}
    )


def test_a_grid_is_every_combination_with_the_seed_varying_fastest() -> None:
    configs = expand("center", {"seed": (0, 1), "lambda": (0.1, 0.2), "alpha": (0.5, 0.6), "epochs": (3,)})
    found = [(c.value_of("lambda"), c.value_of("alpha"), c.seed) for c in configs]
    assert found == list(itertools.product((0.1, 0.2), (0.5, 0.6), (0, 1)))
    assert all(config.epochs == 3 for config in configs)
    assert configs[0] == make_config(loss="center", lam=0.1, settings={"alpha": 0.5}, epochs=3)


def test_equal_points_of_a_grid_are_one_run() -> None:
    assert len(grid("center", center__alpha=(0.5,), **{"lambda": (0.003, 3e-3)})) == 1
    assert len(expand("softmax", {})) == 1


def test_a_grid_over_the_limit_is_refused_before_it_is_built() -> None:
    with pytest.raises(UsageError, match=r"1000000000000 runs; the limit is 10000"):
        expand("center", {"seed": range(10**6), "lambda": range(10**6)})
    assert len(expand("softmax", {"seed": range(200)})) == 200


def test_a_bad_point_is_refused() -> None:
    for axes in ({"lambda": ("x",)}, {"alpha": (2,)}, {"nothing": (1,)}, {"epochs": (0,)}, {"terms": (1,)}):
        with pytest.raises(UsageError):
            expand("center", axes)
    with pytest.raises(UsageError):
        expand("center", {"lambda": parse_values("--lambda", "1" + "0" * 400)})
    with pytest.raises(UsageError):
        expand("center", {"seed": parse_seeds("1" + "0" * 400)})


def test_each_loss_gets_the_axes_that_it_has() -> None:
    axes = {"lambda": (0.1, 1), "margin": (0.1, 0.2), "epochs": (1, 2), "center.alpha": (0.5,)}
    assert [list(of_loss) for of_loss in axes_by_loss(["softmax", "center", "arcface"], axes).values()] == [
        ["epochs"],
        ["lambda", "epochs", "center.alpha"],
        ["margin", "epochs"],
    ]
    (written,) = axes_by_loss(["softmax + 0.5*center"], {"alpha": (0.1, 0.2)}).values()
    assert list(written) == ["alpha"]
    joined = axes_by_loss(["center", "ring", "arcface", "arcface + center"], {"softmax.bias": (True,)})
    assert [loss for loss, axes in joined.items() if axes] == ["center", "ring"]  # softmax is part of them


def test_an_axis_that_no_loss_has_is_refused() -> None:
    with pytest.raises(UsageError, match=r"None of softmax, arcface has a setting 'alpha'"):
        axes_by_loss(["softmax", "arcface"], {"alpha": (0.1,), "margin": (0.1,)})
    with pytest.raises(UsageError, match="lambda"):
        axes_by_loss(["softmax + 0.5*center"], {"lambda": (0.1,)})
    with pytest.raises(UsageError, match="Unknown loss"):
        axes_by_loss(["sofmax"], {})


@pytest.mark.parametrize(
    "loss", ["center", "softmax + center", "softmax + triplet", "softmax + 0.1*ring + center"]
)
def test_an_axis_of_a_loss_can_be_swept_and_an_axis_that_can_be_swept_is_one_of_the_loss(loss: str) -> None:
    configs = expand(loss, {"lambda": (0.1, 0.2)})
    assert len(configs) == 2
    (axes,) = axes_by_loss([loss], {"lambda": (0.1, 0.2)}).values()
    assert varied_axes(configs, axes) == {"lambda": [0.1, 0.2]}


def test_only_axes_that_differ_are_swept_and_never_the_seed() -> None:
    axes = {"lambda": (0.1, 0.2), "alpha": (0.5,), "seed": (0, 1), "epochs": (2, 1)}
    assert varied_axes(expand("center", axes), axes) == {"lambda": [0.1, 0.2], "epochs": [2, 1]}


# from outcomes to rows


def done(config: RunConfig, accuracy: float, **metrics: float | None) -> Outcome:
    result = RunResult(
        run=config.run_name,
        status=Status.DONE,
        seconds=2.0,
        images_per_second=100.0,
        test_accuracy=accuracy,
        metrics={"gap": accuracy / 2, **metrics},
    )
    return Outcome(config, Status.DONE, result)


def test_runs_are_counted_and_never_dropped() -> None:
    a, b = (make_config(loss="center", lam=lam) for lam in (0.1, 0.2))
    seeds = [[dataclasses.replace(config, seed=seed) for seed in range(5)] for config in (a, b)]
    outcomes = [
        Outcome(seeds[1][0], Status.FAILED, None, "out of memory"),
        done(seeds[0][0], 0.98),
        Outcome(seeds[0][1], Status.DIVERGED, None, "the loss became NaN"),
        done(seeds[0][2], 0.99),
        Outcome(seeds[1][1], Status.DIVERGED, None, ""),
        Outcome(seeds[0][3], Status.INTERRUPTED, None, ""),
        done(seeds[0][4], 0.97),
    ]
    rows = summarize(iter(outcomes), ["lambda"])
    assert [(row.done, row.diverged, row.failed) for row in rows] == [(0, 1, 1), (3, 1, 1)]
    assert [row.swept["lambda"] for row in rows] == [0.2, 0.1]  # as they first occur
    assert sum(row.done + row.diverged + row.failed for row in rows) == len(outcomes)
    for row in rows:
        assert row.config in [outcome.config.to_dict() for outcome in outcomes]
    assert rows[1].runs == {config.seed: config.run_name for config in seeds[0]}


def test_intervals_are_over_the_completed_runs() -> None:
    config = make_config(loss="softmax")
    values = [0.98, 0.99, 0.97]
    (row,) = summarize([done(dataclasses.replace(config, seed=i), value) for i, value in enumerate(values)])
    interval = row.metrics["test_accuracy"]
    low, high = stats.t.interval(0.95, 2, loc=0.98, scale=stats.sem(values))
    assert tuple(interval) == pytest.approx((0.98, (high - low) / 2, 3))
    assert row.metrics["gap"].mean == pytest.approx(0.49)
    assert row.metrics["val_accuracy"][2] == 0
    assert math.isnan(row.metrics["val_accuracy"].mean)
    assert row.metrics["seconds"] == (2, 0, 3)


def test_a_setting_without_a_completed_run_has_a_row_without_numbers() -> None:
    (row,) = summarize([Outcome(make_config(), Status.FAILED, None, "")])
    assert (row.done, row.diverged, row.failed) == (0, 0, 1)
    assert all(math.isnan(interval.mean) for interval in row.metrics.values())
    assert summarize([]) == []


def test_a_metric_that_one_seed_has_not_is_averaged_over_the_others() -> None:
    configs = [dataclasses.replace(make_config(), seed=seed) for seed in range(3)]
    outcomes = [done(configs[0], 0.9), done(configs[1], 0.9, new=1.0), done(configs[2], 0.9, new=3.0)]
    for order in itertools.permutations(outcomes):  # runs complete in any order, a stored one may be older
        (row,) = summarize(order)
        assert row.metrics["new"].mean == 2
        assert row.metrics["new"][2] == 2
    (row,) = summarize([done(configs[0], 0.9, spread=None), done(configs[1], 0.9, spread=2.0)])
    assert row.metrics["spread"].mean == 2


def test_a_recipe_goes_to_every_loss_and_varies_nothing() -> None:
    axes: dict[str, tuple[Any, ...]] = {"recipe": ("fast",), "dataset": ("digits",), "seed": (0, 1)}
    by_loss = axes_by_loss(["softmax", "center"], axes)
    assert by_loss == {"softmax": axes, "center": axes}
    configs = expand("softmax", axes)
    assert [config.network for config in configs] == ["stride3", "stride3"]
    assert varied_axes(configs, axes) == {}
