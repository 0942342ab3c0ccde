"""A results folder as one HTML page and as results/README.md, both from the documents that commands wrote.

Nothing here depends on the time of day: the same folder gives the same bytes.
"""

import base64
import contextlib
import dataclasses
import mimetypes
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from ..errors import LossbenchError
from ..files import read_bytes
from ..runs.config import RunConfig, dataset_title
from ..runs.store import Store
from ..runs.stored_config import config_from_dict
from ..tables import code, numeric_columns, seeds_text
from .document import Document, WrittenFile, read_documents
from .generated_files import with_digest, write_generated
from .result_tables import CaptionedTable, captioned_tables, markdown, short_title

_EMBEDDED = (".png", ".svg", ".gif")  # in this order, when a figure is there in several formats


class Picture(NamedTuple):
    """A figure: its path below the results folder, what it shows, and the paths of its other formats."""

    path: str
    caption: str
    alt: str
    formats: tuple[str, ...] = ()


class Link(NamedTuple):
    """A file that is not shown in the page."""

    path: str
    text: str


class Section(NamedTuple):
    """One comparison or sweep; `heading` is its title, cut short, `exact` are the files with all digits."""

    name: str
    heading: str
    document: Document
    tables: Sequence[CaptionedTable]
    pictures: Sequence[Picture]
    links: Sequence[Link]
    exact: Sequence[Link]


class PageContent(NamedTuple):
    """All sections, then the pictures and links that belong to none of them.

    stored: names of the runs that are still there. log, benchmark: whether there is a log of findings, and
    a page of the benchmark of all losses.
    """

    sections: Sequence[Section]
    pictures: Sequence[Picture]
    links: Sequence[Link]
    stored: frozenset[str]
    log: bool
    benchmark: bool = False


def read_page_content(store: Store, accepts: Callable[[RunConfig], bool] | None = None) -> PageContent:
    """What the documents of a results folder list, and the figures that none of them lists.

    With `accepts` only the documents that show an accepted run. Raises RunError for a damaged document.
    """
    documents = read_documents(store)
    if accepts is not None:
        documents = {
            name: each for name, each in documents.items() if any(map(accepts, _configs(store, each)))
        }
    sections = [_section(store, name, each) for name, each in documents.items() if each.settings]
    alone = [(each.title, file) for each in documents.values() if not each.settings for file in each.files]
    pictures, links = _shown(store, alone)
    listed = {file.path for document in documents.values() for file in document.files}
    unlisted = store.figures.glob("[!.]*.*") if accepts is None else ()
    for path in sorted(f"figures/{path.name}" for path in unlisted):
        if path.endswith(_EMBEDDED) and path not in listed:
            pictures.append(Picture(path, path, Path(path).stem.replace("-", " ")))
        elif not path.endswith(".json") and path not in listed:
            links.append(Link(path, path))
    stored = frozenset(path.name for path in store.runs.glob("*"))
    log = (store.root / "LOG.md").exists()
    return PageContent(sections, pictures, links, stored, log, any(store.benchmark.glob("*.json")))


def _configs(store: Store, document: Document) -> Iterator[RunConfig]:
    """The configs of the runs that a document shows, as far as this version knows their losses."""
    for row in document.settings:
        with contextlib.suppress(LossbenchError):
            config = config_from_dict(row.config)
            yield from (dataclasses.replace(config, seed=seed) for seed in row.runs or (config.seed,))
    for name in (name for file in document.files for name in file.runs):
        with contextlib.suppress(LossbenchError):
            yield store.find(name).config


