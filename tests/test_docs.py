"""The pages of docs/ are under test: generated parts, examples in the order of the page, links, size."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lossbench.__main__ import main
from lossbench.cli import COMMANDS, Commands
from lossbench.cli._options import ENGINE_OPTIONS, PLACEMENT_OPTIONS
from lossbench.cli.plot import FIGURES
from lossbench.files import to_json
from lossbench.reports.generated_files import digest
from lossbench.reports.loss_benchmark.advice import advice
from lossbench.reports.loss_benchmark.documents import read_parts
from lossbench.reports.loss_benchmark.evidence import Evidence
from lossbench.reports.loss_benchmark.findings import answers
from lossbench.reports.reproduction_page import (
    ReproductionDocument,
    describe,
    group_settings,
    markdown,
    write_reproduction,
)
from lossbench.reproductions import CheckResult, apply_rules, overall
from lossbench.runs.config import LOSS_OPTIONS, RECIPE_OPTION, RUN_OPTIONS
from lossbench.runs.options import Option, default_text
from lossbench.runs.store import Store
from lossbench.specs import catalog
from lossbench.specs.hyperparameter import value_text
from lossbench.specs.quantities import MAIN_METRIC, format_value, metric_title
from lossbench.tables import Table, to_markdown

from .helpers.pages import PAGES, README, ROOT, Block, anchors, blocks, check_generated, links

DOCS = ROOT / "docs"
TRAINING = ("train", "compare", "sweep", "tune")
WIDEST_ROW = 140  # characters of a table row as text: beyond that a page has to be scrolled sideways


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return to_markdown(Table(list(header), [list(row) for row in rows]))


# The generated parts


def losses_document(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    assert main(["losses", "--json"]) == 0
    document: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return document


KINDS = {
    "classifier": "Classifiers: they have class weights and class scores",
    "auxiliary": "Auxiliary terms: they join a classifier with a weight λ",
    "pairs": "Losses on pairs: they compare the samples of one batch",
}


def test_the_table_of_losses_is_fresh(capsys):
    parts = []
    for kind, heading in KINDS.items():
        of_kind = [loss for loss in losses_document(capsys) if loss["kind"] == kind]
        rows = [[f"[`{loss['name']}`](#{loss['name']})", loss["summary"]] for loss in of_kind]
        parts.append(f"{heading}.\n\n{table(['loss', 'what it does'], rows)}")
    check_generated(DOCS / "losses.md", "table", "\n\n".join(parts))


def setting_line(name: str, setting: dict[str, Any]) -> str:
    unit = f" {setting['unit']}" if setting["unit"] else ""
    text = f"- `{name}`: {setting['help']}. Default {value_text(setting['default'])}{unit}"
    text += f", allowed {setting['bounds']}" if setting["bounds"] not in ("any", "{true, false}") else ""
    return text + (f"; in the paper {setting['paper']}." if setting["paper"] else ".")


def loss_section(loss: dict[str, Any]) -> str:
    sampler = "class-balanced" if loss["sampler"] == "balanced" else "shuffled"
    also = f" Also called {', '.join(f'`{alias}`' for alias in loss['aliases'])}." if loss["aliases"] else ""
    lines = [
        f"### `{loss['name']}`",
        "",
        f"**{loss['title']}.** {loss['summary']}{also}",
        "",
        f"```\n{loss['equation']}\n```",
        "",
        *(setting_line(name, setting) for name, setting in loss["settings"].items()),
        *([""] if loss["settings"] else []),
        f"{loss['kind'].capitalize()}, {sampler} batches. Source: {loss['paper']}.",
    ]
    picture = f"results/published/figures/features-{loss['name']}-mnist.png"
    if (ROOT / picture).exists():
        lines += ["", f"![Features of {loss['title']}](../{picture})"]
    return "\n".join(lines)


def test_the_section_of_each_loss_is_fresh(capsys):
    sections = "\n\n".join(map(loss_section, losses_document(capsys)))
    check_generated(DOCS / "losses.md", "sections", sections)


NEEDS = {
    "features": "From the features and labels alone. These are also measured on unseen classes.",
    "validation features": "With thresholds from the validation split. These are also measured on unseen classes.",
    "reference": "From the features and the training features.",
    "scores": "From the class scores.",
    "probabilities": "From probabilities: only for losses whose scores are the logits of a softmax.",
    "predictions": "From the features, the training features and the predicted classes.",
    "weight": "From the features and the class weights.",
    "validation": "From probabilities on this split and on the validation split.",
    "unknown": "From the features of seen and of unseen classes, and the training features.",
    "unknown scores": "From the class scores of samples of seen and of unseen classes.",
    "images": "From the network and the first 1,000 images, attacked or corrupted; `--metric all` leaves these out.",
}


def test_the_list_of_metrics_is_fresh():
    specs = {name: catalog.spec("metrics", name) for name in catalog.names("metrics")}
    better = {True: "higher", False: "lower", None: "–"}
    parts = []
    for needs, heading in NEEDS.items():
        rows = [
            [f"`{name}`", spec.summary, spec.unit, better[spec.higher_is_better]]
            for name, spec in specs.items()
            if spec.needs == needs
        ]
        parts.append(f"{heading}\n\n{table(['metric', 'what it is', 'unit', 'better'], rows)}")
    sources = [f"- `{name}`: {spec.source}" for name, spec in specs.items() if spec.source]
    on_demand = ", ".join(f"`{name}`" for name, spec in specs.items() if not spec.cheap)
    parts.append(f"Measured on demand only: {on_demand}. Every training measures the others.")
    compared = ", ".join(f"`{name}`" for name, spec in specs.items() if spec.as_loss_compares)
    parts.append(f"By cosine or by Euclidean distance, as the loss compares features: {compared}.")
    check_generated(DOCS / "metrics.md", "table", "\n\n".join(parts))
    check_generated(DOCS / "metrics.md", "sources", "\n".join(sources))


def test_the_list_of_figures_is_fresh():
    specs = {name: catalog.spec("figures", name) for name in catalog.names("figures")}
    rows = [[f"`{name}`", spec.summary, spec.after] for name, spec in specs.items()]
    check_generated(DOCS / "figures.md", "table", table(["figure", "what it shows", "after"], rows))
    lines = []
    for name, spec in specs.items():
        if spec.choices:
            options = (
                f"`--{option}` {' or '.join(value or 'others' for value in values or ('any',))}"
                for option, values in spec.choices.items()
            )
            lines.append(f"- `{name}`: {'; '.join(options)}")
    check_generated(DOCS / "figures.md", "choices", "\n".join(lines))


VARIANTS = {  # kind: columns after the name
    "data": {
        "what it is": lambda spec: spec.summary,
        "shape": lambda spec: " × ".join(map(str, spec.shape)),
        "classes": lambda spec: str(len(spec.classes)),
        "validation": lambda spec: f"{spec.val_size:,}",
        "epochs": lambda spec: str(spec.epochs),
    },
    "networks": {"what it is": lambda spec: spec.summary},
    "optimizers": {
        "what it is": lambda spec: spec.summary,
        "learning rate": lambda spec: f"{spec.lr:g}",
        "weight decay": lambda spec: f"{spec.weight_decay:g}",
    },
    "schedules": {"what it is": lambda spec: spec.summary},
    "recipes": {
        "what it is": lambda spec: spec.summary,
        "of": lambda spec: ", ".join(f"`{loss}`" for loss in spec.losses),
    },
}


@pytest.mark.parametrize("kind", VARIANTS)
def test_the_list_of_variants_is_fresh(kind):
    specs = {name: catalog.spec(kind, name) for name in catalog.names(kind)}
    columns = VARIANTS[kind]
    rows = [[f"`{name}`", *(column(spec) for column in columns.values())] for name, spec in specs.items()]
    sources = {name: spec.paper if kind == "networks" else spec.source for name, spec in specs.items()}
    if kind == "recipes":
        sources |= {
            name: f"{spec.source}. {spec.departures}" for name, spec in specs.items() if spec.departures
        }
    lines = [f"- `{name}`: {source}" for name, source in sources.items() if source]
    text = "\n".join([table(["name", *columns], rows), "", "Sources:", "", *lines])
    check_generated(DOCS / "data.md", kind, text)


REPRODUCTIONS = ROOT / "results" / "published" / "reproductions"
HELD = "reproduced"


def verdict_text(found: dict[str, Any]) -> str:
    """The published verdict of a reproduction, with its page."""
    tested = [check["verdict"] for check in found["checks"] if check["verdict"] != "not testable here"]
    held = f"{tested.count('reproduced')} of {len(tested)} tested rules hold"
    return f"**{found['verdict']}** ([{held}](../results/published/reproductions/{found['name']}.md))"


def test_the_list_of_reproductions_is_fresh():
    specs = {name: catalog.spec("reproductions", name) for name in catalog.names("reproductions")}
    published = {path.stem: json.loads(path.read_text("utf-8")) for path in REPRODUCTIONS.glob("*.json")}
    rows = [
        [f"[`{name}`](#{name})", spec.title, verdict_text(published[name])]
        for name, spec in specs.items()
        if name in published
    ]
    counts = Counter(published[name]["verdict"] if name in published else "not run yet" for name in specs)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    parts = [f"{len(specs)} entries: {counted}.\n\n{table(['name', 'reproduction', 'verdict'], rows)}"]
    for name, spec in specs.items():
        runs = f"{spec.count} runs: {len(spec.runs)} × {spec.seeds} seeds" if spec.count else "No runs"
        lines = [f"### `{name}`", "", f"**{spec.title}.** {spec.question}", ""]
        lines += [f"Published ({spec.locus}): {spec.published}", "", f"Recipe here: {spec.recipe}", ""]
        lines += [
            f"- {check.rule}{f' (not testable here: {check.why})' * bool(check.why)}" for check in spec.checks
        ]
        figures = ", ".join(dict.fromkeys(f"`{drawn.figure}`" for drawn in spec.figures))
        lines += ["", f"{runs}. Figures: {figures}. Source: {spec.source}."]
        if name in published:
            picture = next(Path(file["path"]).name for file in published[name]["files"])
            tried = f" [What was tried](not-reproduced.md#{name})." * (published[name]["verdict"] != HELD)
            lines += ["", f"Verdict: {verdict_text(published[name])}.{tried}", ""]
            lines += [f"![{spec.title}](../results/published/reproductions/{picture})"]
        parts.append("\n".join(lines))
    check_generated(DOCS / "reproductions.md", "reproductions", "\n\n".join(parts))


def test_what_did_not_hold_has_a_paragraph_each():
    """On what was tried to be fair to the source, and what was not."""
    verdicts = {
        path.stem: json.loads(path.read_text("utf-8"))["verdict"] for path in REPRODUCTIONS.glob("*.json")
    }
    _, *parts = re.split(r"^### `(.*)`$", (DOCS / "not-reproduced.md").read_text("utf-8"), flags=re.MULTILINE)
    paragraphs = dict(zip(parts[::2], parts[1::2], strict=True))
    assert sorted(paragraphs) == sorted(name for name, verdict in verdicts.items() if verdict != HELD)
    for name, text in paragraphs.items():
        assert f"[Page](../results/published/reproductions/{name}.md)" in text
        assert "ried:*" in text or "so is what was tried" in text, name


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("results/published/reproductions/*.json")), ids=lambda p: p.stem
)
def test_a_published_verdict_is_that_of_the_rules_as_they_are_now(path):
    stored = json.loads(path.read_text(encoding="utf-8"))
    spec = catalog.spec("reproductions", stored["name"])
    assert not stored["quick"]
    assert [check["rule"] for check in stored["checks"]] == [check.rule for check in spec.checks]
    assert stored["verdict"] == overall([CheckResult(**check) for check in stored["checks"]])
    if spec.trained:
        assert sum(group["done"] for group in stored["groups"]) == spec.count
        configs = {config.run_name for members in spec.configs().values() for config in members}
        assert set(stored["runs"]) == configs
    (page,) = stored["digests"]
    assert stored["digests"][page] == digest(path.with_name(page).read_bytes())
    assert all((path.parent / Path(file["path"]).name).exists() for file in stored["files"])


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("results/published/reproductions/*.json")), ids=lambda p: p.stem
)
def test_a_published_verdict_follows_from_the_numbers_of_its_runs(path):
    stored = json.loads(path.read_text(encoding="utf-8"))
    spec = catalog.spec("reproductions", stored["name"])
    groups = ReproductionDocument.from_dict(stored).groups
    if not spec.trained:
        pytest.skip("a formula, without runs")
    checks = apply_rules(spec.checks, {row.group: row.by_seed for row in groups})
    assert json.loads(to_json(list(map(dataclasses.asdict, checks)))) == stored["checks"]


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("results/published/reproductions/*.json")), ids=lambda p: p.stem
)
def test_a_published_page_shows_its_document_in_the_words_that_the_entry_has_now(path):
    """With UPDATE_DOCS=1 the page and the words in its document are written."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    spec = catalog.spec("reproductions", stored["name"])
    document = ReproductionDocument.from_dict(stored)
    rows = zip(document.groups, group_settings(spec.configs()), strict=False)
    document = dataclasses.replace(
        document,
        about=describe(stored["name"], spec),
        groups=[row._replace(settings=settings) for row, settings in rows],
    )
    if os.environ.get("UPDATE_DOCS"):
        write_reproduction(Store(ROOT / "results" / "published"), document)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == markdown(document)


