"""The page of the benchmark with its figures and CSV files, all rendered from the documents of its parts.

results/benchmark/README.md, <part>.csv, <figure>.png
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..experiments.loss_benchmark import PARTS
from ..files import to_json, write_atomically
from ..runs.config import BASE_LOSS
from ..runs.store import Store
from ..specs.quantities import (
    MAIN_METRIC,
    bounds,
    column_title,
    format_value,
    higher_is_better,
    in_unit,
    metric_name,
    metric_title,
)
from ..statistics import Interval
from ..tables import Table, code, csv_bytes, to_markdown
from .document import Document
from .figure_files import Compose, compose_forest, compose_ranks, write_figure
from .loss_benchmark import Evidence, Scores, choose_test, read_parts
from .loss_benchmark_findings import MAP, answers, planned_seeds, shared_machine, tuned_rows
from .own_files import check_own, digest, holds, with_digest
from .result_tables import differences_table

_DIGITS = 9  # significant ones of the numbers of a figure, so that the last bit of a quantile does not count
_PAGE = "README.md"


class Picture(NamedTuple):
    """A figure of the page. data: the numbers that it shows, of which its file holds a digest."""

    name: str
    caption: str
    data: object
    compose: Compose

    @property
    def mark(self) -> str:
        """What the file says of its data."""
        return f"numbers {digest(to_json(_rounded(self.data)).encode())}"


def write_page(store: Store) -> Path:
    """Bring page, figures and CSV files up to date. Returns the path of the page. Raises ForeignFile for one
    that lossbench did not write."""
    evidence = Evidence(read_parts(store))
    pictures = _pictures(evidence)
    for path, content in _texts(store, evidence, pictures).items():
        check_own(path) if path.suffix == ".md" else None
        write_atomically(path, content)
    for picture in pictures:
        path = store.benchmark / f"{picture.name}.png"
        if not _shows(path, picture):
            write_figure(picture.compose, path, shows=picture.mark)
    for path in _unneeded(store, pictures):
        path.unlink()
    return store.benchmark / _PAGE


def stale_files(store: Store) -> list[Path]:
    """The files of the benchmark that do not follow from the documents of its parts, also figures that none
    of them needs; empty without documents."""
    evidence = Evidence(read_parts(store))
    if not evidence.parts:
        return []
    pictures = _pictures(evidence)
    stale = [path for path, content in _texts(store, evidence, pictures).items() if not holds(path, content)]
    paths = {store.benchmark / f"{picture.name}.png": picture for picture in pictures}
    stale += [path for path, picture in paths.items() if not _shows(path, picture)]
    return stale + _unneeded(store, pictures)


def _unneeded(store: Store, pictures: Sequence[Picture]) -> list[Path]:
    """Figures of the benchmark whose part is not there any more."""
    needed = {f"{picture.name}.png" for picture in pictures}
    others = (path for path in sorted(store.benchmark.glob("*.png")) if path.name not in needed)
    return [path for path in others if b"Description\0numbers " in path.read_bytes()]


def _texts(store: Store, evidence: Evidence, pictures: Sequence[Picture]) -> dict[Path, bytes]:
    files = {
        store.benchmark / f"{name}.csv": _runs_csv(document)
        for name, document in evidence.parts.items()
        if document.settings
    }
    return {**files, store.benchmark / _PAGE: with_digest(_page(evidence, pictures).encode())}


def _shows(path: Path, picture: Picture) -> bool:
    try:
        return picture.mark.encode() in path.read_bytes()
    except OSError:
        return False


def _rounded(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _rounded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_rounded(value) for value in data]
    return float(f"{data:.{_DIGITS}g}") if isinstance(data, float) else data


def _runs_csv(document: Document) -> bytes:
    """One line per run with all its numbers; a run that diverged or failed has none."""
    names = list(
        dict.fromkeys(n for row in document.settings for values in row.by_seed.values() for n in values)
    )
    varied = list(dict.fromkeys(name for row in document.settings for name in row.swept))
    lines: list[list[Any]] = [["loss", "settings", "dataset", *varied, "seed", "run", *names]]
    for row in document.settings:
        for seed, run in row.runs.items():
            values = row.by_seed.get(seed, {})
            first = [row.loss, row.settings, row.dataset, *(row.swept.get(name, "") for name in varied)]
            lines.append([*first, seed, run, *(values.get(name, "") for name in names)])
    return csv_bytes(lines)


# The page


def _page(evidence: Evidence, pictures: Sequence[Picture]) -> str:
    blocks = [
        "# Benchmark of losses",
        "Generated by lossbench from what its commands wrote here.",
        "Which losses lead to better features and better classifiers than softmax under equal conditions, "
        "by how much, and at what cost? The protocol, with the rule of every finding, was "
        "[written before the runs](../PROTOCOL.md).",
    ]
    if evidence.quick:
        blocks.append(
            "**This was a quick run, of a few epochs of the digits and three losses. It decides nothing.**"
        )
    blocks += ["## State", to_markdown(_state(evidence)), "## Findings", _findings(evidence)]
    blocks += [f"![{each.caption}]({each.name}.png)\n\n{each.caption}" for each in pictures]
    for name, document in evidence.parts.items():
        blocks += _part(evidence, name, document)
    blocks += ["## What cannot be concluded", *_limits(evidence), "## Threats to validity", _THREATS]
    return "\n\n".join(filter(None, blocks)) + "\n"


def _state(evidence: Evidence) -> Table:
    """One line per part: what was planned, what is there."""
    rows = []
    for name, part in PARTS.items():
        document = evidence.parts.get(name)
        if document is None:
            rows.append([name, part.title, str(planned_seeds(name)), "–", "–", "–", "–", "not run yet"])
            continue
        used = f"{len(evidence.blocks(name)[0].seeds)}" if document.settings else str(len(part.seeds))
        done, diverged, failed = (
            str(sum(getattr(row, field) for row in document.settings))
            for field in ("done", "diverged", "failed")
        )
        if not document.settings:
            done, diverged, failed = str(len(document.data)), "–", "–"
        rows.append(
            [name, part.title, str(planned_seeds(name)), used, done, diverged, failed, document.command]
        )
    header = ["part", "what", "seeds planned", "seeds used", "runs done", "diverged", "failed", "command"]
    return Table(header, [[*row[:-1], code(row[-1]) if row[3] != "–" else row[-1]] for row in rows])


def _findings(evidence: Evidence) -> str:
    lines = []
    for number, answer in enumerate(answers(evidence), 1):
        text = answer.sentence or f"Not answered: {', '.join(answer.missing)} not run yet."
        made = f" {', '.join(map(code, answer.commands))}" if answer.sentence else ""
        lines.append(f"{number}. *{answer.question}* {text}{made}")
    return "\n".join(lines)


def _part(evidence: Evidence, name: str, document: Document) -> list[str]:
    if not document.settings:
        return [f"## {document.title}", to_markdown(_search_table(document))]
    main = MAP if MAP in document.metrics else document.metrics[0]
    compared = [metric for metric in (MAIN_METRIC, main, "open-set-auroc") if metric in document.metrics]
    blocks = [f"## {document.title}"]
    several = len(evidence.blocks(name)) > 1
    if name == "dimensions":
        blocks.append(to_markdown(_blocks_table(evidence, name, MAP)))
        return [*blocks, document.conditions, code(document.command)]
    blocks.append(to_markdown(_means_table(evidence, name, compared[0])))
    blocks.append(document.conditions)
    if several:
        blocks.append("Means and differences are over all pairs of seed and block.")
    for metric in compared:
        rows = evidence.against(name, metric)
        if rows and any(row.paired.n > 1 for row in rows):
            table = differences_table(rows)
            kept = [i for i, title in enumerate(table.header) if title not in ("settings", "seeds needed")]
            header = [table.header[i].replace("(Holm)", "(adjusted)") for i in kept]
            table = Table(header, [[row[i] for i in kept] for row in table.rows])
            seeds = evidence.scores(name, metric).seeds
            how, title = choose_test(len(rows) + 1, seeds), metric_name(metric)
            blocks.append(f"Against {BASE_LOSS} by {title}, paired by seed; {how}:")
            blocks.append(to_markdown(table))
            groups = [", ".join(group) for group in evidence.groups(name, metric)]
            blocks.append(
                f"Groups that cannot be told apart from their best loss by {title}, the best first:"
            )
            blocks.append("\n".join(f"{number}. {group}" for number, group in enumerate(groups, 1)))
    return [*blocks, code(document.command)]


def _means_table(evidence: Evidence, name: str, first: str) -> Table:
    """One line per loss, the best by the first metric on top: means and intervals of all metrics."""
    document = evidence.parts[name]
    columns = [evidence.scores(name, metric) for metric in document.metrics]
    columns = [each for each in columns if each.metric != "seconds" or not shared_machine(each)]
    order = list(evidence.scores(name, first).values)
    losses = [*order, *(loss for loss in evidence.blocks(name)[0].rows if loss not in order)]
    counts = {loss: [0, 0, 0] for loss in losses}
    for row in document.settings:
        for number, field in enumerate(("done", "diverged", "failed")):
            counts[row.loss][number] += getattr(row, field)
    rows = [
        [
            loss,
            " / ".join(map(str, counts[loss])),
            *(format_value(each.metric, *each.interval(loss)[:2]) for each in columns),
        ]
        for loss in losses
    ]
    return Table(["loss", "done / diverged / failed", *(column_title(each.metric) for each in columns)], rows)


def _blocks_table(evidence: Evidence, name: str, metric: str) -> Table:
    """One line per loss, one column per block."""
    columns = {
        block.label: evidence.scores(name, metric, number)
        for number, block in enumerate(evidence.blocks(name))
    }
    order = list(next(iter(columns.values())).values)
    rows = [
        [loss, *(format_value(metric, *each.interval(loss)[:2]) for each in columns.values())]
        for loss in order
    ]
    return Table([f"{column_title(metric)} of", *columns], rows)


def _search_table(document: Document) -> Table:
    rows = [
        [
            str(result["loss"]),
            ", ".join(f"{name} {value:.4g}" for name, value in result["point"].items()),
            format_value(result["metric"], result["value"]),
            format_value(result["metric"], result["default_value"]),
            str(result["trials"]),
            str(result["hopeless"]),
            str(result["diverged"]),
        ]
        for result in document.data
    ]
    return Table(["loss", "settings", "best on validation", "defaults", "trials", "pruned", "diverged"], rows)


def _limits(evidence: Evidence) -> list[str]:
    """What the numbers do not say, with how large a difference would have been seen."""
    lines = [
        "- `not distinguishable` does not mean equal. Only the ten questions above are decided by the rules."
    ]
    tested = [name for name, each in evidence.parts.items() if each.settings and name != "dimensions"]
    counts = {name: evidence.scores(name, evidence.parts[name].metrics[0]) for name in tested}
    few = [name for name, each in counts.items() if "t tests" in choose_test(len(each.values), each.seeds)]
    if few:
        lines.append(
            f"- {', '.join(few)}: with so few seeds the exact test can say nothing. Verdicts are those of t "
            "tests, which hold only as far as differences over seeds are normally distributed."
        )
    if "defaults" in evidence.parts:
        for metric in (MAIN_METRIC, MAP):
            widths = [row.paired.difference.half_width for row in evidence.against("defaults", metric)]
            widths = [width for width in widths if np.isfinite(width)]
            if widths:
                text = format_value(metric, float(np.median(widths)), unit=True)
                lines.append(
                    f"- The interval of a difference to {BASE_LOSS} in {metric_name(metric)} reaches {text} "
                    "to both sides for the median loss. Smaller differences cannot be seen with these seeds."
                )
    for answer in answers(evidence):
        if not answer.sentence:
            lines.append(f"- {answer.question} Not answered: {', '.join(answer.missing)} not run yet.")
    cut = [
        f"{name} ({len(evidence.blocks(name)[0].seeds)} of {planned_seeds(name)})"
        for name, document in evidence.parts.items()
        if document.settings and len(evidence.blocks(name)[0].seeds) < planned_seeds(name)
    ]
    for name, document in evidence.parts.items():
        unmeasured = [metric_name(each) for each in PARTS[name].metrics if each not in document.metrics]
        if document.settings and unmeasured:
            lines.append(f"- Not measured yet in {name}: {', '.join(unmeasured)}.")
    if cut:
        lines.append(f"- Fewer seeds than planned, for all losses alike: {', '.join(cut)}.")
    return ["\n".join(lines)]


_THREATS = """\
- One small network, a short schedule and one easy data set. Test accuracy is close to its ceiling.
- The recipe was chosen with softmax, center loss and ArcFace in view. The defaults of some losses were set
  after looking at test accuracy on MNIST at single seeds that are also used here; defaults of others come
  from papers on other data.
