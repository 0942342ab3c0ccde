"""Output in any encoding, to a closed stream, with brackets in it, and in a log whose colours are forced."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from lossbench.__main__ import main
from lossbench.cli import Commands
from lossbench.cli._streams import printable

QUICK = ["--dataset", "digits", "--epochs", "2", "--batch-size", "256", "--device", "cpu"]


def lossbench(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A real process whose output is a pipe; bytes outside of UTF-8 are kept."""
    return subprocess.run(
        [sys.executable, "-m", "lossbench", *map(str, words)],
        capture_output=True,
        env={**os.environ, **environment},
        encoding="utf-8",
        errors="surrogateescape",
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: Any) -> Path:
    """A results folder with brackets and colons in its path, and the comparison of two losses."""
    folder: Path = tmp_path_factory.mktemp("stored") / "a [red] :smile: [/b]"
    done = lossbench("compare", "--losses", "softmax,center", *QUICK, "--results", folder)
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stderr, "brackets and colons are no markup"
    return folder


SEVERAL = """
import json, sys
from lossbench.__main__ import main
for words in json.loads(sys.argv[1]):
    print("\\n-- next --", flush=True)
    print(main(words), file=sys.stderr)
"""


def several(commands: list[list[str]], **environment: str) -> tuple[list[str], list[str], str]:
    """Commands one after the other in one process: their outputs, their exit codes, all errors."""
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL, json.dumps(commands)],
        capture_output=True,
        env={**os.environ, **environment},
    )
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    errors = done.stderr.decode(encoding)
    outputs = done.stdout.decode(encoding).split("\n-- next --" + os.linesep)[1:]
    return outputs, [line for line in errors.splitlines() if line.isdecimal()], errors


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16"])
def test_every_encoding_prints_tables_help_and_json(stored: Path, encoding: str) -> None:
    results = ["--results", str(stored)]
    commands = [["runs", *results], ["losses", "center"], ["train", "--help"], ["runs", "--json", *results]]
    outputs, codes, errors = several([*commands, ["losses", "nöthing λ"]], PYTHONIOENCODING=encoding)
    assert "Traceback" not in errors, errors
    assert codes == ["0", "0", "0", "0", "2"]
    assert all(outputs[:4]) and not outputs[4]
    assert {document["status"] for document in json.loads(outputs[3])} == {"done"}


def test_a_table_in_ascii_stays_straight(stored: Path) -> None:
    done = lossbench(
        "compare", "--losses", "softmax,center", *QUICK, "--results", stored, PYTHONIOENCODING="ascii"
    )
    lines = [line for line in done.stdout.splitlines() if line[:1] in "|+"]
    assert "lambda = 0.003, alpha = 0.5" in done.stdout
    assert len({len(line) for line in lines}) == 1, done.stdout


def test_json_in_an_encoding_without_a_letter_is_escaped(tmp_path: Path) -> None:
    done = lossbench("losses", "nothing λ", "--json", PYTHONIOENCODING="ascii")
    assert "λ" in str(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("text", "ascii_text"),
    [
        ("λ = 0.5 ± 0.1", "lambda = 0.5 +/- 0.1"),
        ("−1 – ∞", "-1 - inf"),
        ("Ärger × 漢", "Arger x ?"),
        ("┏━┓", "+-+"),
    ],
)
def test_characters_are_spelled_out(text: str, ascii_text: str) -> None:
    assert printable(text, io.TextIOWrapper(io.BytesIO(), "ascii")) == ascii_text
    assert printable(text, io.TextIOWrapper(io.BytesIO(), "utf-8")) == text


def test_control_characters_alone_are_spelled_out() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8")
    for code in range(0x180):
        is_control = unicodedata.category(chr(code)) == "Cc" and chr(code) not in "\t\n"
        assert printable(chr(code), stream) == (f"\\x{code:02x}" if is_control else chr(code))


def test_a_name_cannot_control_the_terminal(tmp_path: Path) -> None:
    done = lossbench("runs", "--results", tmp_path / "\x1b[31mred\r\x07\x9b")
    assert "\\x1b[31mred\\x0d\\x07\\x9b" in done.stderr
    assert not {"\x1b", "\r", "\x07"} & set(done.stderr)


