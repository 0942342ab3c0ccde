"""The page of the benchmark: its findings against loops over the numbers, and that all of it follows from JSON."""

from __future__ import annotations

import dataclasses
import json
import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr, ttest_rel

from lossbench.__main__ import main
from lossbench.errors import RunError, UsageError
from lossbench.experiments.loss_benchmark import PARTS, Part
from lossbench.reports.loss_benchmark.advice import advice, close_losses
from lossbench.reports.loss_benchmark.correlations import Pair, correlation_table
from lossbench.reports.loss_benchmark.documents import check_earlier_seeds, read_parts, write_part
from lossbench.reports.loss_benchmark.evidence import Evidence, tuned_rows
from lossbench.reports.loss_benchmark.figures import pictures_of
from lossbench.reports.loss_benchmark.findings import answers
from lossbench.reports.loss_benchmark.limits import poor_runs, threats
from lossbench.reports.loss_benchmark.page import markdown, write_page
from lossbench.reports.loss_benchmark.scores import Scores, choose_test, compare_scores
from lossbench.runs.outcome import Outcome
from lossbench.runs.result import RunResult, Status
from lossbench.runs.store import Store

ACCURACY = {"softmax": 0.990, "center": 0.9901, "arcface": 0.985, "triplet": 0.970, "etf": 0.9905}
RETRIEVAL = {"softmax": 0.80, "center": 0.95, "arcface": 0.97, "triplet": 0.94, "etf": 0.60}
SECONDS = {"softmax": 20.0, "center": 22.0, "arcface": 21.0, "triplet": 40.0, "etf": 19.0}
SEEDS = range(8)
MAP = "map-at-r-euclidean"


