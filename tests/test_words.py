"""The texts of the program are made of words: a misspelt one stands nowhere else in the project."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORD = re.compile(r"[^\W\d_]{2,}")
TEXT = re.compile(r'(?<!")"(?!")((?:[^"\\\n]|\\.)*)"(?!")')  # in one line, no docstring
USED_ONCE = """
anonymous concluded deals definition enlarges guess normally omit overshoot partly warms
dress sandal trouser microseconds lamda
abcolsep criptsize etlength extasciicircum extasciitilde extbackslash idrule oprule ottomrule
arrowprops arrowstyle depthshade ecolor elinewidth frameon hashsalt inclusive mathrm ortho pivot shrinkb
stepfilled thick viridis
bal mlossbench authenticationerror builtins capital cdddb cfbb cpuexecutionprovider cpuinfo creationdate dirty
dynamicsoftmarginloss iubus junitxml manifoldloss nfkd phys possibilities rankedlistloss reflect retries rollup
smaps spawn testsuite winerror
ace ad adb bbc bea da dbf dv ea emb gl hwc iu iuf ki mid na pgm pri reg smh sz tif tls tn tsu wf wo xa ya
"""
"""English, LaTeX, matplotlib, and names of other programs and files."""


def test_no_word_of_a_text_is_misspelt() -> None:
    """A word that stands in one place only is listed above, if it is one."""
    files = [path for folder in ("lossbench", "tests", "docs") for path in (ROOT / folder).rglob("*.*")]
    kinds = (".py", ".md", ".html", ".css", ".js")
    contents = {path: path.read_text(encoding="utf-8") for path in files if path.suffix in kinds}
    contents |= {path: path.read_text(encoding="utf-8") for path in ROOT.glob("*.md")}
    contents.pop(Path(__file__))
    counts = Counter(word for content in contents.values() for word in WORD.findall(content.lower()))
    known = set(USED_ONCE.split())
    misspelt = {
        f"{path.relative_to(ROOT)}: {word}"
        for path, content in contents.items()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "lossbench")
        for text in TEXT.findall(content)
        for word in WORD.findall(text.replace("\\n", " ").lower())
        if counts[word] == 1 and word not in known
    }
    assert not misspelt
