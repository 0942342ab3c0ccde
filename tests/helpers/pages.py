"""A Markdown page under test: its marked code blocks, its generated parts, its links.

A comment above a code block says what a test does with it:

    <!-- run -->            shell lines that begin with `lossbench`; the tests run them
    <!-- check -->          shell lines that need a cluster; the tests check their options only
    <!-- python -->         Python; the tests execute it
    <!-- file: mine.py -->  a file that later blocks of the page use

A part between `<!-- generated: name -->` and `<!-- end -->` is written by the tests when UPDATE_DOCS=1 is set, and
compared by them otherwise.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))

_BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*?) -->\n)?^```\w*\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """A code block with the mark above it ('' without one)."""

    mark: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The shell commands, without comments; a backslash continues a line."""
        lines = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [command for line in lines if (command := line.partition("#")[0].strip())]


def blocks(page: Path) -> list[Block]:
    """All code blocks of the page, in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(match["mark"] or "", match["text"]) for match in _BLOCK.finditer(text)]


def check_generated(page: Path, name: str, expected: str) -> None:
    """Assert that the generated part holds the expected text; with UPDATE_DOCS=1 write it."""
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(?<=<!-- generated: {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)
    match = pattern.search(text)
    assert match, f"{page.name} has no generated part '{name}'"
    expected = expected.strip() + "\n"
    if os.environ.get("UPDATE_DOCS"):
        page.write_text(text[: match.start()] + expected + text[match.end() :], encoding="utf-8")
        return
    assert match[0] == expected, f"{page.name}: run this test with UPDATE_DOCS=1"


def links(page: Path) -> list[str]:
    """The targets of all links and pictures outside code."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    return _LINK.findall(re.sub(r"`[^`\n]*`", "", text))


def anchors(page: Path) -> set[str]:
    """The names that a link to a heading of the page can end with, as GitHub derives them."""
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    kept = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(text)]
    return {heading.strip().replace(" ", "-") for heading in kept} | set(re.findall(r'<a id="([^"]+)"', text))
