"""A file that lossbench did not write is never replaced; its own files are, also those of earlier versions."""

from __future__ import annotations

import contextlib
import itertools
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.errors import ForeignFile
from lossbench.reports import generated_files
from lossbench.reports.generated_files import check_generated, write_with_document

Capture = pytest.CaptureFixture[str]
QUICK = ["--dataset", "digits", "--epochs", "1", "--batch-size", "256", "--device", "cpu"]
COMPARE = ["compare", "--losses", "softmax,center", *QUICK, "--snapshots", "2"]
PUBLISHED = Path(__file__).parents[2] / "results" / "published"
OLD_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{}</title>
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    assert main([*COMPARE, "--results", str(folder)]) == 0
    return folder


@pytest.fixture
def folder(compared: Path, tmp_path: Path) -> Path:
    shutil.copytree(compared, tmp_path / "results")
    return tmp_path / "results"


def test_compare_and_sweep_leave_a_readme_of_the_user(folder: Path, capsys: Capture) -> None:
    """`--results .` in a project: tables and figures are written, its README stays."""
    readme = folder / "README.md"
    for words in (COMPARE, ["sweep", "--loss", "center", "--lambda", "0.1,1", *QUICK]):
        readme.write_text("# My project\nIt compares losses with lossbench.\n")
        shutil.rmtree(folder / "tables")
        assert main([*words, "--results", str(folder)]) == 0
        said = capsys.readouterr().err
        assert f"warning: {readme} is not a file of lossbench and is not replaced" in said
        assert readme.read_text() == "# My project\nIt compares losses with lossbench.\n"
        assert len(list((folder / "tables").glob(f"{words[0]}-*"))) >= 4


@pytest.mark.parametrize("name", ["README.md", "index.html"])
def test_report_refuses_and_writes_nothing(folder: Path, capsys: Capture, tmp_path: Path, name: str) -> None:
    (folder / "README.md").unlink()
    (folder / name).write_text("<title>Results of lossbench</title> mine")
    assert main(["report", "--results", str(folder)]) == 1
    assert capsys.readouterr().err.strip() == (
        f"lossbench: {folder / name} is not a file of lossbench and is not replaced; move it, or choose another "
        "place with --output or --results."
    )
    assert (folder / name).read_text() == "<title>Results of lossbench</title> mine"
    assert {path.name for path in folder.iterdir()} & {"README.md", "index.html"} == {name}
    assert main(["report", "--results", str(folder), "--output", str(tmp_path / "page.html")]) == 0


@pytest.mark.parametrize(
    "words, name",
    [
        (["plot", "leaderboard"], "a.png"),
        (["plot", "leaderboard"], "a.svg"),
        (["plot", "leaderboard"], "a.pdf"),
        (["animate"], "a.gif"),
        (["explore"], "a.html"),
        (["report"], "page"),
    ],
)
def test_output_replaces_only_what_lossbench_wrote(
    folder: Path, tmp_path: Path, capsys: Capture, words: list[str], name: str
) -> None:
    path = tmp_path / name
    where = ["--results", str(folder), "--output", str(path)]
    path.mkdir()
    assert main([*words, *where]) == 1
    assert capsys.readouterr().err == f"lossbench: {path} is a folder, not a file.\n"
    path.rmdir()
    path.write_bytes(b"a thesis")
    assert main([*words, *where]) == 1
    assert f"{path} is not a file of lossbench" in capsys.readouterr().err
    assert path.read_bytes() == b"a thesis"
    below = ["--results", str(folder), "--output", str(path / name)]
    assert main([*words, *below]) == 1
    assert capsys.readouterr().err == f"lossbench: {path} is not a folder.\n"
    path.write_bytes(b"")  # as mktemp leaves it
    for _ in range(2):  # then its own
        assert main([*words, *where]) == 0
    assert len(path.read_bytes()) > 500


def test_a_figure_of_the_user_stays_and_the_table_is_written(folder: Path, capsys: Capture) -> None:
    figure = folder / "figures" / "compare-softmax-center-digits.png"
    figure.write_bytes(b"mine")
    assert main([*COMPARE, "--results", str(folder)]) == 1
    said = capsys.readouterr()
    assert f"lossbench: {figure} is not a file of lossbench" in said.err
    assert "Softmax" in said.out
    assert figure.read_bytes() == b"mine"


