"""What a reproduction found: one JSON document, and the page in Markdown that is rendered from it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..files import plain
from ..reproductions import Check, CheckResult, Reproduction, Verdict, number_meaning, number_name
from ..runs.conditions import BATCH_OPTIONS, option_differences
from ..runs.config import RunConfig
from ..runs.store import Store
from ..statistics import Interval, mean_interval
from ..tables import Table, code, number_text, p_value_text, seeds_text, to_markdown
from .document import WrittenFile, interval_from_json, number_from_json, written_file_from_json
from .generated_files import write_with_document

FORMAT = 1
QUICK = "This was a quick run, of a few epochs of the digits and two seeds. It decides nothing."
HOW_TO_READ = (
    "The rules were written before the runs. The effect is a difference of two means over seeds; for a rule "
    "on one group it is the mean itself, along several groups the slope of a line through them, so that "
    "single steps may go the other way, and for a formula the largest error. p values of differences and "
    "slopes are those of the exact sign-flip test; all are adjusted by Holm for the rules of this page. "
    "*Reproduced*: the rule holds at the 5 % level. *Refuted*: its contrary does. *Not distinguishable*: "
    "neither, or the interval of a difference includes 0. The page is refuted if one of its rules is."
)


class Description(NamedTuple):
    """The description of a `Reproduction` as data."""

    name: str
    title: str
    source: str
    locus: str
    question: str
    published: str
    recipe: str
    fewer_seeds: str


class GroupRow(NamedTuple):
    """One group of runs: its loss and what tells it from the other groups, how many runs are done and failed,
    and means over seeds.

    by_seed: the numbers of each run; empty in older documents.
    """

    group: str
    settings: str
    done: int
    failed: int
    numbers: Mapping[str, Interval]
    by_seed: Mapping[int, Mapping[str, float]] = {}


@dataclass(frozen=True, kw_only=True)
class ReproductionDocument:
    """What was asked, what was found and how."""

    about: Description
    quick: bool
    verdict: Verdict
    checks: Sequence[CheckResult]
    groups: Sequence[GroupRow]
    conditions: str
    command: str
    runs: Sequence[str]
    files: Sequence[WrittenFile] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON."""
        data = plain(vars(self) | {"checks": list(map(asdict, self.checks))})
        return {"format": FORMAT, "kind": "reproduce", **data.pop("about"), **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ReproductionDocument":
        """A document from the plain data of `to_dict`."""
        same = ("quick", "verdict", "conditions", "command", "runs")
        numbers = ("effect", "low", "high", "p_holm")
        return cls(
            about=Description(*(data[field] for field in Description._fields)),
            **{name: data[name] for name in same},
            checks=[
                CheckResult(**check | {name: number_from_json(check[name]) for name in numbers})
                for check in data["checks"]
            ],
            groups=list(map(_group_from_json, data["groups"])),
            files=[written_file_from_json(file) for file in data["files"]],
        )


def _group_from_json(data: Mapping[str, Any]) -> GroupRow:
    by_seed = {
        int(seed): {name: number_from_json(value) for name, value in numbers.items()}
        for seed, numbers in data.get("by_seed", {}).items()
    }
    numbers = {name: interval_from_json(interval) for name, interval in data["numbers"].items()}
    return GroupRow(**dict(data) | {"numbers": numbers, "by_seed": by_seed})


def group_settings(configs: Mapping[str, Sequence[RunConfig]]) -> list[str]:
    """The loss of each group with its settings, and the options that tell it from the other groups."""
    first = [members[0] for members in configs.values()]
    differences = option_differences(first, without=BATCH_OPTIONS)
    return [
        ", ".join(filter(None, [config.title, config.subtitle, *options]))
        for config, options in zip(first, differences, strict=True)
    ]


def group_rows(
    configs: Mapping[str, Sequence[RunConfig]],
    results: Mapping[str, Mapping[int, Mapping[str, float]]],
    checks: Sequence[Check],
) -> list[GroupRow]:
    """The row of each group from the numbers of its runs by seed."""
    names = dict.fromkeys(["test_accuracy", *(name for check in checks for name in check.numbers)])
    rows = []
    for (group, members), settings in zip(configs.items(), group_settings(configs), strict=True):
        by_seed = {
            seed: {name: run[name] for name in names if name in run} for seed, run in results[group].items()
        }
        runs = by_seed.values()
        numbers = {name: mean_interval([run[name] for run in runs if name in run]) for name in names}
        done = numbers["test_accuracy"].n
        rows.append(GroupRow(group, settings, done, len(members) - done, numbers, by_seed))
    return rows


def describe(name: str, spec: Reproduction) -> Description:
    """The description of the reproduction of this name."""
    return Description(name, *(getattr(spec, field) for field in Description._fields[1:]))


def file_name(name: str, quick: bool) -> str:
    """The name of the files of a reproduction, without suffix."""
    return f"{name}-quick" if quick else name


def group_label(group: str, config: RunConfig) -> str:
    """What the panel of a run must say beside its loss and settings: the name of its group, '' where these
    say it already."""
    said, name = (
        re.sub(r"\.0\b|[ -]", "", text.casefold()) for text in (f"{config.title}, {config.subtitle}", group)
    )
    return "" if name in said else group


def checks_table(checks: Sequence[CheckResult]) -> Table:
    """One line per check: the rule, what was measured, the verdict; without columns that hold only dashes."""
    header = ["rule", "effect", "95 % interval", "seeds", "p (Holm)", "verdict"]
    rows = [
        [
            check.rule,
            _text(check.effect),
            f"{_text(check.low)} to {_text(check.high)}" if check.low == check.low else "–",
            str(check.seeds or "–"),
            p_value_text(check.p_holm),
            f"{check.verdict} ({check.why})" if check.why else check.verdict,
        ]
        for check in checks
    ]
    empty = [heading for heading, *cells in zip(header, *rows, strict=True) if set(cells) == {"–"}]
    return Table(header, rows, ("seeds",)).without(empty)


def groups_table(rows: Sequence[GroupRow]) -> Table:
    """One line per group of runs: mean ± half width of each number that a check uses."""
    names = _numbers(rows)
    cells = [
        [row.group, row.settings, f"{row.done} of {row.done + row.failed}"]
        + [_interval_text(row.numbers.get(name)) for name in names]
        for row in rows
    ]
    return Table(["group", "settings", "runs", *map(number_name, names)], cells)


def markdown(document: ReproductionDocument) -> str:
    """The page: question, what was published, verdict, checks, pictures, numbers, conditions."""
    about = document.about
    made = sum(check.verdict != "not testable here" for check in document.checks)
    held = sum(check.verdict == "reproduced" for check in document.checks)
    verdict = f"Verdict: {document.verdict} ({held} of {made} tested rules hold)."
    parts = [
        f"# {about.title}",
        about.question,
        f"**{QUICK if document.quick else verdict}**",
        f"**Published** ({about.locus}): {about.published} Source: {about.source}.",
        f"**Recipe here:** {about.recipe}",
        about.fewer_seeds,
        to_markdown(checks_table(document.checks)),
        HOW_TO_READ,
        *map(_picture, document.files),
        to_markdown(groups_table(document.groups)) if document.groups else "",
        "\n".join(f"- {number_name(name)}: {number_meaning(name)}" for name in _numbers(document.groups)),
        document.conditions,
        code(document.command),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _numbers(rows: Sequence[GroupRow]) -> list[str]:
    """The names of the numbers of all groups."""
    return list(dict.fromkeys(name for row in rows for name in row.numbers))


def _picture(file: WrittenFile) -> str:
    """A picture with a visible caption: what it shows, and of which seeds."""
    seeds = f" ({seeds_text(file.seeds)})" if file.seeds else ""
    return f"![{file.shows}]({Path(file.path).name})\n\n*{file.shows[0].upper()}{file.shows[1:]}{seeds}.*"


def write_reproduction(store: Store, document: ReproductionDocument) -> Path:
    """Write the page and the JSON document. Returns the path of the page.

    Raises ForeignFile, before either is written, if one of them is not lossbench's.
    """
    base = file_name(document.about.name, document.quick)
    page, content = f"{base}.md", markdown(document).encode()
    target = store.reproductions / f"{base}.json"
    write_with_document(target, document.to_dict(), {page: content})
    return target.with_name(page)


def _text(value: float) -> str:
    return "–" if value != value else f"{value:.3g}".replace("-", "−")


def _interval_text(interval: Interval | None) -> str:
    """A mean with as many decimals as two digits of its half width need: `0.98641 ± 0.00050`."""
    if interval is None or not interval.n:
        return "–"
    mean, half_width, _ = interval
    if not half_width > 0:  # of one run, or all runs alike
        return _text(mean)
    digits = max(0, 1 - math.floor(math.log10(half_width)))
    return f"{number_text(mean, digits)} ± {half_width:.{digits}f}"