def test_a_file_name_that_is_no_text_is_printed(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/\xff"
    done = lossbench("runs", "--results", os.fsdecode(folder))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("closed", ["1", "0 1 2"])
def test_closed_streams_lose_the_text_and_nothing_else(stored: Path, closed: str) -> None:
    redirections = " ".join(f"{number}>&-" for number in closed.split())
    for words in (f"runs --results '{stored}'", "losses --json", "--help", "losses nothing"):
        script = f"{sys.executable} -m lossbench {words} {redirections}"
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
        assert done.returncode == (2 if words == "losses nothing" else 0), (words, done.stderr)
        assert "Error" not in done.stderr


def test_training_with_closed_streams_stores_the_run(tmp_path: Path) -> None:
    script = f"{sys.executable} -m lossbench train {' '.join(QUICK)} --results {tmp_path} >&- 2>&-"
    assert subprocess.run(["sh", "-c", script]).returncode == 0
    assert len(list(tmp_path.glob("runs/*/result.json"))) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
@pytest.mark.parametrize("words", ["losses", "losses --json"])
def test_a_full_disk_under_the_output_is_one_sentence(words: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m lossbench {words} > /dev/full"], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


HOMELESS = """
import sys
from lossbench.__main__ import main

code = main(["losses", "center"])
import matplotlib
print(matplotlib.get_cachedir(), code)
"""


def test_a_home_that_cannot_be_written_is_not_spoken_of() -> None:
    """Matplotlib would keep its settings and a list of fonts there."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("XDG_", "MPL"))}
    done = subprocess.run(
        [sys.executable, "-c", HOMELESS],
        env={**environment, "HOME": "/dev/null"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1].endswith(" 0")
    assert done.stderr == ""


@pytest.mark.parametrize("words", ["losses --quiet", "losses --json", "losses nothing --json"])
def test_a_reader_that_leaves_is_no_error(words: str) -> None:
    script = f"{sys.executable} -m lossbench {words} | true"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True)
    assert [line[:24] for line in done.stderr.splitlines()] == ["lossbench: Unknown loss "] * (
        "nothing" in words
    )


@pytest.mark.parametrize("columns", ["0", "-1", "x", "²", "", "007"])
def test_a_width_that_is_none_is_ignored(columns: str) -> None:
    done = lossbench("losses", "center", COLUMNS=columns)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Center" in done.stdout


@pytest.mark.parametrize("level", ["1", "2"])
@pytest.mark.parametrize("words", ["train --help", "losses center", "bench --help", "runs"])
def test_python_without_docstrings_or_assertions(level: str, words: str) -> None:
    done = lossbench(*words.split(), PYTHONOPTIMIZE=level)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_forced_colours_in_a_log_leave_one_line_per_epoch(tmp_path: Path) -> None:
    done = lossbench("train", *QUICK, "--results", tmp_path, FORCE_COLOR="1", NO_COLOR="", TTY_COMPATIBLE="1")
    assert [line.count("epoch") for line in done.stderr.splitlines() if "epoch" in line] == [1, 1]
    assert "\x1b[2K" not in done.stderr, "no bar is drawn over"
    assert "\r" not in done.stderr


def test_quiet_leaves_results_and_errors(stored: Path) -> None:
    words = ["compare", "--losses", "softmax,center", "--force", *QUICK, "--results", stored]
    done = lossbench(*words, "--quiet")
    assert done.stderr == ""
    assert "Center" in done.stdout
    done = lossbench("train", "--loss", "nothing", "--quiet")
    assert "Unknown loss" in done.stderr
    for command in Commands().values():
        for each in getattr(command, "commands", {"": command}).values():
            assert "--quiet" in {name for option in each.params for name in option.opts}


NOISY = """
import os
import warnings
import numpy as np

print("imported")

def data():
    print("called")
    os.write(1, b"to the descriptor")
    os.system("echo from another process")
    warnings.warn("odd values")
    values = np.random.default_rng(0).normal(size=(200, 4))
    return values, np.arange(200) % 4

def leaves():
    raise SystemExit(7)

def interrupted():
    raise KeyboardInterrupt
"""


@pytest.mark.slow  # four processes and two workers import torch
def test_what_other_code_prints_is_not_in_the_document(tmp_path: Path) -> None:
    """Also in workers; and code that leaves, or that Ctrl-C stops, gets a document, too."""
    (tmp_path / "noisy.py").write_text(NOISY)
    environment = {"PYTHONPATH": f"{Path(__file__).parents[2]}{os.pathsep}{tmp_path}"}
    quick = ["--epochs", "1", "--batch-size", "32", "--results", tmp_path / "results"]

    def document(*words: str) -> tuple[int, Any]:
        done = lossbench(*words, *quick, "--json", **environment)
        assert ("warning: odd values\n" in done.stderr) == ("noisy:data" in words)
        assert "warnings.warn" not in done.stderr or "compare" in words
        return done.returncode, json.loads(done.stdout)

    losses = ["--losses", "softmax,center", "--jobs", "2"]
    code, found = document("compare", *losses, "--dataset", "noisy:data")
    assert (code, found["status"], len(found["runs"])) == (0, "done", 2)
    code, found = document("train", "--dataset", "noisy:leaves")
    assert (code, found["status"]) == (2, "failed")
    assert "noisy:leaves cannot be used: SystemExit: 7" in found["reason"]
    code, found = document("train", "--dataset", "noisy:interrupted")
    assert (code, found["status"], found["reason"]) == (130, "interrupted", "interrupted.")


def test_a_document_reaches_a_stream_that_can_only_be_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a notebook's or a test's may be: without a descriptor, an encoding, or a terminal behind it."""

    class Kept:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> int:
            self.text += text
            return len(text)

        def flush(self) -> None:
            pass

    kept = Kept()
    monkeypatch.setattr(sys, "stdout", kept)
    assert main(["losses", "center", "--json"]) == 0
    assert json.loads(kept.text)[0]["name"] == "center"