@pytest.mark.parametrize("end", [".csv", ".md", ".tex"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_table_of_the_user_stays_and_the_new_one_is_printed(
    folder: Path, capsys: Capture, end: str, alone: bool
) -> None:
    """Without a document beside it, and one that was edited."""
    name = "compare-softmax-center-digits"
    table = folder / "tables" / f"{name}{end}"
    if alone:
        (folder / "tables" / f"{name}.json").unlink()
    table.write_text("mine")
    assert main([*COMPARE, "--results", str(folder)]) == 1
    said = capsys.readouterr()
    reason = "is not a file of lossbench" if alone else "was changed since lossbench wrote it"
    assert f"{table} {reason} and is not replaced" in said.err
    assert "Softmax" in said.out
    assert table.read_text() == "mine"


def test_tables_that_a_killed_command_wrote_are_replaced(folder: Path, capsys: Capture) -> None:
    (folder / "tables" / "compare-softmax-center-digits.json").unlink()
    assert main([*COMPARE, "--results", str(folder)]) == 0


@pytest.mark.parametrize("where", ["inside", "after", "line ends"])
def test_an_edited_page_is_not_overwritten(folder: Path, capsys: Capture, where: str) -> None:
    assert main(["report", "--results", str(folder)]) == 0
    assert main(["explore", "--results", str(folder), "--output", str(folder / "e.html")]) == 0
    pages = {name: folder / name for name in ("README.md", "index.html", "e.html")}
    for path in pages.values():
        text = path.read_bytes()
        middle = len(text) // 2
        changed = {
            "inside": text[:middle] + b"My r" + text[middle + 1 :],
            "after": text + b"And a note.\n",
            "line ends": text.replace(b"\n", b"\r\n"),  # as git may check it out
        }[where]
        path.write_bytes(changed)
        capsys.readouterr()
        words = ["explore", "--output", str(path)] if path.name == "e.html" else ["report"]
        code, kept = main([*words, "--results", str(folder)]), path.read_bytes() == changed
        if where == "line ends":
            assert code == 0  # the page is the same, and may stay as it is
        else:
            assert (code, kept) == (1, True)
            assert f"{path} was changed since lossbench wrote it" in capsys.readouterr().err
        path.write_bytes(text)


def test_a_picture_edited_by_the_user_stays(folder: Path) -> None:
    """Also with the document of the figure beside it."""
    path = folder / "figures" / "a.png"
    plot = ["plot", "leaderboard", "--results", str(folder), "--output", str(path)]
    assert main(plot) == 0
    path.write_bytes(path.read_bytes().replace(b"Software\0lossbench", b"Software\0an editor"))
    assert main(plot) == 1


@pytest.mark.parametrize("content", ['{"mine": 1}', "[1]", "no JSON"])
def test_a_json_file_of_the_user_stays(folder: Path, content: str) -> None:
    table = folder / "tables" / "compare-softmax-center-digits.json"
    beside = folder / "figures" / "a.png.json"
    for path in (table, beside):
        path.write_text(content)
    assert main([*COMPARE, "--results", str(folder)]) == 1
    assert (
        main(["plot", "leaderboard", "--results", str(folder), "--output", str(beside.with_suffix(""))]) == 1
    )
    assert table.read_text() == beside.read_text() == content


def test_published_files_are_recognised(tmp_path: Path) -> None:
    """They were written by earlier versions."""
    kinds = set()
    for path in [PUBLISHED / "README.md", *(PUBLISHED / "figures").glob("*.[!j]*")]:
        if path.suffix != ".json":
            copied = tmp_path / path.name  # no document beside it
            shutil.copy(path, copied)
            check_generated(copied)
            kinds.add(path.suffix)
    assert kinds >= {".md", ".png", ".gif"}
    for title in ("Results of lossbench", "Softmax, Center · lossbench explore"):
        (tmp_path / "page.html").write_text(OLD_PAGE.format(title), encoding="utf-8")
        check_generated(tmp_path / "page.html")
    for name in ("page.html", "README.md", "a.mp4", "a.png"):
        (tmp_path / name).write_text("Results of lossbench: Generated by lossbench")
        with pytest.raises(ForeignFile):
            check_generated(tmp_path / name)
    (tmp_path / "a.mp4.json").write_text(json.dumps({"command": "lossbench animate"}))
    check_generated(tmp_path / "a.mp4")


TABLES = [{"a.csv": f"{word}\n".encode(), "a.md": f"# {word}\n".encode()} for word in ("one", "two", "three")]


@pytest.mark.parametrize("written", range(5))
@pytest.mark.parametrize("first", [[], TABLES[:1]])
def test_tables_of_a_killed_command_are_replaced_by_those_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: list[dict[str, bytes]], written: int
) -> None:
    """It was killed after so many files; the next one has other seeds, so that all of its files differ."""
    path, data = tmp_path / "a.json", {"command": "lossbench compare"}
    for files in first:
        write_with_document(path, data, files)
    write, count = generated_files.write_atomically, itertools.count()

    def killed(*arguments: Any) -> None:
        if next(count) == written:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        patched.setattr(generated_files, "write_atomically", killed)
        write_with_document(path, data, TABLES[1])
    write_with_document(path, data, TABLES[2])
    assert {name: (tmp_path / name).read_bytes() for name in TABLES[2]} == TABLES[2]
    assert set(json.loads(path.read_text())) == {"command", "digests"}
    (tmp_path / "a.md").write_text("mine")
    with pytest.raises(ForeignFile):
        write_with_document(path, data, TABLES[0])


def test_commands_that_write_the_same_tables_at_once(tmp_path: Path) -> None:
    path, data = tmp_path / "a.json", {"command": "lossbench compare"}
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda files: write_with_document(path, data, files), TABLES * 10))
    write_with_document(path, data, TABLES[0])