def html_page(store: Store, content: PageContent, folder: Path) -> bytes:
    """The page with everything it shows inside, its links relative to `folder`.

    Raises RunError for a figure that cannot be read.
    """
    # imported here: listings and finished runs need no templates
    from jinja2 import Environment, PackageLoader, StrictUndefined

    def embedded(path: str) -> str:
        data = read_bytes(store.root / path, absent=()) or b""
        return f"data:{mimetypes.guess_type(path)[0]};base64,{base64.b64encode(data).decode()}"

    def link(path: str) -> str:
        return quote(os.path.relpath(store.root / path, folder).replace(os.sep, "/"))

    environment = Environment(
        loader=PackageLoader("lossbench.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"embedded": embedded, "link": link, "numeric": numeric_columns}
    page = environment.get_template("report.html.j2").render(content._asdict()).strip() + "\n"
    return with_digest(page.encode())


def markdown_page(content: PageContent) -> bytes:
    """The same for results/README.md, where images are links and stored runs are left out."""
    log = " Findings: [LOG.md](LOG.md)." if content.log else ""
    contents = [
        f"- [{_link_text(section.heading)}](#{section.name}): {code(section.document.command)}\n"
        for section in content.sections
    ]
    if content.benchmark:
        contents.insert(0, "- [Benchmark of all losses](benchmark/README.md)\n")
    blocks = [
        "# Results\n",
        f"Generated by lossbench from what its commands wrote here.{log}\n",
        "".join(contents),
    ]
    for section in content.sections:
        blocks += [f'<a id="{section.name}"></a>\n', markdown(section.document)]
        blocks += _markdown_files(section.pictures, section.links)
    if content.pictures or content.links:
        blocks += ["## Other figures\n", *_markdown_files(content.pictures, content.links)]
    return with_digest("\n".join(blocks).encode())


def write_readme(store: Store) -> None:
    """Bring results/README.md up to date; again if another command wrote a document meanwhile.

    Raises ForeignFile for a README that lossbench did not write.
    """
    page = None
    while (current := markdown_page(read_page_content(store))) != page:
        write_generated(store.root / "README.md", current)
        page = current


def _section(store: Store, name: str, document: Document) -> Section:
    exact = {f"{name}.csv": "CSV", f"{name}-against.csv": "CSV of the pairs", f"{name}.json": "JSON"}
    return Section(
        name,
        short_title(document.title),
        document,
        captioned_tables(document),
        *_shown(store, ((document.title, file) for file in document.files)),
        [Link(f"tables/{file}", text) for file, text in exact.items() if (store.tables / file).exists()],
    )


def _shown(store: Store, files: Iterable[tuple[str, WrittenFile]]) -> tuple[list[Picture], list[Link]]:
    """The titled files that are still there: pictures, one for all formats, and others to open."""
    groups: dict[tuple[str, WrittenFile], list[str]] = {}
    for title, file in files:
        if (store.root / file.path).exists():
            groups.setdefault((title, file._replace(path="")), []).append(file.path)
    pictures, links = list[Picture](), list[Link]()
    for (title, file), paths in groups.items():
        title = short_title(title)
        shows = file.shows[:1].upper() + file.shows[1:]
        embedded = [path for suffix in _EMBEDDED for path in paths if path.endswith(suffix)]
        if embedded:
            others = tuple(path for path in paths if path != embedded[0])
            details = [file.choices, *(dataset_title(name) for name in file.datasets), seeds_text(file.seeds)]
            caption = " · ".join(filter(None, [shows, *details]))
            pictures.append(Picture(embedded[0], caption, f"{shows}: {title}", others))
        else:
            links += [Link(path, f"{shows}: {title}") for path in paths]
    return pictures, links


def _markdown_files(pictures: Iterable[Picture], links: Iterable[Link]) -> list[str]:
    images = [f"![{_link_text(picture.alt)}]({quote(picture.path)})\n" for picture in pictures]
    items = "".join(f"- [{_link_text(link.text)}]({quote(link.path)})\n" for link in links)
    return [*images, *([items] if items else [])]


def _link_text(text: str) -> str:
    """Text between the brackets of a link, which it must not end."""
    return re.sub(r"([\\\[\]])", r"\\\1", text).replace("<", "&lt;")