# Options of a run, from their declarations; the other options of each command, from the command line itself

HEADER = ("option", "meaning", "default", "allowed")
GENERAL = {"`--results`", "`--json`", "`--help`"}  # said once, above all tables
SELECTS = "Select runs by: "  # begins the help of an option that selects stored runs
FIGURE_NAMES = ": " + ", ".join(FIGURES)  # they have a page of their own


def bounds_text(low: float | None, high: float | None) -> str:
    if low is None:
        return ""
    return f"at least {low:g}" if high is None else f"{low:g} to {high:g}"


def declared_row(option: Option) -> list[str]:
    allowed = ", ".join(f"`{word}`" for word in option.words) + (f" or {option.own}" if option.own else "")
    if option.name in LOSS_OPTIONS:
        allowed = "see [Losses](losses.md)"
    elif option.type in (int, float):
        allowed = option.bounds
    return [f"`{option.flag}`", option.help, default_text(RUN_OPTIONS, option), allowed]


def parameter_row(parameter: Any) -> list[str]:
    flag = parameter.opts[0] if parameter.opts[0].startswith("-") else parameter.name.upper()
    meaning = (parameter.help or "").replace(FIGURE_NAMES, ", see [Figures](figures.md)")
    default = "" if parameter.default in (None, False) else str(parameter.default)
    if parameter.required:
        default = "required"
    if match := re.fullmatch(r"(.*) \(default: (.*)\)\.", meaning):
        meaning, default = f"{match[1]}.", match[2]
    limits = parameter if hasattr(parameter, "min") else parameter.type  # before typer 0.20 the type has them
    bounds = bounds_text(getattr(limits, "min", None), getattr(limits, "max", None))
    return [f"`{flag}`", meaning, default, bounds]


