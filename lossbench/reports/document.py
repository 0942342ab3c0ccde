"""What a command found and which files it wrote, as one JSON document; all tables and pages come from it.

`compare` and `sweep` write tables/<name>.json, the commands that draw one figure figures/<file>.json.
Together these documents say which files of a results folder lossbench made, and what they show.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import LossbenchError, RunError
from ..experiments.comparison import ComparisonRow
from ..experiments.summary import SettingRow
from ..files import plain, read_json, to_json, write_atomically
from ..runs.conditions import unique_titles
from ..runs.config import RunConfig, dataset_title, dataset_titles
from ..runs.store import Store
from ..runs.stored_config import config_from_dict
from ..runs.stored_run import StoredRun, UntrainedRun
from ..specs import catalog
from ..statistics import Interval, PairedDifference
from .generated_files import check_document

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .figure_files import Compose

FORMAT = 2  # format 1 had no version, and only command, conditions, settings and against
_SHOWS = {
    "animation": "features in the plane while they are learned",
    "explorer": "every image, moment and error, to explore in a browser",
    "features": "features in the plane coloured by class, a panel for each loss or setting",
    "lambda-grid": "features in the plane coloured by class, a panel for each loss or setting",
}  # in a report; other figures show what their SPEC says


class WrittenFile(NamedTuple):
    """A figure, animation or page.

    path: below the results folder. kind: of figure, `animation` or `explorer`. shows: in a few words, with
    `choices` such as `split test`. datasets, seeds, runs: whose features are shown, empty for no run.
    """

    path: str
    kind: str
    shows: str
    choices: str = ""
    datasets: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()
    runs: tuple[str, ...] = ()


class Drawing(NamedTuple):
    """A figure to draw of these runs: by its kind and choices, or by `compose`, see `figure_files`."""

    path: Path
    kind: str
    runs: Sequence[StoredRun] = ()
    choices: Mapping[str, str] = {}
    compose: Compose | None = None

    def write(self) -> None:
        """Draw it."""
        from .figure_files import write_figure

        write_figure(self._composed(), self.path, self.runs)

    def figure(self, style: str = "paper") -> Figure:
        """Draw it in memory."""
        from .figure_files import render_figure

        return render_figure(self._composed(), style)

    def _composed(self) -> Compose:
        from .figure_files import compose_figure

        return self.compose or compose_figure(self.kind, self.runs, **self.choices)


@dataclass(frozen=True, kw_only=True)
class Document:
    """What a command found, and how.

    kind: the name of the command; command: as it was typed. conditions: sentences on data, network, schedule
    and machine. metrics: those that the user named. data: numbers that a figure shows, of each run.
    """

    kind: str
    title: str
    command: str
    conditions: str = ""
    metrics: Sequence[str] = ()
    settings: Sequence[SettingRow] = ()
    against: Sequence[ComparisonRow] = ()
    files: Sequence[WrittenFile] = ()
    data: Sequence[Mapping[str, Any]] = ()

    def to_dict(self) -> dict[str, object]:
        """Plain data for JSON; `from_dict` gives the same document back."""
        data = plain(vars(self))
        for row, stored in zip(self.against, data["against"], strict=True):
            stored |= stored.pop("paired") | {"verdict": row.verdict}
        return {"format": FORMAT, **data}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Document:
        """A document from the plain data of `to_dict`, also of format 1.

        Raises KeyError, TypeError or ValueError for data that is not a document.
        """
        data = data if "format" in data else _from_format_1(data)
        return cls(
            **{name: data[name] for name in ("kind", "title", "command", "conditions", "metrics")},
            settings=[_setting_row(row) for row in data["settings"]],
            against=[_comparison_row(row) for row in data["against"]],
            files=[written_file_from_json(file) for file in data["files"]],
            data=data.get("data", ()),
        )


def written_file(
    store: Store, path: Path, kind: str, runs: Sequence[UntrainedRun], choices: str = ""
) -> WrittenFile:
    """The record of a file that shows these runs. Raises ValueError for a path outside the results folder."""
    stored = [run for run in runs if isinstance(run, StoredRun)]
    return WrittenFile(
        path=path.resolve().relative_to(store.root.resolve()).as_posix(),
        kind=kind,
        shows=_SHOWS.get(kind) or catalog.spec("figures", kind).summary,
        choices=choices,
        datasets=tuple(dict.fromkeys(run.config.dataset for run in stored)),
        seeds=tuple(sorted({run.seed for run in stored})),
        runs=tuple(run.name for run in stored),
    )


def record_figure(
    store: Store,
    path: Path,
    kind: str,
    runs: Sequence[UntrainedRun],
    *,
    made_by: str,
    command: str,
    title: str = "",
    choices: str = "",
    data: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the document of a file that the command `made_by` drew; none for a path outside the results."""
    with contextlib.suppress(ValueError):
        file = written_file(store, path, kind, runs, choices)
        title = title or comparison_title([run.config for run in runs])
        document = Document(kind=made_by, title=title, command=command, files=[file], data=data)
        write_document(store.figures / f"{path.name}.json", document)


