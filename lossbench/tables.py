"""Tables of text, as Markdown, LaTeX and CSV; whatever a user typed cannot break out of its cell."""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

_LATEX = {letter: f"\\{letter}" for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "λ": r"$\lambda$",
    "α": r"$\alpha$",
    "γ": r"$\gamma$",
    "≤": r"$\le$",
    "−": "$-$",
    "–": "--",
    **{letter: f"${letter}$" for letter in "<>|"},
    **{letter: f"{{{letter}}}" for letter in "[*"},  # bare they are arguments of the row before: \\[2pt], \\*
}
_MARKDOWN = {"\\": "\\\\", "|": "\\|", "<": "&lt;"}
_NUMBER = re.compile(r"(< )?[+−-]?\d[\d.,]*(e[+−-]?\d+)?(?![\w-])")


class Table(NamedTuple):
    """A table ready to print: a header and rows of text, equally long."""

    header: list[str]
    rows: list[list[str]]


def to_markdown(table: Table) -> str:
    """A Markdown table; numbers to the right."""
    rule = ["---:" if numeric else "---" for numeric in numeric_columns(table)]
    lines = [list(map(_markdown, line)) for line in (table.header, *table.rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (lines[0], rule, *lines[1:]))


def code(text: str) -> str:
    """Text as Markdown's code, whatever backticks it has itself."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{_one_line(text)}{space}{fence}"


def to_latex(table: Table, caption: str) -> str:
    """A LaTeX table with the rules of the booktabs package; numbers to the right."""
    columns = "".join("r" if numeric else "l" for numeric in numeric_columns(table))
    header, *rows = [" & ".join(map(latex, line)) + r" \\" for line in (table.header, *table.rows)]
    body = [r"\toprule", header, r"\midrule", *rows, r"\bottomrule"]
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering",
            rf"  \caption{{{latex(caption)}}}",
            rf"  \begin{{tabular}}{{{columns}}}",
            *(f"    {line}" for line in body),
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def csv_bytes(lines: Iterable[Sequence[Any]]) -> bytes:
    """Lines of values as CSV, each on one line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(
        [_one_line(value) if isinstance(value, str) else value for value in line] for line in lines
    )
    return text.getvalue().encode()


def latex(text: str) -> str:
    """Text with everything that LaTeX would take as a command written out."""
    return "".join(_LATEX.get(letter, letter) for letter in _one_line(text))


def numeric_columns(table: Table) -> list[bool]:
    """For each column whether all that is below its heading are numbers."""
    return [all(is_number(row[i]) for row in table.rows) for i in range(len(table.header))]


def is_number(text: str) -> bool:
    """Whether a cell begins with a number (`< 0.001` is one), or holds a dash for none, or nothing."""
    return not text or bool(_NUMBER.match(text)) or text == "–"


def number_text(value: float, digits: int, *, signed: bool = False) -> str:
    """A number with so many digits and a true minus sign; a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def p_value_text(p: float, error: float = 0.0) -> str:
    """A p value with three digits, and its standard error where that shows; a dash for NaN."""
    if math.isnan(p):
        return "–"
    text = f"{p:.3f}" if p >= 0.0005 else "< 0.001"
    return f"{text} ± {error:.3f}" if error >= 0.0005 else text


def _markdown(text: str) -> str:
    return "".join(_MARKDOWN.get(letter, letter) for letter in _one_line(text))


def _one_line(text: str) -> str:
    """Text without line breaks and other control characters, which end a cell or cannot be printed."""
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text)
