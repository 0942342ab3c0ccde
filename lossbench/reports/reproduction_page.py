"""What a reproduction found: one JSON document, and the page in Markdown that is rendered from it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from ..reproductions import Check, CheckResult, Reproduction, Verdict, number_name
from ..runs.config import RunConfig
from ..runs.store import Store
from ..statistics import Interval, mean_interval
from ..tables import Table, code, p_value_text, to_markdown
from .document import WrittenFile
from .generated_files import write_with_document

FORMAT = 1
QUICK = "This was a quick run, of a few epochs of the digits and two seeds. It decides nothing."


class Description(NamedTuple):
    """What a `Reproduction` says of itself."""

    name: str
    title: str
    source: str
    locus: str
    question: str
    published: str
    recipe: str
    fewer_seeds: str


class GroupRow(NamedTuple):
    """One group of runs: the settings of its loss, how many are done and failed, and means over seeds."""

    group: str
    settings: str
    done: int
    failed: int
    numbers: Mapping[str, Interval]


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
        groups = [
            {**row._asdict(), "numbers": {name: each._asdict() for name, each in row.numbers.items()}}
            for row in self.groups
        ]
        files = [file._asdict() for file in self.files]
        data = {"format": FORMAT, "kind": "reproduce", **self.about._asdict(), **vars(self)}
        del data["about"]
        checks = [asdict(check) for check in self.checks]
        return data | {"checks": checks, "groups": groups, "files": files}


def group_row(
    group: str,
    configs: Sequence[RunConfig],
    results: Mapping[int, Mapping[str, float]],
    checks: Sequence[Check],
) -> GroupRow:
    """The row of a group from the numbers of its runs by seed."""
    names = dict.fromkeys(["test_accuracy", *(name for check in checks for name in check.numbers)])
    numbers = {
        name: mean_interval([values[name] for values in results.values() if name in values]) for name in names
    }
    done = numbers["test_accuracy"].n
    settings = f"{configs[0].title}, {configs[0].subtitle}".rstrip(", ")
    return GroupRow(group, settings, done, len(configs) - done, numbers)


def describe(name: str, spec: Reproduction) -> Description:
    """What the reproduction of this name says of itself."""
    return Description(name, *(getattr(spec, field) for field in Description._fields[1:]))


def file_name(name: str, quick: bool) -> str:
    """What the files of a reproduction are called, without their ending."""
    return f"{name}-quick" if quick else name


def checks_table(checks: Sequence[CheckResult]) -> Table:
    """One line per check: the rule, what was measured, the verdict."""
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
    return Table(["rule", "effect", "95 % interval", "seeds", "p (Holm)", "verdict"], rows, ("seeds",))


def groups_table(rows: Sequence[GroupRow]) -> Table:
    """One line per group of runs: mean ± half width of each number that a check speaks of."""
    names = list(dict.fromkeys(name for row in rows for name in row.numbers))
    cells = [
        [row.group, row.settings, f"{row.done} of {row.done + row.failed}"]
        + [_interval_text(row.numbers.get(name)) for name in names]
        for row in rows
    ]
    return Table(["group", "settings", "runs", *map(number_name, names)], cells)


def markdown(document: ReproductionDocument) -> str:
    """The page: question, what was published, verdict, checks, numbers, pictures, conditions."""
    about = document.about
    made = sum(check.verdict != "not testable here" for check in document.checks)
    held = sum(check.verdict == "reproduced" for check in document.checks)
    verdict = f"Verdict: {document.verdict} ({held} of {made} tested rules hold)."
    parts = [
        f"# {about.title}",
        about.question,
        f"**{QUICK if document.quick else verdict}**",
        f"Published ({about.locus}): {about.published} Source: {about.source}.",
        f"Recipe: {about.recipe}",
        about.fewer_seeds,
        to_markdown(checks_table(document.checks)),
        "The rules were written before the runs. Effects are differences or means over seeds; p values are "
        "adjusted by Holm for all rules of this page.",
        *(f"![{file.shows}]({Path(file.path).name})" for file in document.files),
        to_markdown(groups_table(document.groups)) if document.groups else "",
        document.conditions,
        code(document.command),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


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
    if interval is None or not interval.n:
        return "–"
    mean, half_width, _ = interval
    return _text(mean) if half_width != half_width else f"{_text(mean)} ± {half_width:.2g}"