def write_document(path: Path, document: Document) -> None:
    """Write a document as JSON. Raises ForeignFile for a file that no command of lossbench wrote."""
    check_document(path)
    write_atomically(path, to_json(document.to_dict()).encode())


def shows_the_same(
    store: Store, path: Path, kind: str, runs: Sequence[UntrainedRun], choices: str, command: str = ""
) -> bool:
    """Whether by its document a file shows these runs in this way, or was made by this command."""
    data = read_json(store.figures / f"{path.name}.json")
    try:
        document = Document.from_dict(data)
        shown = written_file(store, path, kind, runs, choices)
        return command == document.command or shown == document.files[0]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return False


def read_documents(store: Store) -> dict[str, Document]:
    """All documents of a results folder by name, those of tables first.

    A JSON file that no command wrote is ignored. Raises RunError for a damaged one.
    """
    documents = {}
    for path in (*sorted(store.tables.glob("*.json")), *sorted(store.figures.glob("*.json"))):
        data = read_json(path)
        if isinstance(data, dict) and "command" in data:
            documents[path.stem] = parse_document(path, data)
    return documents


def parse_document(path: Path, data: Mapping[str, Any]) -> Document:
    """The document of a file with this content. Raises RunError for a damaged one."""
    try:
        return Document.from_dict(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{path} was changed by hand, or is of another version ({error!r}).") from None


def comparison_title(configs: Sequence[RunConfig]) -> str:
    """Data sets, unseen classes and losses, such as `MNIST without 7, 8, 9: Softmax · Center`."""
    datasets = ", ".join(dict.fromkeys(dataset_titles([config.dataset for config in configs])))
    unseen = f" without {configs[0].unseen_names}" if configs[0].unseen else ""
    return f"{datasets}{unseen}: {' · '.join(dict.fromkeys(unique_titles(configs)))}"


def interval_from_json(data: Mapping[str, Any]) -> Interval:
    """An interval from plain data."""
    return Interval(number_from_json(data["mean"]), number_from_json(data["half_width"]), data["n"])


def number_from_json(value: float | None) -> float:
    """A number from plain data, in which None stands for NaN: JSON has none."""
    return math.nan if value is None else value


def written_file_from_json(data: Mapping[str, Any]) -> WrittenFile:
    """The record of a file from plain data. Raises ValueError for a path outside the results folder."""
    values = {name: data[name] for name in WrittenFile._fields}
    if Path(data["path"]).is_absolute() or ".." in Path(data["path"]).parts:
        raise ValueError(f"{data['path']} is not in the results folder")
    return WrittenFile(**values | {name: tuple(data[name]) for name in ("datasets", "seeds", "runs")})


def _setting_row(data: Mapping[str, Any]) -> SettingRow:
    values = {name: data[name] for name in SettingRow._fields if name != "by_seed"}
    values["runs"] = {int(seed): name for seed, name in data["runs"].items()}
    values["by_seed"] = {int(seed): numbers for seed, numbers in data.get("by_seed", {}).items()}
    values["metrics"] = {name: interval_from_json(interval) for name, interval in data["metrics"].items()}
    return SettingRow(**values)


def _comparison_row(data: Mapping[str, Any]) -> ComparisonRow:
    paired = {name: data[name] for name in PairedDifference._fields}
    paired |= {name: number_from_json(data[name]) for name in ("p", "p_error", "probability")}
    paired |= {
        "differences": tuple(data["differences"]),
        "difference": interval_from_json(data["difference"]),
    }
    values = {name: data[name] for name in ComparisonRow._fields if name != "paired"}
    values["p_holm"] = number_from_json(data["p_holm"])
    return ComparisonRow(**values, paired=PairedDifference(**paired))


def _from_format_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data of format 2: titles come from the configs, columns from the metrics compared."""
    settings = []
    for row in data["settings"]:
        try:
            config = config_from_dict(row["config"])
            texts = {"title": config.title, "settings": config.subtitle, "rule": config.rule}
        except LossbenchError:  # a loss that this version or this machine does not have
            texts = {"title": row["loss"], "settings": "", "rule": ""}
        settings.append({**row, **texts, "dataset": row["config"]["dataset"], "runs": {}, "swept": {}})
    titles = {(row["dataset"], row["loss"]): row["title"] for row in settings}
    against = []
    for row in data["against"]:
        title = titles.get((row["dataset"], row["loss"]), row["loss"])
        baseline = titles.get((row["dataset"], row["baseline"]), row["baseline"])
        against.append({**row, "title": title, "label": title, "baseline_label": baseline, "done": row["n"]})
    datasets = dict.fromkeys(dataset_title(row["dataset"]) for row in settings)
    return {
        **data,
        "kind": "compare",
        "title": f"{', '.join(datasets)}: {' · '.join(dict.fromkeys(row['title'] for row in settings))}",
        "metrics": list(dict.fromkeys(row["metric"] for row in against)),
        "settings": settings,
        "against": against,
        "files": [],
    }