def test_the_options_are_fresh():
    declared = [*LOSS_OPTIONS.values(), RECIPE_OPTION, *RUN_OPTIONS.values(), *PLACEMENT_OPTIONS.values()]
    of_runs = [declared_row(option) for option in declared if option.on_command_line]
    of_engines = [declared_row(option) for option in ENGINE_OPTIONS.values()]
    page = DOCS / "options.md"
    check_generated(page, "run options", table(HEADER, of_runs))
    check_generated(page, "engine options", table(HEADER, of_engines))
    parts = []
    commands = Commands()
    shared = {row[0] for row in [*of_runs, *of_engines]}
    rows = {name: [parameter_row(each) for each in commands[name].params] for name in COMMANDS}
    selecting = {row[0]: None for each in rows.values() for row in each if row[1].startswith(SELECTS)}
    check_generated(page, "selection options", ", ".join(selecting))
    for name in COMMANDS:
        if name == "bench":
            continue
        left_out = shared | GENERAL if name in TRAINING else GENERAL
        own = [row for row in rows[name] if row[0] not in left_out and not row[1].startswith(SELECTS)]
        lines = [f"### `lossbench {name}`", "", " ".join(commands[name].help.split())]
        selects = {row[0] for row in rows[name] if row[1].startswith(SELECTS)}
        if selects:
            others = ", ".join(sorted(selecting.keys() - selects))
            all_but = f" but {others}" if others else ""
            lines += ["", f"It takes [the options that select stored runs](#which-stored-runs){all_but}."]
        lines += ["", table(HEADER, own)] if own else []
        parts.append("\n".join(lines))
    check_generated(page, "commands", "\n\n".join(parts))


