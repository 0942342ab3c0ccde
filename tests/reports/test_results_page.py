"""`lossbench report` on real runs: the page is parsed, its links followed, its numbers compared with the CSV."""

from __future__ import annotations

import base64
import csv
import json
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.experiments.summary import SettingRow
from lossbench.reports import results_page
from lossbench.reports.document import Document, WrittenFile, read_documents
from lossbench.reports.result_tables import markdown, results_csv, write_tables
from lossbench.reports.results_page import markdown_page, read_page_content, write_readme
from lossbench.runs.config_builder import make_config
from lossbench.runs.store import Store
from lossbench.specs.quantities import format_value
from lossbench.statistics.intervals import Interval

Capture = pytest.CaptureFixture[str]
QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "100", "--device", "cpu"]
COMPARED = "compare-softmax-center-digits"
SWEPT = "sweep-center-lambda-digits"
EVIL = "<script>alert('1')</script> & \"a\" `b` | c](d)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison over two seeds and a sweep of two settings, with the page made of them."""
    folder = tmp_path_factory.mktemp("published")
    common = [*QUICK, "--results", str(folder)]
    assert main(["compare", "--losses", "softmax,center", "--seeds", "1-2", *common]) == 0
    assert main(["sweep", "--loss", "center", "--lambda", "0.003,0.1", *common]) == 0
    (folder / "LOG.md").write_text("# Log\n")
    (folder / "figures" / "explore-softmax-center-digits.html").write_text("an explorer")
    (folder / "figures" / "film.mp4").write_bytes(b"a film")
    assert main(["report", "--results", str(folder)]) == 0
    return folder


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    shutil.copytree(folder, tmp_path / "results")
    return tmp_path / "results"