def outcomes(part: Part, seeds: Sequence[int] = SEEDS, gain: float = 0.0) -> list[Outcome]:
    """Runs with known means and small noise; that of `etf` at seed 3 diverged."""
    found = []
    for loss, configs in dataclasses.replace(part, losses=tuple(ACCURACY)).configs(seeds).items():
        for number, config in enumerate(configs):
            if loss == "etf" and config.seed == 3:
                found.append(Outcome(config, Status.DIVERGED, None, "diverged"))
                continue
            noise = np.random.default_rng([config.seed, number, list(ACCURACY).index(loss)]).normal(0, 1, 4)
            retrieval = RETRIEVAL[loss] + 0.002 * noise[1] + gain
            others = {name: retrieval for name in part.metrics if name not in ("test_accuracy", "seconds")}
            result = RunResult(
                run=config.run_name,
                status=Status.DONE,
                seconds=SECONDS[loss] + 0.1 * noise[2],
                finished="2026-01-01T00:00:00+00:00",
                test_accuracy=ACCURACY[loss] + 0.0002 * noise[0],
                metrics={name: value for name, value in others.items() if not name.startswith("unseen-")},
                unseen={name[7:]: value for name, value in others.items() if name.startswith("unseen-")},
            )
            found.append(Outcome(config, Status.DONE, result))
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The parts `defaults` and `open-set`."""
    store = Store(tmp_path)
    for name in ("defaults", "open-set"):
        command = f"lossbench reproduce benchmark --part {name}"
        write_part(store, name, PARTS[name], outcomes(PARTS[name]), command=command)
    return store


def sentences(store: Store) -> list[str]:
    return [answer.sentence for answer in answers(Evidence(read_parts(store)))]


def details(store: Store, number: int) -> str:
    """All that stands below the sentence of a finding."""
    return "\n".join(answers(Evidence(read_parts(store)))[number].details)


def page_of(store: Store) -> str:
    """The text of the page, without the time in which figures are drawn."""
    evidence = Evidence(read_parts(store))
    return markdown(evidence, pictures_of(evidence))


def numbers(store: Store, loss: str, metric: str) -> list[float]:
    """The numbers of a loss, read from the JSON without our code."""
    data = json.loads((store.benchmark / "defaults.json").read_text())
    (row,) = (row for row in data["settings"] if row["loss"] == loss)
    return [values[metric] for values in row["by_seed"].values() if metric in values]


def test_the_threats_name_the_losses_on_balanced_batches() -> None:
    listed = " ".join(threats().split()).partition("a few fewer images: ")[2].partition(". ")[0].split(", ")
    assert {"contrastive", "range", "triplet"} < set(listed)
    assert not {"softmax", "center", "arcface"} & set(listed)


def test_the_findings_say_what_loops_over_the_json_find(store: Store) -> None:
    best, softmax, retrieval, against, center, agreement, cost, *_ = sentences(store)
    accuracy = numbers(store, "center", "test_accuracy")
    assert (
        f"`center` has the best mean of those whose runs were all done, {100 * statistics.mean(accuracy):.2f} ± "
        in best
    )
    assert "A better mean in test accuracy, but not all runs done: `etf`." in details(store, 0)
    assert "; 2 of the 4 others are not distinguishable from it (8 seeds)." in best
    assert "Not distinguishable from `center` in test accuracy: `etf` (+0.0" in details(store, 0)
    assert (
        "1 of 4 losses is better than `softmax` and 2 are worse; the best of them, `etf`, differs by "
        in softmax
    )
    gains = np.subtract(*(numbers(store, loss, "test_accuracy") for loss in ("triplet", "softmax")))
    below = details(store, 1)
    assert "Better: `etf`. Not distinguishable: 1. Below it at every seed: 2. The last, `triplet`, " in below
    assert (
        f"differs by {100 * gains.mean():.2f} ± ".replace("-", "−") in below
    )  # the larger one, which is no gain
    assert retrieval.startswith("In MAP@R (Euclidean), `arcface` has the best mean")
    assert "In MAP@R (cosine), `arcface` has the best mean" in retrieval
    assert retrieval.count("; all 4 others are worse (8 seeds).") == 2
    assert against.count("3 of 4 losses are better than `softmax` and 1 is worse") == 2
    assert details(store, 3).count("Better: `arcface`, `center`, `triplet`. ") == 2
    differences = np.subtract(numbers(store, "center", MAP), numbers(store, "softmax", MAP))
    assert f"+{differences.mean():.3f} ± " in center
    assert center.startswith("Center loss minus softmax, paired over 8 seeds: ")
    assert center.endswith("in MAP@R (cosine), better.")
    times = [statistics.mean(numbers(store, loss, "seconds")) for loss in ("triplet", "softmax")]
    assert cost.startswith("The slowest loss, `triplet`, takes ")
    assert "the fastest, `etf`" in cost
    assert f"and {times[0] / times[1]:.2f} ± " in cost
    assert f"A run takes {times[0]:.2f} ± 0.0" in details(store, 6)  # a digit more: it would read ± 0.0
    assert "over 7 seeds" in agreement  # at one more `etf` failed


def test_what_the_readme_shows_are_two_short_sentences_at_most() -> None:
    published = Evidence(read_parts(Store(Path(__file__).parents[2] / "results" / "published")))
    for answer in answers(published):
        parts = [part for part in re.split(r"\. (?=[A-Z0-9])", answer.sentence) if part]
        assert len(parts) <= 2, answer.sentence
        assert all(len(part.split()) <= 45 for part in parts), answer.sentence
        assert not re.search(r"\([^()]*\(", answer.sentence), "brackets within brackets"


def test_the_rank_correlation_is_that_of_each_seed_of_all_losses(store: Store) -> None:
    data = json.loads((store.benchmark / "defaults.json").read_text())
    by_loss = [row["by_seed"] for row in data["settings"]]
    seeds = [seed for seed in by_loss[0] if all(values[seed] for values in by_loss)]
    assert len(seeds) == 7
    expected = statistics.mean(
        spearmanr(*([values[seed][name] for values in by_loss] for name in ("test_accuracy", MAP))).statistic
        for seed in seeds
    )
    text = sentences(store)[5]
    assert f"a rank correlation of {expected:+.2f} ± ".replace("-", "−") in text
    assert text.index(" with MAP@R (Euclidean)") < text.index(" with MAP@R (cosine)")


def test_a_question_whose_part_is_not_there_is_not_answered(store: Store) -> None:
    found = answers(Evidence(read_parts(store)))
    assert [bool(answer.sentence) for answer in found] == [True] * 8 + [False] * 2
    assert [answer.missing for answer in found[8:]] == [("tuned",), ("dimensions", "digits")]
    page = page_of(store)
    assert "Not answered: no finished runs of tuned." in page
    assert "| tuned | Tuned settings on MNIST | 20 | – |" in page
    assert "defaults (8 of 20)" in page  # fewer seeds than planned
    pictures = [each.name for each in pictures_of(Evidence(read_parts(store)))]
    assert re.findall(r"^!\[.+\]\((.+)\.png\)$", page, re.MULTILINE) == pictures != []


def test_losses_and_seeds_that_are_not_there_are_no_traceback(store: Store) -> None:
    path = store.benchmark / "defaults.json"
    data = json.loads(path.read_text())
    rows = data["settings"]
    data["settings"] = [row for row in rows if row["loss"] == "softmax"]
    path.write_text(json.dumps(data))
    found = sentences(store)
    assert found[1] == "There is nothing to compare with `softmax` in test accuracy."
    assert found[4] == "`center` was not trained."
    data["settings"] = rows[1:]
    path.write_text(json.dumps(data))
    assert re.search(
        r"takes [^ ]+ ± [^ ]+ times as long as the fastest, `etf` \(8 seeds\)\.", sentences(store)[6]
    )
    write_part(store, "tuned", PARTS["tuned"], outcomes(PARTS["tuned"], [8]), command="lossbench")
    assert sentences(store)[8].count("no loss has a seed both at its defaults and with tuned settings.") == 2
    path.unlink()
    write_part(store, "defaults", PARTS["defaults"], outcomes(PARTS["defaults"], [0]), command="lossbench")
    page = page_of(store)
    assert "± nan" not in page and "the 95 % interval of a difference to softmax" not in page
    assert "(1 seed)." in page


def test_a_part_in_which_every_run_failed_answers_nothing(tmp_path: Path) -> None:
    failed = [Outcome(each.config, Status.FAILED, None, "no data") for each in outcomes(PARTS["defaults"])]
    store = Store(tmp_path)
    write_part(store, "defaults", PARTS["defaults"], failed, command="lossbench")
    page = write_page(store).read_text()
    first = (store.benchmark / "defaults.json").read_text()
    write_part(store, "defaults", PARTS["defaults"], failed, command="lossbench")
    assert (store.benchmark / "defaults.json").read_text() == first  # no earlier seeds
    assert "| defaults | Defaults on MNIST | 20 | 8 | 0 | 0 | 40 | `lossbench` |" in page
    assert page.count("Not answered: no finished runs of defaults.") == 2 * 7  # the question, and a limit
    assert not list(store.benchmark.glob("*.png"))


def test_failures_are_counted_and_a_loss_that_failed_is_not_the_best(store: Store) -> None:
    page = page_of(store)
    assert "| defaults | Defaults on MNIST | 20 | 8 | 39 | 1 | 0 |" in page
    assert "| etf | class scores | cosine | 7 / 1 / 0 |" in page
    evidence = Evidence(read_parts(store))
    assert next(iter(evidence.scores("defaults", "test_accuracy").values)) == "etf"
    assert {"etf", "center"} <= set(evidence.groups("defaults", "test_accuracy")[0])
    assert "`center` has the best mean" in sentences(store)[0]
    (row,) = (row for row in evidence.against("defaults", "test_accuracy") if row.loss == "etf")
    assert (row.paired.n, row.paired.unpaired, row.failed) == (7, 1, 1)


def test_a_seed_that_not_every_loss_has_is_not_used(store: Store, tmp_path: Path) -> None:
    kept = [
        each for each in outcomes(PARTS["defaults"]) if (each.config.loss, each.config.seed) != ("center", 5)
    ]
    write_part(Store(tmp_path / "x"), "defaults", PARTS["defaults"], kept, command="lossbench")
    evidence = Evidence(read_parts(Store(tmp_path / "x")))
    assert evidence.scores("defaults", MAP).seeds == 7
    assert all(5 not in values for values in evidence.scores("defaults", MAP).values.values())


def test_a_document_without_a_metric_that_decides_is_of_an_earlier_version(store: Store) -> None:
    path = store.benchmark / "defaults.json"
    data = json.loads(path.read_text())
    data["metrics"].remove(MAP)
    path.write_text(json.dumps(data))
    with pytest.raises(
        RunError, match=r"earlier version, without map-at-r-euclidean; run `lossbench reproduce"
    ):
        read_parts(store)


def test_times_of_a_shared_machine_say_nothing(store: Store) -> None:
    path, figure = store.benchmark / "defaults.json", store.benchmark / "cost.png"
    data = json.loads(path.read_text())
    assert write_page(store) == store.benchmark / "README.md"
    assert "| seconds |" in (store.benchmark / "README.md").read_text()
    assert figure.exists()
    for number, seed in enumerate("012456"):  # two seeds are left, at which nothing else ran
        data["settings"][number % 4]["by_seed"][seed]["seconds"] *= 1.6
    path.write_text(json.dumps(data))
    assert sentences(store)[6].startswith(
        "The stored times say nothing about the losses: those of one and the same loss"
    )
    assert "| seconds |" not in write_page(store).read_text()
    assert not figure.exists()
    assert "the shortest training" not in {line.purpose for line in advice(Evidence(read_parts(store)))}


def test_seeds_at_which_other_programs_ran_do_not_count_for_seconds(store: Store) -> None:
    path = store.benchmark / "defaults.json"
    data = json.loads(path.read_text())
    for row, seed in ((0, "4"), (2, "1"), (3, "4"), (0, "6"), (1, "7"), (3, "2")):
        data["settings"][row]["by_seed"][seed]["seconds"] *= 1.6
    path.write_text(json.dumps(data))
    evidence = Evidence(read_parts(store))
    assert set(evidence.scores("defaults", "seconds").values["softmax"]) == {0, 3, 5}
    assert set(evidence.scores("defaults", MAP).values["softmax"]) == set(SEEDS)
    assert sentences(store)[6].endswith("as `softmax` (3 seeds).")
    assert details(store, 6).endswith(
        " Left out: 5 seeds at which some loss took more than 1.5 times as long as at its fastest. Other "
        "programs ran then, or the machine or the version of lossbench was a slower one."
    )
    page = page_of(store)
    assert "| seconds |" in page
    assert "Seconds are those of 3 seeds: at the others some loss took more than 1.5 times as" in page


def test_seeds_that_a_document_has_stay_in_it(store: Store) -> None:
    part, path = PARTS["defaults"], store.benchmark / "defaults.json"
    rates = dict(zip(ACCURACY, (0.01, 0.02, 0.03, 0.04, 0.05), strict=True))  # written as `0.01 to 0.05`
    whole = [
        each._replace(config=dataclasses.replace(each.config, lr=rates[each.config.loss]))
        for each in outcomes(part, range(12))
    ]
    write_part(store, "defaults", part, whole, command="lossbench whole")
    expected = json.loads(path.read_text())
    path.unlink()
    for number, seeds in enumerate((range(8), range(6, 10), range(10, 12), range(3, 5))):
        some = [each for each in whole if each.config.seed in seeds]
        write_part(store, "defaults", part, some, command=f"lossbench {number}")
    found = json.loads(path.read_text())
    assert found["settings"] == [
        {**row, "config": {**row["config"], "seed": 3}} for row in expected["settings"]
    ]
    assert (found["settings"][-1]["done"], found["settings"][-1]["diverged"]) == (11, 1)  # etf at seed 3
    assert found["command"] == "lossbench 0 && lossbench 1 && lossbench 2 && lossbench 3"
    first, earlier = found["conditions"].split("Earlier seeds: ")
    assert "; seeds 3, 4. " in first
    found_seeds = re.findall(r"MNIST with 5,000 [^;]+; [^;]+; [^;]+ 0.01 to 0.05; (seeds [^.]+)\.", earlier)
    assert found_seeds == ["seeds 10, 11", "seeds 6-9", "seeds 0-7"]
    write_part(store, "defaults", part, whole, command="lossbench all")
    assert json.loads(path.read_text()) == {**expected, "command": "lossbench all"}


def test_seeds_that_would_be_lost_are_named_before_training(store: Store) -> None:
    part = PARTS["defaults"]
    check_earlier_seeds(store, "defaults", dataclasses.replace(part, seeds=(20,)))
    check_earlier_seeds(store, "defaults", dataclasses.replace(part, metrics=part.metrics[:4]))
    few = dataclasses.replace(part, metrics=part.metrics[:4], seeds=(20, 21))
    check_earlier_seeds(store, "defaults", few, quick=True)
    check_earlier_seeds(store, "tuned", few)
    told = f"would be lost: give --metric {','.join(part.metrics)}, or move the file away"
    with pytest.raises(UsageError, match=re.escape(told)):
        check_earlier_seeds(store, "defaults", few)
    (store.benchmark / "defaults.json").write_text('{"command": "lossbench", "kind": "benchmark"}')
    with pytest.raises(RunError, match="changed by hand"):
        check_earlier_seeds(store, "defaults", part)


def test_seeds_of_other_settings_or_metrics_do_not_stay(store: Store) -> None:
    path, part = store.benchmark / "tuned.json", PARTS["tuned"]
    write_part(store, "tuned", part, outcomes(part, range(2)), command="lossbench")
    fewer = dataclasses.replace(part, metrics=part.metrics[:4])
    write_part(store, "tuned", fewer, outcomes(fewer, range(2, 4)), command="lossbench")
    assert [list(row["runs"]) for row in json.loads(path.read_text())["settings"]] == [["2", "3"]] * 5
    others = [
        each._replace(config=dataclasses.replace(each.config, lr=0.1))
        for each in outcomes(fewer, range(4, 6))
    ]
    write_part(store, "tuned", fewer, others, command="lossbench")
    assert [list(row["runs"]) for row in json.loads(path.read_text())["settings"]] == [["4", "5"]] * 5


def test_settings_at_an_end_of_what_was_searched_are_named(store: Store) -> None:
    results = []
    for loss, rate in (("softmax", 0.0065), ("center", 0.0075), ("arcface", 0.16), ("triplet", 0.19)):
        ends = {"lr": (0.00625, 0.2, True), f"{loss}.margin": (0.0, 1.0, False)}
        space = {name: dict(zip(("low", "high", "log"), each, strict=True)) for name, each in ends.items()}
        numbers = {"value": 0.9, "default_value": 0.8, "trials": 25, "hopeless": 3, "diverged": 1}
        point = {"lr": rate, f"{loss}.margin": 1e-5}
        results.append(
            {"loss": loss, "point": point, "metric": MAP, "seeds": [100], "space": space, **numbers}
        )
    write_part(store, "tuning", PARTS["tuning"], [], command="lossbench", data=results)
    page = page_of(store)
    # by its rate softmax is 1 % above the lower end and center 5.3 %; triplet is at 98.5 % and arcface at 93.6 %
    lower = "softmax lr, softmax margin, center margin, arcface margin, triplet margin"
    assert (
        f"To the lower end of their range: {lower}. To the upper end of their range: triplet lr. Wh" in page
    )
    assert "The settings with the highest MAP@R (Euclidean), as each loss compares features, on valid" in page
    assert " images with seed 100. The best" in page
    assert "| softmax | lr 0.0065, margin 1e-5 | 0.900 | 0.800 | 25 | 3 | 1 |" in page
    assert "| tuning | Search for settings | 2 | 1 | 4 | – | – | `lossbench` |" in page


def test_axes_and_legends_say_what_a_figure_shows(store: Store) -> None:
    for name, gain in (("tuned", 0.01), ("dimensions", 0.0), ("digits", 0.0)):
        write_part(store, name, PARTS[name], outcomes(PARTS[name], range(6), gain), command="lossbench")
    drawn: dict[str, Any] = {
        each.name: each.compose.keywords  # type: ignore[attr-defined]
        for each in pictures_of(Evidence(read_parts(store)))
    }
    maps = ("MAP@R (Euclidean)", "MAP@R (cosine)")
    distances = tuple(f"the loss compares features by {name}" for name in ("Euclidean distance", "cosine"))
    by_distance = {loss: int(loss in ("arcface", "etf")) for loss in ACCURACY}
    for name, axes, names, groups in (
        ("accuracy-map", [("test accuracy (%)", each) for each in maps], distances, by_distance),
        ("cost", [("seconds of a run", each) for each in maps], distances, by_distance),
        ("dimensions", [(f"{each} in 2-D", f"{each} in 64-D") for each in maps], distances, by_distance),
        (
            "tuned",
            [(f"{each} at the defaults", f"{each} with tuned settings") for each in maps],
            ("better with tuning", "not better with tuning"),
            {**dict.fromkeys(ACCURACY, 0), "etf": 1},  # of which a run failed
        ),
    ):
        panels = drawn[name]["panels"]
        assert [(panel.x.title, panel.y.title) for panel in panels] == axes
        assert {panel.x.better for panel in panels} == {-1 if name == "cost" else 1}
        assert {panel.y.better for panel in panels} == {1}
        assert [{point[0]: point[3] for point in panel.points} for panel in panels] == [groups, groups]
        assert (drawn[name]["names"], drawn[name]["diagonal"]) == (names, name == "tuned")
    for metric, title in zip(("map-at-r-euclidean", "map-at-r-cosine"), maps, strict=True):
        ranks = drawn[f"ranks-{metric}"]["xlabel"]
        assert ranks == f"mean rank by {title} over 7 sets (1 is best)"  # MNIST, the digits, five open sets
        forest = drawn[f"forest-{metric}"]
        assert (forest["unit"], forest["baseline"], len(forest["rows"])) == (title, "softmax", 4)


def test_tuned_settings_are_paired_with_the_defaults(store: Store) -> None:
    write_part(store, "tuned", PARTS["tuned"], outcomes(PARTS["tuned"], gain=0.01), command="lossbench")
    rows = tuned_rows(Evidence(read_parts(store)), MAP)
    assert {row.loss for row in rows} == set(ACCURACY)
    assert all(abs(row.paired.difference.mean - 0.01) < 1e-9 for row in rows)
    assert {row.verdict for row in rows} == {"better"}
    for name, losses in (("Euclidean", 3), ("cosine", 2)):
        assert (
            f"In MAP@R ({name}), 5 of 5 losses are better with tuned settings than at their defaults and none is "
            f"worse, of the {losses} that were tuned for it {losses} and none; the best mean stays that of "
            in sentences(store)[8]
        )
    found = details(store, 8)
    assert "Worse: none." in found
    assert (
        "All with tuned settings, 2 of the 2 other losses that were tuned for MAP@R (Euclidean) are better than "
        "`softmax` and none is worse; the best of them, `center`, differs by +0.15" in found
    )
    assert "of the 2 other losses that were tuned for MAP@R (cosine)" not in found  # softmax was not
    assert "In test accuracy, none is better with tuned settings and none is worse: `" in found
    assert found.endswith("Compared over 8 seeds; sign-flip tests, adjusted by Holm's method.")
    assert "may be the machine" not in found
    for name, where in (("defaults", "bfloat16 on A"), ("tuned", "float32 on B, C")):
        path = store.benchmark / f"{name}.json"
        known = re.sub(
            "Convolutions in .+?, . thread", f"Convolutions in {where}, 1 thread", path.read_text()
        )
        path.write_text(known)
    assert (
        "The defaults were trained in bfloat16 on A, the tuned settings in float32 on B, C: a difference may "
        "be the machine and not the settings."
    ) in details(store, 8)


def test_tuned_settings_are_compared_at_the_seeds_of_both_parts(store: Store) -> None:
    """Also where there are more of them, or a loss that the defaults do not have."""
    write_part(store, "tuned", PARTS["tuned"], outcomes(PARTS["tuned"], range(4, 16)), command="lossbench")
    path = store.benchmark / "defaults.json"
    data = json.loads(path.read_text())
    del data["settings"][2]
    path.write_text(json.dumps(data))
    found = details(store, 8)
    assert found.endswith(
        "Compared over 4 seeds; too few for an exact test, so paired t tests, adjusted by Holm's method."
    )
    (same,) = set(re.findall(r"The settings stay the defaults where no trial was better: (.+)\.", found))
    assert set(same.split(", ")) == {"`softmax`", "`center`", "`triplet`", "`etf`"}


def test_a_loss_whose_defaults_stayed_the_best_is_named(store: Store) -> None:
    """Its runs are the same with tuned settings; another one got worse."""
    write_part(store, "tuned", PARTS["tuned"], outcomes(PARTS["tuned"]), command="lossbench")
    path = store.benchmark / "tuned.json"
    data = json.loads(path.read_text())
    for row in data["settings"]:
        if row["loss"] != "softmax":
            row["runs"] = {seed: f"{name}-tuned" for seed, name in row["runs"].items()}
        for values in row["by_seed"].values():
            if row["loss"] != "softmax" and MAP in values:
                values[MAP] += 0.01 if row["loss"] == "triplet" else -0.02
    path.write_text(json.dumps(data))
    found = details(store, 8)
    assert "In MAP@R (Euclidean), `triplet` gains most, +0.010 ± 0.000 (better)." in found
    assert re.search(r"The last, `\w+`, differs by −0.020 ± 0.000 \(\w+\)\. Worse: `(center|arcface)`", found)
    assert "where no trial was better: `softmax`." in found
    assert "In MAP@R (Euclidean), 1 of 5 losses is better with tuned settings" in sentences(store)[8]


@pytest.mark.parametrize(
    ("losses", "seeds", "words"),
    [
        (54, 12, "sign-flip tests, adjusted by Holm"),
        (54, 11, "max-T"),
        (54, 6, "max-T"),
        (54, 5, "t tests"),
        (3, 7, "sign-flip tests, adjusted by Holm"),
    ],
)
def test_the_test_is_the_one_that_the_protocol_names_for_so_many_seeds(
    losses: int, seeds: int, words: str
) -> None:
    assert words in choose_test(losses, seeds)


def test_few_seeds_are_compared_by_t_tests_and_the_page_says_so(store: Store) -> None:
    (store.benchmark / "defaults.json").unlink()
    write_part(
        store, "defaults", PARTS["defaults"], outcomes(PARTS["defaults"], range(3)), command="lossbench"
    )
    evidence = Evidence(read_parts(store))
    rows = {row.loss: row for row in evidence.against("defaults", MAP)}
    pairs = [[numbers(store, name, MAP) for name in (loss, "softmax")] for loss in ("center", "arcface")]
    assert [rows[loss].paired.p for loss in ("center", "arcface")] == pytest.approx(
        [ttest_rel(*pair).pvalue for pair in pairs]
    )
    assert rows["center"].verdict == "better"
    page = page_of(store)
    assert "the exact test can say nothing" in page
    tested = "3 seeds; too few for an exact test, so paired t tests, adjusted by Holm's method"
    assert f"- Compared over {tested}." in page
    assert f"paired by seed; {tested}:" in page
    lines = {line.purpose: line for line in advice(evidence)}
    assert lines["the best test accuracy"].losses == "no loss can be named yet, for too few seeds"
    assert lines["new classes from five examples each"].losses.startswith("`")  # many pairs of seed and split


def test_a_verdict_across_two_distances_says_so(store: Store) -> None:
    assert " Better than `softmax` are, of 4 losses, 3 in open-set AUROC (distance), " in sentences(store)[7]
    rejection = details(store, 7)
    assert (
        "Of the 3 that are better, 1 is measured by cosine and `softmax` by Euclidean distance" in rejection
    )
    assert "The one that is worse is measured by cosine and `softmax` by Euclidean distance" in rejection
    assert "in every pair" in rejection
    assert "splits are fixed and share digits" in rejection
    others = "".join(details(store, number) for number in range(7))  # by one distance for all losses
    assert "measured by cosine" not in others


def test_a_better_loss_that_is_not_tested_by_class_scores_is_pointed_out(store: Store) -> None:
    path = store.benchmark / "defaults.json"
    data = json.loads(path.read_text())
    (row,) = (row for row in data["settings"] if row["loss"] == "triplet")
    for seed, values in row["by_seed"].items():
        values["test_accuracy"] = 0.995 + 1e-5 * int(seed)
    path.write_text(json.dumps(data))
    assert (
        "Of the 2 that are better, 1 is not tested by class scores, as `softmax` is. By 1-NN accuracy, one rule "
        "for all losses, better of these: `triplet`." in details(store, 1)
    )
    assert (
        "Of the 2 that are better, 1 is trained on class-balanced batches and `softmax` on shuffled ones: this "
        "may be the batches and not the loss." in details(store, 1)
    )
    lines = {line.purpose: line for line in advice(Evidence(read_parts(store)))}
    accuracy = lines["the best test accuracy"].evidence
    assert "Trained on class-balanced batches, and `softmax` is not: `triplet`." in accuracy
    rejection = lines["to reject classes that training did not know"]
    assert "`triplet`" not in rejection.losses
    assert not any("class-balanced" in sentence for sentence in rejection.evidence)
    for row in data["settings"]:
        for values in row["by_seed"].values():
            values.pop("nn-accuracy", None)
    path.write_text(json.dumps(data))
    assert "1 is not tested by class scores" in details(store, 1)
    assert "By 1-NN accuracy" not in details(store, 1)


def test_runs_that_were_done_and_trained_badly_are_named(store: Store) -> None:
    path = store.benchmark / "defaults.json"
    data = json.loads(path.read_text())
    everything = [v["test_accuracy"] for row in data["settings"] for v in row["by_seed"].values() if v]
    edge = 1 - 3 * (1 - statistics.median(everything))
    (row,) = (row for row in data["settings"] if row["loss"] == "center")
    assert "`center`" not in poor_runs(Evidence(read_parts(store)))
    row["by_seed"]["2"]["test_accuracy"] = 0.83
    path.write_text(json.dumps(data))
    text = poor_runs(Evidence(read_parts(store)))
    assert f"- defaults, MNIST, below {100 * edge:.2f} % test accuracy: `center` 1, down to 83.00 %" in text
    assert text in page_of(store)


def test_a_rank_correlation_over_both_distances_is_split_by_distance() -> None:
    losses = (
        "softmax",
        "center",
        "island",
        "git",
        "ring",
        "gcpl",
        "arcface",
        "cosface",
        "normface",
        "circle",
        "coco",
    )
    values = {  # within a distance the ranks are opposite, over all losses they agree
        loss: dict.fromkeys(range(3), (number + 10 * (number < 6)) / 100)
        for number, loss in enumerate(losses)
    }
    others = {
        loss: dict.fromkeys(range(3), (10 * (number < 6) - number) / 100)
        for number, loss in enumerate(losses)
    }
    first, second = (Scores("test_accuracy", each, 3, frozenset(each)) for each in (values, others))
    table = correlation_table("accuracy with", [Pair("another", first, second)])
    rho = spearmanr([v[0] for v in values.values()], [v[0] for v in others.values()]).statistic
    assert [title.split(" that ")[0] for title in table.header[1:4]] == ["all 11 losses", "the 6", "the 5"]
    assert table.rows == [
        ["another", f"{rho:+.2f} ± 0.00", "−1.00 ± 0.00", "−1.00 ± 0.00", f"{rho:+.2f}"],
    ]
    assert rho > 0


def test_advice_names_the_losses_that_are_known_to_be_close_to_the_best(store: Store) -> None:
    lines = {line.purpose: line for line in advice(Evidence(read_parts(store)))}
    retrieval = lines["neighbours of the same class first, by Euclidean distance"]
    assert retrieval.losses == "`arcface`"
    mean = statistics.mean(numbers(store, "arcface", MAP))
    means, tested, within, *_ = retrieval.evidence
    assert means.startswith(f"Evidence: MAP@R (Euclidean) {mean:.3f} ± ")
    base = [statistics.mean(numbers(store, "softmax", name)) for name in (MAP, "map-at-r-cosine")]
    assert re.search(rf" under `arcface`, {base[0]:.3f} ± \S+ under `softmax` \(8 seeds\)\.", means)
    assert f" In MAP@R (cosine) `softmax` has {base[1]:.3f} ± " in means
    assert tested == "Better than `softmax`: `arcface`."
    assert within == "Within 0.005 of `arcface`: 1 of 5; undecided: 0."
    accuracy = lines["the best test accuracy"]
    assert accuracy.losses == "`center`, `etf`, `softmax`"
    assert (
        "Better than `softmax`: `etf`. Not distinguishable from `softmax`: 1 of the others."
        in accuracy.evidence
    )
    assert "Within 0.20 percentage points of `center`: 3 of 5; undecided: 0." in accuracy.evidence
    rejection = lines["to reject classes that training did not know"].evidence[0]
    assert " by cosine, " in rejection and " under `softmax` by Euclidean distance (" in rejection
    assert "new classes from five examples each" in lines
    assert not any("elsewhere" in sentence for line in lines.values() for sentence in line.evidence)
    del_parts = {"defaults": read_parts(store)["defaults"]}
    assert "new classes from five examples each" not in {line.purpose for line in advice(Evidence(del_parts))}


def test_the_ranking_on_each_other_data_set_is_compared_with_that_on_mnist(store: Store) -> None:
    for name in ("dimensions", "digits"):
        write_part(store, name, PARTS[name], outcomes(PARTS[name], range(5)), command="lossbench")
    with_digits = answers(Evidence(read_parts(store)))[9]
    assert "Fashion" not in " ".join([with_digits.sentence, *with_digits.details])
    turned = []
    for outcome in outcomes(PARTS["fashion-mnist"], range(5)):
        metrics = outcome.result and {
            name: 1 - value for name, value in outcome.result.metrics.items() if value
        }
        result = outcome.result and dataclasses.replace(outcome.result, metrics=metrics)
        turned.append(outcome._replace(result=result))
    write_part(store, "fashion-mnist", PARTS["fashion-mnist"], turned, command="lossbench")
    answer = answers(Evidence(read_parts(store)))[9]
    assert answer.sentence == with_digits.sentence
    assert "+1.00" in answer.sentence
    (sentence,) = answer.details
    assert sentence.startswith("Between MNIST and Fashion-MNIST the rank correlation of the losses is −1.00")
    assert "MNIST and Fashion-MNIST" in str(answer.table)
    assert "over 8 sets" in " ".join(picture.caption for picture in pictures_of(Evidence(read_parts(store))))


def test_advice_says_where_the_best_loss_stands_elsewhere() -> None:
    """Places counted over the means of the published JSON."""
    folder = Path(__file__).parents[2] / "results" / "published"
    lines = {line.purpose: line for line in advice(Evidence(read_parts(Store(folder))))}
    line = lines["the best test accuracy"]
    best = line.losses.split("`")[1]
    places = []
    for part, dim in (("digits", 2), ("fashion-mnist", 2), ("dimensions", 64)):
        rows = json.loads((folder / "benchmark" / f"{part}.json").read_text())["settings"]
        means = {
            row["loss"]: row["metrics"]["test_accuracy"]["mean"]
            for row in rows
            if row["config"].get("feature_dim", 2) == dim
        }
        places.append(1 + sum(mean > means[best] for mean in means.values()))
    expected = (
        f"Rank of `{best}` elsewhere: {places[0]} of 54 on the digits (20 seeds), {places[1]} of 54 on "
        f"Fashion-MNIST (1 seed), {places[2]} of 54 in 64-D"
    )
    assert any(sentence.startswith(expected) for sentence in line.evidence)
    assert any(sentence.startswith("Classified by the nearest class mean") for sentence in line.evidence)


@pytest.mark.parametrize(
    ("differences", "named", "settled"),
    [
        ([-0.001, -0.0012, -0.0009, -0.0011], True, True),  # a little worse, surely
        ([-0.01, -0.012, -0.009, -0.011], False, True),  # much worse, surely
        ([-0.02, 0.02, -0.015, 0.012], False, False),  # nobody knows
    ],
)
def test_a_loss_that_varies_much_is_not_close_but_open(
    differences: list[float], named: bool, settled: bool
) -> None:
    values = {
        "best": dict.fromkeys(range(4), 0.99),
        "other": {n: 0.99 + d for n, d in enumerate(differences)},
    }
    scores = Scores("test_accuracy", values, 4, frozenset(values))
    assert close_losses(scores, "best", 0.005) == (["best"] + ["other"] * named, 1 + settled)


def check(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    code = main(["report", "--check", "--json", "--results", str(folder)])
    return code, capsys.readouterr().out


def test_report_check_names_what_does_not_follow_from_the_json(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    root = store.root
    assert main(["report", "--results", str(root)]) == 0
    (root / "index.html").unlink()  # it is not published
    assert check(root, capsys)[0] == 0
    page, figure = store.benchmark / "README.md", store.benchmark / "accuracy-map.png"
    assert "(benchmark/README.md)" in (root / "README.md").read_text()

    def stale() -> list[str]:
        code, out = check(root, capsys)
        found: list[Any] = json.loads(out)["stale"]
        assert code == (1 if found else 0)
        return [Path(name).name for name in found]

    written = page.read_text()
    page.write_text(re.sub(r"(has the best mean[^;]* 9)\d", r"\g<1>0", written))  # a number typed by hand
    assert stale() == ["README.md"]
    page.write_text(written)
    drawn = figure.read_bytes()
    figure.write_bytes(drawn.replace(b"numbers ", b"numbers 0"))
    assert stale() == ["accuracy-map.png"]
    figure.write_bytes(drawn)
    data = (store.benchmark / "defaults.json").read_text()
    changed = json.loads(data)
    changed["settings"][0]["by_seed"]["0"][MAP] += 0.01
    (store.benchmark / "defaults.json").write_text(json.dumps(changed))
    assert {"defaults.csv", "README.md", "accuracy-map.png", "leaderboard.png"} <= set(stale())
    assert "forest-test-accuracy.png" not in stale()
    (store.benchmark / "defaults.json").unlink()
    assert {"leaderboard.png", "cost.png"} <= set(stale())
    assert main(["report", "--results", str(root)]) == 0
    assert stale() == []
    assert not figure.exists()


def test_a_line_that_names_no_loss_says_why() -> None:
    published = Evidence(read_parts(Store(Path(__file__).parents[2] / "results" / "published")))
    unnamed = [line for line in advice(published) if not line.losses.startswith("`")]
    assert unnamed
    for line in unnamed:
        reasons = {"for too few seeds", "the best one is not distinguishable from `softmax`"}
        assert line.losses.removeprefix("no loss can be named yet").lstrip(",: ") in reasons
    examples = next(line for line in unnamed if line.purpose.startswith("new classes"))
    best = published.scores("open-set", "unseen-5-shot").leader
    rows = {row.loss: row.verdict for row in published.against("open-set", "unseen-5-shot", best)}
    assert rows["softmax"] == "not distinguishable" and "softmax" in examples.losses


@pytest.mark.parametrize(("metric", "verdict"), [("seconds", "better"), ("eer", "better"), ("gap", "worse")])
def test_smaller_numbers_are_better_where_the_metric_says_so(metric: str, verdict: str) -> None:
    values = {
        "softmax": {seed: 10 + 0.01 * seed for seed in range(8)},
        "center": dict.fromkeys(range(8), 5),
    }
    (row,) = compare_scores(Scores(metric, values, 8, frozenset(values)), "softmax", list(values))
    assert (row.loss, row.verdict, row.done, row.failed) == ("center", verdict, 8, 0)
    assert row.paired.difference.mean == pytest.approx(-5.035)


def test_p_values_of_few_and_of_many_seeds_are_adjusted_for_all_losses() -> None:
    """By Holm's method: the smallest p times the number of comparisons, the next times one less."""
    for seeds in (3, 12):
        values = {
            loss: {seed: shift + 0.01 * ((seed * step) % 5) for seed in range(seeds)}
            for loss, shift, step in (("softmax", 0.9, 1), ("center", 0.93, 2), ("ring", 0.89, 3))
        }
        scores = Scores("test_accuracy", values, seeds, frozenset(values))
        rows = compare_scores(scores, "softmax", list(values))
        first, second = sorted(rows, key=lambda row: row.paired.p)
        assert first.p_holm == pytest.approx(min(1, 2 * first.paired.p))
        assert second.p_holm == pytest.approx(max(first.p_holm, second.paired.p))