SPEEDS = {  # section of the stored page: the columns that docs/benchmarks.md quotes
    "train": ("network", "precision", "threads", "images/s", "usual images/s", "ours/usual"),
    "quality": ("training", "epochs", "seconds", "s per epoch", "sooner than usual"),
    "sweep": ("runs", "workers x threads", "seconds", "images/s", "times alone"),
}


def stored_benchmark(section: str) -> list[str]:
    """The lines of a section of the published benchmark: the table, the conditions and the command."""
    text = (ROOT / "results/published/benchmarks/intel-r-xeon-r-processor.md").read_text(encoding="utf-8")
    return text.partition(f"## {section}\n")[2].partition("\n## ")[0].strip().splitlines()


@pytest.mark.parametrize("section", SPEEDS)
def test_the_speeds_are_stored_ones(section):
    *lines, _, conditions, _, command = stored_benchmark(section)
    header, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    kept = [header.index(column) for column in SPEEDS[section]]
    shown = table(SPEEDS[section], [[row[place] for place in kept] for row in rows])
    check_generated(DOCS / "benchmarks.md", section, f"{shown}\n\n{conditions}\n\n{command}")


def test_the_times_of_losses_are_stored_ones():
    """Of those that pytorch-metric-learning has as well, with the sentence that says how they were timed."""
    header, rule, *rows, _, conditions, _, command = stored_benchmark("losses")
    compared = [row for row in rows if row.endswith("|") and not row.endswith("– |")]
    too_large = re.findall(r"(\w+) \(too large\)", "\n".join(rows))
    left_out = f"Left out, as they do not fit into memory at this batch size: {', '.join(too_large)}."
    expected = "\n".join(
        [header, rule, *compared, "", conditions, *(["", left_out] * bool(too_large)), "", command]
    )
    check_generated(DOCS / "benchmarks.md", "losses", expected)