- The seeds vary the training, not the test images: intervals say nothing about other test images.
- In the plane many losses cannot do what they were made for, with features of hundreds of dimensions.
- MAP@R and verification compare features as each loss does, by Euclidean distance or by direction. A part of
  the difference between two losses may be the difference between these.
- Seconds depend on the machine and on what else runs on it.
- Many losses and many metrics are many looks at the same data."""


# The figures


def _pictures(evidence: Evidence) -> list[Picture]:
    """The figures whose parts are there."""
    found = []
    if "defaults" in evidence.parts:
        found += _pictures_of_defaults(evidence)
    if {"defaults", "tuned"} <= set(evidence.parts):
        before, after = (evidence.scores(part, MAP) for part in ("defaults", "tuned"))
        groups = {row.loss: int(row.verdict != "better") for row in tuned_rows(evidence)}
        found.append(
            _scatter(
                "tuned",
                "MAP@R at the defaults and with tuned settings, on the line where tuning changes nothing",
                (before, "MAP@R at the defaults"),
                (after, "MAP@R with tuned settings"),
                groups,
                ("better with tuning", "not better with tuning"),
                diagonal=True,
            )
        )
    if "dimensions" in evidence.parts:
        blocks = evidence.blocks("dimensions")
        plane, last = (evidence.scores("dimensions", MAP, number) for number in (0, len(blocks) - 1))
        titles = [f"MAP@R in {block.label.rpartition(', ')[2]}" for block in (blocks[0], blocks[-1])]
        titles[0] = "MAP@R in 2-D"
        found.append(
            _scatter(
                "dimensions",
                f"{titles[0]} and in {titles[1].split()[-1]}",
                (plane, titles[0]),
                (last, titles[1]),
                {},
            )
        )
    return [*found, *_ranks(evidence)]


def _pictures_of_defaults(evidence: Evidence) -> list[Picture]:
    accuracy, retrieval, seconds = (
        evidence.scores("defaults", metric) for metric in (MAIN_METRIC, MAP, "seconds")
    )
    places = {
        each.metric: {loss: _in_unit(each, loss) for loss in accuracy.values}
        for each in (accuracy, retrieval)
    }
    groups = {loss: n for n, group in enumerate(evidence.groups("defaults", MAP)) for loss in group}
    names = ("first group by MAP@R", "second", "third", "fourth", "others")
    found = [
        Picture(
            "leaderboard",
            "All losses by test accuracy, with MAP@R: means with 95 % intervals over seeds",
            places,
            partial(_draw_leaderboard, places=places),
        )
    ]
    for metric in (MAIN_METRIC, MAP):
        rows = [row for row in evidence.against("defaults", metric) if row.paired.n > 1]
        if rows:
            caption = f"Paired differences to {BASE_LOSS} in {metric_name(metric)}, every seed and the mean"
            data = {row.loss: [row.paired.differences, row.verdict] for row in rows}
            found.append(Picture(f"forest-{metric.replace('_', '-')}", caption, data, compose_forest(rows)))
    found.append(
        _scatter(
            "accuracy-map",
            "Test accuracy against MAP@R, coloured by groups that cannot be told apart by MAP@R",
            (accuracy, metric_title(MAIN_METRIC)),
            (retrieval, metric_title(MAP)),
            groups,
            names,
        )
    )
    if not shared_machine(seconds):
        found.append(
            _scatter(
                "cost",
                "Training time of a run against MAP@R",
                (seconds, "seconds of a run"),
                (retrieval, metric_title(MAP)),
                groups,
                names,
            )
        )
    return found


def _ranks(evidence: Evidence) -> list[Picture]:
    """Mean ranks over MNIST, the digits and the open sets, where there is more than one of them."""
    blocks: list[Scores] = [
        evidence.scores(part, MAP) for part in ("defaults", "digits") if part in evidence.parts
    ]
    if "open-set" in evidence.parts:
        count = len(evidence.blocks("open-set"))
        blocks += [evidence.scores("open-set", "unseen-map-at-r", number) for number in range(count)]
    losses = (
        [loss for loss in blocks[0].values if all(loss in each.values for each in blocks)] if blocks else []
    )
    if len(blocks) < 2 or len(losses) < 2:
        return []
    means = np.array([[each.interval(loss).mean for loss in losses] for each in blocks])
    caption = f"Mean ranks by MAP@R over {len(blocks)} data sets and open sets, joined where no pair differs"
    data = dict(zip(losses, means.T.tolist(), strict=True))
    return [Picture("ranks", caption, data, compose_ranks(losses, means, MAP))]


def _scatter(
    name: str,
    caption: str,
    x: tuple[Scores, str],
    y: tuple[Scores, str],
    groups: Mapping[str, int],
    names: Sequence[str] = (),
    *,
    diagonal: bool = False,
) -> Picture:
    from ..figures import scatter

    points = [
        scatter.Point(loss, _in_unit(x[0], loss), _in_unit(y[0], loss), groups.get(loss, 0))
        for loss in x[0].values
        if loss in y[0].values
    ]
    across, up = (scatter.Axis(title, _sign(each.metric), bounds(each.metric)) for each, title in (x, y))
    draw: Callable[..., None] = scatter.draw_figure
    compose = partial(draw, points=points, x=across, y=up, names=names, diagonal=diagonal)
    return Picture(name, caption, [list(point) for point in points], compose)


def _draw_leaderboard(figure: Any, places: Mapping[str, Mapping[str, Interval]]) -> None:
    from ..figures import leaderboard

    columns = {
        metric: [leaderboard.Place(loss, interval) for loss, interval in found.items()]
        for metric, found in places.items()
    }
    leaderboard.draw_places(figure, columns)


def _in_unit(scores: Scores, loss: str) -> Interval:
    mean, half_width, count = scores.interval(loss)
    return Interval(in_unit(scores.metric, mean), in_unit(scores.metric, half_width), count)


def _sign(metric: str) -> int:
    better = higher_is_better(metric)
    return 0 if better is None else 1 if better else -1
