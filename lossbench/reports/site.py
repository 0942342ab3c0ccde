"""A results folder as one HTML page and as results/README.md: one structure read from disk, two templates.

What is read are the tables as commands wrote them, the figures beside them and the names of stored runs.
Nothing here depends on the time of day: the same folder gives the same bytes.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import mimetypes
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from ..errors import LossbenchError, RunError
from ..files import read_json, write_atomically
from ..runs.config import RunConfig
from ..runs.config_builder import config_from_dict
from ..runs.store import RunFolder, Store
from ..specs import catalog
from ..tables import Table, code, numeric_columns, to_markdown

_EMBEDDED = (".png", ".svg", ".gif")  # in this order, when a figure is there in several formats
_LISTED = 6  # losses in a heading; beyond that it names the first three and counts
_FEATURES = "features in the plane coloured by class, a panel for each loss or setting"


class Captioned(NamedTuple):
    """A table with the line above it and the sentences below."""

    caption: str
    table: Table
    note: str


class Picture(NamedTuple):
    """A figure: where it lies below the results folder, what it shows, and also of what, other formats."""

    path: str
    caption: str
    alt: str
    formats: tuple[str, ...]


class Setting(NamedTuple):
    """The stored runs of one line of a table, by seed."""

    title: str
    subtitle: str
    runs: tuple[tuple[int, str], ...]


class Section(NamedTuple):
    """One comparison or sweep: its question (whole, and as a heading), what was found, and the command that
    makes it again."""

    name: str
    title: str
    heading: str
    tables: tuple[Captioned, ...]
    command: str
    pictures: tuple[Picture, ...]
    explorers: tuple[str, ...]
    files: tuple[str, ...]
    settings: tuple[Setting, ...]


class Results(NamedTuple):
    """All sections, and what belongs to none of them: pictures, and files (explorers, films) to open; whether
    there is a log of findings."""

    sections: tuple[Section, ...]
    pictures: tuple[Picture, ...]
    files: tuple[str, ...]
    log: bool


def read_results(store: Store, *, runs: bool = True) -> Results:
    """Everything in the results folder that a reader would want to see; `runs`: also which runs are stored.

    A Markdown file in tables/ that no command wrote is passed over. Raises RunError for a file that cannot
    be read.
    """
    stored = store.all()[0] if runs else None
    left = sorted(path.name for path in store.figures.glob("*.*") if not path.name.startswith("."))
    sections = []
    # a name that goes on ("…-unseen789.md") comes before its beginning ("….md"), and so takes its own figures
    for path in sorted(store.tables.glob("*.md")):
        section = _section(store, path, left, stored)
        if section is not None:
            sections.append(section)
            left = [
                name for name in left if f"figures/{name}" not in _paths(section.pictures, section.explorers)
            ]
    pictures = _pictures(left)
    files = tuple(f"figures/{name}" for name in left if f"figures/{name}" not in _paths(pictures))
    return Results(tuple(sections), pictures, files, (store.root / "LOG.md").exists())


def html_page(store: Store, results: Results, folder: Path) -> bytes:
    """The page that stands alone, with links that hold from `folder`. Raises RunError for a figure that
    cannot be read."""

    def embedded(path: str) -> str:
        kind = mimetypes.guess_type(path)[0]
        return f"data:{kind};base64,{base64.b64encode(_content(store.root / path)).decode()}"

    way = os.path.relpath(store.root, folder).replace(os.sep, "/")

    def link(path: str) -> str:
        return quote(path if way == "." else f"{way}/{path}")

    return _rendered("report.html.j2", results, embedded=embedded, link=link, numeric=numeric_columns)


def markdown_page(results: Results) -> bytes:
    """The same for results/README.md, where images are links and stored runs are left out."""

    def text(words: str) -> str:
        """Text between the brackets of a link, which it must not end."""
        return re.sub(r"([\\\[\]])", r"\\\1", words).replace("<", "&lt;")

    return _rendered("report.md.j2", results, link=quote, text=text, markdown=to_markdown, code=code)


def write_index(store: Store) -> None:
    """Bring results/README.md up to date."""
    write_atomically(store.root / "README.md", markdown_page(read_results(store, runs=False)))


def _rendered(template: str, results: Results, **filters: Any) -> bytes:
    # imported here: listings and finished runs need no templates
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("lossbench.reports"),
        autoescape=template.endswith(".html.j2"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters
    return (environment.get_template(template).render(results._asdict()).strip() + "\n").encode()


def _section(
    store: Store, path: Path, figures: Sequence[str], stored: Sequence[RunFolder] | None
) -> Section | None:
    """A table with its own of these figures and stored runs; None for a file that no command wrote."""
    written = _parsed(_content(path).decode(errors="replace"))
    if written is None:
        return None
    name, (title, tables, command) = path.stem, written
    own = [figure for figure in figures if figure.startswith((f"{name}.", f"{name}-"))]
    own.sort(key=lambda figure: not figure.startswith(f"{name}."))  # the features before all else
    explorers = [figure for figure in figures if figure == f"explore-{name.partition('-')[2]}.html"]
    files = (f"{name}.csv", f"{name}-against.csv", f"{name}.json")
    return Section(
        name=name,
        title=title,
        heading=_heading(title),
        tables=tables,
        command=command,
        pictures=_pictures(own, _heading(title), name),
        explorers=tuple(f"figures/{explorer}" for explorer in explorers),
        files=tuple(f"tables/{file}" for file in files if (store.tables / file).exists()),
        settings=() if stored is None else _settings(store.tables / f"{name}.json", stored),
    )


def _parsed(text: str) -> tuple[str, tuple[Captioned, ...], str] | None:
    """Title, tables and command of what `reporting.write_tables` wrote; None for anything else."""
    blocks = text.strip().split("\n\n")
    command = re.fullmatch(r"(`+)( ?)(.*)\2\1", blocks.pop())
    if not text.startswith("## ") or command is None or not blocks or len(blocks) % 3:
        return None
    blocks[0] = blocks[0].removeprefix("## ").replace("&lt;", "<")
    tables = []
    for caption, table, note in zip(blocks[::3], blocks[1::3], blocks[2::3], strict=True):
        header, rule, *rows = map(_cells, table.split("\n"))
        if not header or any(len(row) != len(header) for row in (rule, *rows)):
            return None
        tables.append(Captioned(caption, Table(header, rows), note))
    return blocks[0], tuple(tables), command[3]


def _heading(title: str) -> str:
    """The title, cut where it lists more losses than a line can hold."""
    first, *others = title.split(" · ")
    if len(others) < _LISTED:
        return title
    return f"{' · '.join([first, *others[:2]])} and {len(others) - 2} more"


def _cells(line: str) -> list[str]:
    """The cells of a line as `tables.to_markdown` writes it; none for any other line."""
    if not line.startswith("| ") or not line.endswith(" |"):
        return []
    cells = re.findall(r" ((?:\\.|[^\\|])*) \|", line[1:])
    return [re.sub(r"\\(.)", r"\1", cell).replace("&lt;", "<") for cell in cells]


def _pictures(names: Sequence[str], title: str = "", table: str = "") -> tuple[Picture, ...]:
    """The figures of these files, one for all formats of a picture."""
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(name.rpartition(".")[0], []).append(name)
    pictures = []
    for stem, files in found.items():
        shown = [name for end in _EMBEDDED for name in files if name.endswith(end)]
        if shown:
            seen = _seen(stem.removeprefix(table).strip("-"), bool(table))
            others = tuple(f"figures/{name}" for name in files if name != shown[0])
            pictures.append(Picture(f"figures/{shown[0]}", seen, f"{seen}: {title or stem}", others))
    return tuple(pictures)


def _paths(pictures: Sequence[Picture], files: Sequence[str] = ()) -> set[str]:
    return {path for picture in pictures for path in (picture.path, *picture.formats)} | {*files}


def _seen(name: str, of_table: bool) -> str:
    """What a figure shows, by its name, or by what follows the name of its table."""
    specs = {figure: catalog.spec("figures", figure) for figure in catalog.names("figures")}
    for figure, spec in sorted(specs.items(), key=lambda item: -len(item[0])):
        if name.startswith((figure, spec.drawn_from)):
            return _sentence(spec.summary)
    return _sentence(_FEATURES if of_table else name.partition("-")[0])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _settings(path: Path, stored: Sequence[RunFolder]) -> tuple[Setting, ...]:
    """The stored runs of each setting of a table's JSON, whatever their seed; none without such a file."""
    by_setting: dict[RunConfig, list[tuple[int, str]]] = {}
    for run in stored:
        key = dataclasses.replace(run.config, seed=0)
        by_setting.setdefault(key, []).append((run.config.seed, f"runs/{run.name}/"))
    found = []
    document = read_json(path) or {"settings": ()}
    for setting in document["settings"]:
        with contextlib.suppress(LossbenchError):  # a loss from outside that is not here has no runs here
            config = config_from_dict(setting["config"])
            runs = by_setting.get(dataclasses.replace(config, seed=0), [])
            if runs:
                found.append(Setting(config.title, config.subtitle, tuple(sorted(runs))))
    return tuple(found)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from None