# The measured comparison that README and docs/statistics.md quote

COMPARISON = json.loads(
    (ROOT / "results/published/tables/compare-softmax-center-arcface-mnist.json").read_text()
)
MEASURED = ("test_accuracy", "spread-gap", "map-at-r-euclidean", "map-at-r-cosine")


def interval_text(interval: dict[str, float], metric: str, *, signed: bool = False) -> str:
    return format_value(metric, interval["mean"], interval["half_width"], signed=signed)


def test_the_numbers_of_the_readme_are_the_stored_ones():
    verdicts = {(entry["loss"], entry["metric"]): entry["verdict"] for entry in COMPARISON["against"]}
    numbers, compared = [], []
    for setting in COMPARISON["settings"]:
        loss = setting["loss"]
        numbers.append([loss, *(interval_text(setting["metrics"][metric], metric) for metric in MEASURED)])
        if loss != COMPARISON["against"][0]["baseline"]:
            compared.append([loss, *(verdicts[loss, metric] for metric in MEASURED)])
    titles = list(map(metric_title, MEASURED))
    check_generated(README, "numbers", table(["loss", *titles], numbers))
    check_generated(README, "verdicts", table(["against softmax", *titles], compared))


EVIDENCE = Evidence(read_parts(Store(ROOT / "results" / "published")))
ON_THE_FIRST_SCREEN = (1, 3, 5)
"""Of the ten findings: against softmax in accuracy and in MAP@R, and whether these agree."""
NOT_YET = "The benchmark is not published yet."