class Page(HTMLParser):
    """What a reader, or a screen reader, meets on a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.captions: list[str] = []
        self.headings: list[str] = []
        self.commands: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.scripts: list[str] = []
        self._into: list[tuple[str, list[str]]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append(tag)
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [given["href"]] if tag == "a" and given.get("href") else []
        self.loaded += [given["src"]] if given.get("src") else []
        self.loaded += [given["href"]] if tag == "link" and given.get("href") else []
        self.images += [given] if tag == "img" else []
        self.tables += [[]] if tag == "table" else []
        if tag == "tr":
            self.tables[-1].append([])
        for name, into in (("caption", self.captions), ("h2", self.headings), ("script", self.scripts)):
            if tag == name:
                self._into.append((tag, into))
                into.append("")
        if tag in ("td", "th"):
            self._into.append((tag, self.tables[-1][-1]))
            self.tables[-1][-1].append("")
        if tag == "code":
            self._into.append((tag, self.commands))
            self.commands.append("")

    def handle_endtag(self, tag: str) -> None:
        if self._into and self._into[-1][0] == tag:
            self._into.pop()

    def handle_data(self, data: str) -> None:
        if self._into:
            self._into[-1][1][-1] += data


def call(capsys: Capture, *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["report", *(str(argument) for argument in arguments)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def files_of(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and "runs" not in path.parts
    }


def document(label: str, title: str, command: str, *files: str) -> Document:
    """One setting of a loss that is called by what a user typed, and features in these files."""
    row = SettingRow(
        loss=label,
        title=label,
        settings=label,
        dataset="digits",
        rule="class scores",
        config=make_config(loss="softmax", dataset="digits").to_dict(),
        runs={},
        done=2,
        diverged=0,
        failed=0,
        metrics={"test_accuracy": Interval(0.5, 0.1, 2)},
        swept={},
    )
    listed = [WrittenFile(path, "features", "features in the plane") for path in files]
    return Document(
        kind="compare", title=title, command=command, conditions="As stated.", settings=[row], files=listed
    )


def test_the_page_stands_alone(folder: Path) -> None:
    """Nothing is loaded from anywhere: every image is the very file of the figures folder."""
    page = Page(folder / "index.html")
    assert all(source.startswith("data:") for source in page.loaded)
    shown = {base64.b64decode(str(image["src"]).partition("base64,")[2]) for image in page.images}
    assert shown == {path.read_bytes() for path in (folder / "figures").glob("*.png")}
    assert len(page.images) == len(shown) == 4
    assert "default-src 'none'" in (folder / "index.html").read_text()


def test_every_link_leads_somewhere(folder: Path) -> None:
    page = Page(folder / "index.html")
    inside = [link.removeprefix("#") for link in page.links if link.startswith("#")]
    assert set(inside) <= set(page.ids)
    assert {COMPARED, SWEPT, "other-figures"} <= set(inside)
    outside = [link for link in page.links if not link.startswith("#")]
    assert all((folder / link).exists() for link in outside), outside
    runs = {f"runs/{path.name}/" for path in (folder / "runs").iterdir()}
    assert {link for link in outside if link.startswith("runs/")} == runs
    assert len(runs) == 6
    expected = {f"tables/{COMPARED}{end}" for end in (".csv", ".json", "-against.csv")}
    expected |= {"figures/explore-softmax-center-digits.html", "figures/film.mp4", "LOG.md"}
    assert expected <= set(outside)
    assert len(page.ids) == len(set(page.ids))


def test_it_can_be_read_without_eyes(folder: Path) -> None:
    page = Page(folder / "index.html")
    assert {"header", "nav", "main", "section", "figure", "figcaption"} <= set(page.tags)
    assert page.tags.count("main") == page.tags.count("h1") == 1
    assert len(page.captions) == len(page.tables) == 3
    assert all(page.captions)
    assert page.captions[1] == "Against Softmax by test accuracy, paired by seed"
    alts = [image["alt"] for image in page.images]
    assert "Paired differences to a baseline, one row per loss: Digits: Softmax · Center" in alts
    assert "Metrics against a swept setting, with a band over seeds: Digits: Center over λ" in alts
    assert sum(str(alt).startswith("Features in the plane") for alt in alts) == 2


def test_the_numbers_are_those_of_the_csv(folder: Path) -> None:
    first, paired, swept = Page(folder / "index.html").tables
    columns = {"test (%)": "test_accuracy", "spread/gap": "spread-gap", "seconds": "seconds"}
    for table, name in ((first, COMPARED), (swept, SWEPT)):
        with (folder / "tables" / f"{name}.csv").open(newline="") as file:
            lines = list(csv.DictReader(file))
        assert len(table) == len(lines) + 1 == 3
        for row, line in zip(table[1:], lines, strict=True):
            shown = dict(zip(table[0], row, strict=True))
            assert (shown["loss"], shown["settings"]) == (line["loss"], line["settings"])
            for heading, metric in columns.items():
                numbers = [float(line[metric + end] or "nan") for end in ("", "_half_width")]
                assert shown[heading] == format_value(metric, *numbers)
    with (folder / "tables" / f"{COMPARED}-against.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    shown = dict(zip(*paired, strict=True))
    assert shown["verdict"] == line["verdict"]
    difference, half = (100 * float(line[name]) for name in ("difference", "half_width"))
    assert shown["difference"].replace("−", "-") == f"{difference:+.2f} ± {half:.2f}"


def test_the_markdown_says_the_same(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    page = Page(folder / "index.html")
    for name in (COMPARED, SWEPT):
        assert (folder / "tables" / f"{name}.md").read_text().strip() in text
        assert f"](#{name})" in text
    for image in page.images:
        assert f"![{image['alt']}](figures/" in text
    assert text.count("![") == 4
    assert "[LOG.md](LOG.md)" in text


def test_a_command_of_the_page_is_the_stored_one(folder: Path) -> None:
    """Once in the contents and once to copy, each as it was typed."""
    stored = [
        json.loads((folder / f"tables/{name}.json").read_text())["command"] for name in (COMPARED, SWEPT)
    ]
    assert Page(folder / "index.html").commands == [*stored, *stored]


def test_links_hold_from_elsewhere_and_nothing_else_is_written(
    folder: Path, capsys: Capture, tmp_path: Path
) -> None:
    before = files_of(folder)
    target = tmp_path / "deep" / "page.html"
    assert call(capsys, "--results", folder, "--output", target)[0] == 0
    assert files_of(folder) == before
    links = [link for link in Page(target).links if not link.startswith("#")]
    assert len(links) > 10
    assert all((target.parent / link).exists() for link in links)
    assert call(capsys, "--results", folder, "--output", target, "--check")[0] == 0


def test_fresh_is_fresh_whatever_the_clock_says(copied: Path, capsys: Capture) -> None:
    assert call(capsys, "--results", copied, "--check")[0] == 0
    for path in copied.rglob("*"):
        path.touch()
    assert call(capsys, "--results", copied, "--check") == (0, "", "")


@pytest.mark.parametrize("changed", ["table", "figure", "readme", "no page"])
def test_stale_is_named_and_left_alone(copied: Path, capsys: Capture, changed: str) -> None:
    table = copied / "tables" / f"{COMPARED}.json"
    if changed == "table":
        table.write_text(table.read_text().replace('"title": "Softmax"', '"title": "Softmin"'))
    elif changed == "figure":
        (copied / "figures" / f"{SWEPT}-grid.png").write_bytes(b"another")
    elif changed == "readme":
        (copied / "README.md").write_text(f"{(copied / 'README.md').read_text()}\nOld.\n")
    else:
        (copied / "index.html").unlink()
    tables = [f"tables/{COMPARED}{end}" for end in (".csv", ".md", ".tex")]
    stale = {"table": ["index.html", "README.md", *tables], "readme": ["README.md"]}.get(
        changed, ["index.html"]
    )
    before = files_of(copied)
    code, out, err = call(capsys, "--results", copied, "--check")
    assert (code, out) == (1, "")
    assert files_of(copied) == before
    names = ", ".join(str(copied / name) for name in stale)
    command = f"lossbench report --results {copied}"
    assert err.strip() == f"lossbench: Out of date: {names}; `{command}` updates it."
    code, out, _ = call(capsys, "--results", copied, "--check", "--json")
    assert code == 1
    assert json.loads(out)["stale"] == [str(copied / name) for name in stale]
    if changed == "readme":  # an edit of the user is never overwritten
        assert call(capsys, "--results", copied)[0] == 1
        (copied / "README.md").unlink()
    code, out, _ = call(capsys, "--results", copied, "--json")
    assert code == 0
    assert json.loads(out) == {
        "status": "done",
        "page": str(copied / "index.html"),
        "tables": [COMPARED, SWEPT],
        "written": [str(copied / name) for name in stale],
    }
    assert call(capsys, "--results", copied, "--check")[0] == 0


def test_what_a_user_typed_is_text(tmp_path: Path) -> None:
    store = Store(tmp_path)
    made = document(EVIL, EVIL, f"lossbench compare --losses {EVIL}", "figures/compare-x.png")
    write_tables(store, "compare-x", made)
    store.figures.mkdir()
    (store.figures / "compare-x.png").write_bytes(b"a picture")
    (section,) = read_page_content(store).sections
    assert (section.document.title, section.document.command) == (EVIL, f"lossbench compare --losses {EVIL}")
    assert section.tables[0].table.rows[0][:2] == [EVIL, EVIL]
    assert main(["report", "--results", str(tmp_path)]) == 0
    page = Page(tmp_path / "index.html")
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]
    assert page.tables[0][1][:2] == [EVIL, EVIL]
    assert page.commands == [section.document.command, section.document.command]
    assert EVIL in page.headings
    assert str(page.images[0]["alt"]).endswith(EVIL)
    outside_code = (tmp_path / "README.md").read_text().replace(section.document.command, "")
    assert "<script" not in outside_code
    assert "![Features in the plane: &lt;script>" in outside_code
    assert "c](d)](figures" not in outside_code


def test_a_long_list_of_losses_is_cut_in_headings(tmp_path: Path) -> None:
    title = "Digits: " + " · ".join(f"Loss {number}" for number in range(9))
    write_tables(Store(tmp_path), "compare-x", document("Loss", title, "lossbench compare"))
    write_readme(Store(tmp_path))
    heading = "Digits: Loss 0 · Loss 1 · Loss 2 and 6 more"
    assert read_page_content(Store(tmp_path)).sections[0].heading == heading
    assert f"## {heading}\n" in (tmp_path / "README.md").read_text()


def test_a_section_shows_the_files_that_its_document_lists(tmp_path: Path) -> None:
    """Whatever they are called; a picture in several formats once, one that was deleted not at all."""
    store = Store(tmp_path)
    files = ["figures/x.svg", "figures/x.png", "figures/x.pdf", "figures/deleted.png"]
    write_tables(store, "compare-a", document("A", "A", "lossbench compare", *files))
    write_tables(store, "compare-a-mnist", document("A", "A", "lossbench compare", "figures/compare-a.png"))
    store.figures.mkdir()
    for name in (*files[:3], "figures/compare-a.png", "figures/compare-a-forest.png", "figures/film.mp4"):
        (tmp_path / name).write_bytes(b"a picture")
    shown = read_page_content(store)
    assert {s.name: [(p.path, p.formats) for p in s.pictures] for s in shown.sections} == {
        "compare-a": [("figures/x.png", ("figures/x.svg", "figures/x.pdf"))],
        "compare-a-mnist": [("figures/compare-a.png", ())],
    }
    assert [picture.path for picture in shown.pictures] == ["figures/compare-a-forest.png"], "listed nowhere"
    assert [link.path for link in shown.links] == ["figures/film.mp4"]


def test_the_caption_says_whose_features_they_are(folder: Path) -> None:
    (section, _) = read_page_content(Store(folder)).sections
    features, forest = section.pictures
    assert features.caption.endswith(" · Digits · seed 1")
    assert forest.caption == "Paired differences to a baseline, one row per loss · Digits · seeds 1, 2"


def test_figures_drawn_alone_are_shown_with_what_they_are(copied: Path) -> None:
    for form in ("png", "svg"):
        assert main(["plot", "confusion", "--format", form, "--results", str(copied)]) == 0
    assert main(["plot", "features", "--split", "test", "--results", str(copied)]) == 0
    confusion, features = sorted(read_page_content(Store(copied)).pictures, key=lambda picture: picture.path)
    assert confusion.caption.startswith("Confusion matrix")
    assert [Path(path).suffix for path in confusion.formats] == [".svg"]
    assert "split test" in features.caption
    assert main(["report", "--results", str(copied)]) == 0
    assert "Confusion matrix" in (copied / "README.md").read_text()


def test_two_commands_that_write_at_once_both_stand_in_the_readme(tmp_path: Path, monkeypatch: Any) -> None:
    """The second writes its document and the README after the first has read, and before it writes."""
    store = Store(tmp_path)
    write_tables(store, "compare-a", document("A", "A", "lossbench compare a"))
    whole, calls = results_page.write_generated, []

    def late(path: Path, content: bytes) -> None:
        calls.append(path)
        if len(calls) == 1:
            write_tables(store, "compare-b", document("B", "B", "lossbench compare b"))
            write_readme(store)
        whole(path, content)

    monkeypatch.setattr(results_page, "write_generated", late)
    write_readme(store)
    assert len(calls) == 3
    text = (tmp_path / "README.md").read_text()
    assert "lossbench compare a" in text
    assert "lossbench compare b" in text


def test_without_tables_there_is_a_sentence(tmp_path: Path, capsys: Capture) -> None:
    code, out, err = call(capsys, "--results", tmp_path, "--json")
    assert (code, json.loads(out)["exit_code"]) == (1, 1)
    assert err.strip() == (
        f"lossbench: There is no table in {tmp_path / 'tables'}; "
        f"`lossbench compare --results {tmp_path}` or `sweep` makes one."
    )
    assert not list(tmp_path.iterdir())


def test_filters_choose_the_tables_and_figures_of_a_page_of_their_own(copied: Path, capsys: Capture) -> None:
    before = {name: (copied / name).read_bytes() for name in ("index.html", "README.md")}
    for options, tables in (
        (["--loss", "softmax"], [COMPARED]),
        (["--loss", "center"], [COMPARED, SWEPT]),
        (["--loss", "center", "--lambda", "0.1"], [SWEPT]),
        (["--seed", "2"], [COMPARED]),
        (["--dataset", "digits"], [COMPARED, SWEPT]),
    ):
        code, out, err = call(capsys, "--results", copied, *options, "--json")
        assert code == 0, err
        found = json.loads(out)
        assert found["tables"] == tables, options
        assert Path(found["page"]).name not in before
    assert {name: (copied / name).read_bytes() for name in before} == before
    code, _, err = call(capsys, "--results", copied, "--loss", "arcface")
    assert code == 1 and "no table of such runs" in err
    code, _, err = call(capsys, "--results", copied, "--loss", "sofmax")
    assert code == 2 and "did you mean softmax" in err


def test_a_damaged_file_is_a_sentence(copied: Path, capsys: Capture) -> None:
    (copied / "tables" / f"{COMPARED}.json").write_text("{")
    code, _, err = call(capsys, "--results", copied)
    assert code == 1
    assert f"{COMPARED}.json" in err


def test_the_pages_of_this_repository_are_those_of_its_documents() -> None:
    store = Store(Path(__file__).parents[2] / "results" / "published")
    assert (store.root / "README.md").read_bytes() == markdown_page(read_page_content(store))
    for path in store.tables.glob("*.json"):
        made = read_documents(store)[path.stem]
        assert path.with_suffix(".md").read_text(encoding="utf-8") == markdown(made)
        assert path.with_suffix(".csv").read_bytes() == results_csv(made.settings)