def test_the_findings_of_the_readme_follow_from_the_published_json():
    found = answers(EVIDENCE)
    shown = [found[number] for number in ON_THE_FIRST_SCREEN if found[number].sentence]
    lines = [f"- *{answer.question}* {answer.sentence}" for answer in shown]
    picture = "results/published/benchmark/accuracy-map.png"
    if lines:
        lines += [
            "",
            f"![Test accuracy against MAP@R of all losses, by Euclidean distance and by cosine]({picture})",
            "",
        ]
        lines += [
            "[All findings](results/published/benchmark/README.md), and [which loss to use](docs/choosing.md)."
        ]
    check_generated(README, "findings", "\n".join(lines or [NOT_YET]))


def test_the_advice_follows_from_the_published_json():
    lines = []
    for purpose, losses, evidence in advice(EVIDENCE):
        lines += [f"- **{purpose}**: {losses}", *(f"  - {sentence}" for sentence in evidence)]
    if lines:
        for answer in answers(EVIDENCE)[-2:]:  # on tuning, and on other dimensions and data
            lines += ["", f"**{answer.question}** {answer.sentence or 'Not measured yet.'}"]
            lines += ["", *(f"- {detail}" for detail in answer.details)] if answer.details else []
            lines += ["", to_markdown(answer.table)] if answer.table else []
    check_generated(DOCS / "choosing.md", "advice", "\n".join(lines or [NOT_YET]))


def typed(page: Path) -> str:
    """The prose of a page that a person typed: no generated part, no code, no target of a link, and neither the
    level of intervals nor the version of Python."""
    text = re.sub(r"<!-- generated: .*?<!-- end -->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"\]\([^)\s]*\)|95 % intervals|Python 3\.\d+", "", text)


MEASUREMENT = re.compile(r"±|\d\s?%|\b\d+\.\d{2,}\b")


def test_no_measured_number_is_typed_by_hand():
    """The README has none outside of its generated parts; the advice has no number at all."""
    assert not MEASUREMENT.findall(typed(README).partition("## In Python")[0])
    assert not re.findall(r"\d", typed(DOCS / "choosing.md"))
    assert MEASUREMENT.findall("a mean of 99.07 ± 0.1")
    assert MEASUREMENT.findall("it is better by 3 %")


def test_what_is_published_follows_from_its_json(capsys):
    assert main(["report", "--check", "--results", str(ROOT / "results" / "published")]) == 0, (
        capsys.readouterr()
    )


def test_the_comparison_that_is_explained_is_the_stored_one():
    rows = [
        [
            metric_title(entry["metric"]),
            entry["loss"],
            interval_text(entry["difference"], entry["metric"], signed=True),
            f"{entry['p']:.3f}",
            f"{entry['p_holm']:.3f}",
            f"{entry['probability']:.2f}",
            entry["verdict"],
            str(entry["needed"]),
        ]
        for entry in COMPARISON["against"]
    ]
    header = ["metric", "loss", "difference", "p", "p (Holm)", "P(better)", "verdict", "seeds needed"]
    text = f"{table(header, rows)}\n\n{COMPARISON['conditions']}\n\n`{COMPARISON['command']}`"
    check_generated(DOCS / "statistics.md", "comparison", text)


def test_how_much_pairing_removes_follows_from_the_published_json():
    rows = [row.by_seed for row in EVIDENCE.parts["defaults"].settings]
    seeds = [seed for seed in rows[0] if all(MAIN_METRIC in row.get(seed, {}) for row in rows)]
    accuracies = [[row[seed][MAIN_METRIC] for seed in seeds] for row in rows]
    correlation = np.corrcoef(accuracies)[np.triu_indices(len(rows), 1)].mean()
    shown = f"{correlation:+.2f}".replace("-", "−")
    text = (
        f"In the published benchmark ({len(rows)} losses, {len(seeds)} seeds) the test accuracies of two losses have a "
        f"correlation over seeds of {shown} on average. Pairing then removes about {max(correlation, 0):.0%} of the "
        "variance of a difference."
    ).replace("%", " %")
    check_generated(DOCS / "statistics.md", "correlation", text)


# The examples


def arguments_of(command: str) -> list[str]:
    """The example's arguments, on the embedded data for one epoch: what is shown takes minutes, not tests."""
    program, *words = shlex.split(command)
    assert program == "lossbench"
    words = [re.sub(r"^0-\d+$", "0-1", word) for word in words]  # two seeds are enough here
    if "--budget" in words:
        words[words.index("--budget") + 1] = "4s"
    if "--snapshots" in words:
        words[words.index("--snapshots") + 1] = "2"  # each is a frame of an animation
    if "--jobs" in words:
        words[words.index("--jobs") + 1] = "1"  # workers start slowly, and have tests of their own
    if words[0] in TRAINING:
        words += ["--epochs", "1", "--device", "cpu"]
        named = words[words.index("--dataset") + 1] if "--dataset" in words else ""
        own = named and named not in catalog.names("data")  # a page's own data are small
        words += [] if own or "--datasets" in words else ["--dataset", "digits"]
    return words


def run_block(block: Block, namespace: dict[str, Any]) -> None:
    if block.mark == "run":
        for command in block.commands:
            assert main(arguments_of(command)) == 0, command
    elif block.mark == "check":
        for command in block.commands:
            if words := command.partition("lossbench ")[2]:
                assert main([*shlex.split(words), "--help"]) == 0, command
    elif block.mark == "python":
        exec(compile(block.text, "page", "exec"), namespace)
    elif block.mark.startswith("file: "):
        Path(block.mark.removeprefix("file: ")).write_text(block.text, encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_in_its_order(page, tmp_path, monkeypatch):
    """In one folder that is empty at first: a reader who follows the page needs nothing else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    namespace: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        run_block(block, namespace)


def test_no_example_is_left_out():
    """A block with a command or with Python has a mark, so that a test runs it."""
    known = ("run", "check", "python", "start line", "test line")
    for page in PAGES:
        for block in blocks(page):
            if "lossbench " in block.text or "import " in block.text:
                assert block.mark in known or block.mark.startswith("file: "), (page.name, block.text)


# Links, completeness, size


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_resolve(page):
    for link in links(page):
        if link.startswith("http"):
            continue
        target, _, anchor = link.partition("#")
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(file), f"{page.name}: {link}"


@pytest.mark.parametrize("index", [DOCS / "README.md", README], ids=["docs", "readme"])
def test_the_index_lists_every_page(index):
    listed = {(index.parent / link).resolve() for link in links(index)}
    assert {*DOCS.glob("*.md"), DOCS / "notebook.ipynb"} - {index} <= listed


def test_the_readme_counts_what_there_is():
    text = counted = README.read_text(encoding="utf-8")
    for kind in ("losses", "metrics", "figures"):
        counted = re.sub(rf"\[\d+ (?={kind}\]\(docs/{kind}.md\))", f"[{len(catalog.names(kind))} ", counted)
        assert f" {kind}](docs/{kind}.md)" in counted
    if os.environ.get("UPDATE_DOCS"):
        README.write_text(counted, encoding="utf-8")
    else:
        assert text == counted, "run this test with UPDATE_DOCS=1"


def test_every_command_stands_on_a_page():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for command in [*COMMANDS, *(f"bench {name}" for name in Commands()["bench"].commands)]:
        assert f"lossbench {command}" in text, command


@pytest.mark.parametrize("page", [page for page in PAGES if page != README], ids=lambda page: page.stem)
def test_tables_fit_a_page(page):
    """The stored benchmark keeps the columns of the command that wrote it; all other tables are narrow."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"<!-- generated: losses -->.*?<!-- end -->", "", text, flags=re.DOTALL)
    for line in text.splitlines():
        if line.startswith("|"):
            shown = re.sub(r"\]\([^)]*\)|[`*]", "", line)
            assert len(shown) <= WIDEST_ROW, f"{page.name}: {line}"
