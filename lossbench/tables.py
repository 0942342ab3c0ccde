"""Tables of text, as Markdown, LaTeX and CSV; whatever a user typed cannot break out of its cell."""

from __future__ import annotations

import csv
import io
import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "λ": "lambda",
    "σ": "sigma", "τ": "tau",
}  # fmt: skip
"""Greek letters and their names."""
_LATEX = {letter: f"\\{letter}" for letter in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    **{letter: rf"$\{name}$" for letter, name in GREEK.items()},
    "≤": r"$\le$",
    "−": "$-$",
    "–": "--",
    **{letter: f"${letter}$" for letter in "<>|"},
    **{letter: f"{{{letter}}}" for letter in "[*"},  # bare they are arguments of the row before: \\[2pt], \\*
}
_ASSIGNMENT = re.compile(
    rf"(?<!\w)([A-Za-z{''.join(GREEK)}][0-9]? = [−-]?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]+)?)(?!\.?\w)"
)
_MARKDOWN = {"\\": "\\\\", "|": "\\|", "<": "&lt;"}
_NUMBER = re.compile(r"(< )?[+−-]?\d[\d.,]*(e[+−-]?\d+)?(?![\w-])")
_PIECE = re.compile(r"(?:< )?\S+(?: [=±] \S+)*")  # text that no line break may divide
_NARROW = 14  # characters to which a column of text is narrowed before another column is left out
_GAP = 3  # characters between two columns
_LATEX_WIDTH, _LATEX_GAP = 90, 2  # characters of 7 points in the 345 points of an article's line


class Table(NamedTuple):
    """A table ready to print: a header and rows of text, equally long.

    optional: headings of columns that are left out where there is no room for all, the first one first.
    """

    header: list[str]
    rows: list[list[str]]
    optional: Sequence[str] = ()

    def map(self, function: Callable[[str], str]) -> Table:
        """The table with a function applied to every cell and heading."""
        rows = [list(map(function, row)) for row in self.rows]
        return Table(list(map(function, self.header)), rows, list(map(function, self.optional)))

    def without(self, headings: Collection[str]) -> Table:
        """The table without the columns that have these headings."""
        kept = [i for i, heading in enumerate(self.header) if heading not in headings]
        header, *rows = ([line[i] for i in kept] for line in (self.header, *self.rows))
        return Table(header, rows, self.optional)

    def __str__(self) -> str:
        return to_markdown(self)

    def _repr_markdown_(self) -> str:  # a notebook shows it
        return str(self)


def fit_columns(table: Table, width: int) -> tuple[list[Table], list[str]]:
    """The table with line breaks in its cells, so that it is at most `width` characters wide with a frame,
    and the headings of the optional columns that were left out for that.

    No number, id or word is divided. Where that is not possible each row becomes a column, in as many tables
    as are needed, then a column of lines `name: text`; only one such column may be wider.
    """
    table = table.map(_one_line)
    optional = [heading for heading in table.optional if heading in table.header]
    for count in range(len(optional) + 1):
        narrower = table.without(optional[:count])
        broken = _break_cells((narrower.header, *narrower.rows), width)
        if broken is not None:
            return [broken], optional[:count]
    records, parts = list(table.rows), []
    while records:
        for count in range(min(len(records), max(1, width // _GAP)), 0, -1):
            lines = [list(line) for line in zip(table.header, *records[:count], strict=True)]
            broken = _break_cells(lines, width)
            if broken is not None:
                break
        parts.append(broken or _in_one_column(lines, width - 1 - _GAP))
        del records[:count]
    return parts or [table], []


def _in_one_column(lines: Sequence[Sequence[str]], width: int) -> Table:
    """A record as cells `name: text`, with line breaks where they are wider."""
    cells = []
    for name, text in lines:
        cell = f"{name}: {text}"
        if _text_width(cell) > width:
            broken = [text] if is_number(text) else break_lines(text, width)
            cell = "\n".join([*break_lines(f"{name}:", width), *broken])
        cells.append([cell])
    return Table(cells[0], cells[1:])


def _break_cells(
    lines: Sequence[Sequence[str]], width: int, gap: int = _GAP, *, narrowest: bool = False
) -> Table | None:
    """The lines, header first, with line breaks in their cells; None where they do not fit, unless they are
    to be as narrow as they can be then."""
    widths = _column_widths(lines, width - 1, gap, narrowest=narrowest)
    if widths is None:
        return None
    header, *rows = [
        ["\n".join(break_lines(text, each)) for text, each in zip(line, widths, strict=True)]
        for line in lines
    ]
    return Table(header, rows)


def _column_widths(
    lines: Sequence[Sequence[str]], width: int, gap: int, *, narrowest: bool
) -> list[int] | None:
    """Widths of the columns that fit with the gaps between them; the widest are narrowed first."""
    natural, least = [], []
    for heading, *cells in zip(*lines, strict=True):
        words = max(map(_text_width, heading.split()), default=0)
        whole = max(map(_text_width, cells), default=0)
        pieces = max((_text_width(piece) for cell in cells for piece in _PIECE.findall(cell)), default=0)
        natural.append(max(whole, _text_width(heading)))
        numeric = all(map(is_number, cells))
        narrow = 0 if narrowest else _NARROW
        least.append(max(words, whole if numeric else max(pieces, min(whole, narrow))))
    for limit in range(max(natural), -1, -1):
        widths = [min(n, max(m, limit)) for n, m in zip(natural, least, strict=True)]
        if sum(widths) + gap * len(widths) <= width:
            return widths
    return least if narrowest else None


def break_lines(text: str, width: int) -> list[str]:
    """Lines of at most `width` characters; what must stay together (`98.92 ± 0.08`) may be longer."""
    lines = [""]
    for piece in [text] if _text_width(text) <= width else _PIECE.findall(text):
        longer = f"{lines[-1]} {piece}".strip()
        if _text_width(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(piece)
    return lines


def _text_width(text: str) -> int:
    """Cells of a terminal that a text takes."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(map(bool, map(unicodedata.combining, text)))


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


def to_latex(table: Table, caption: str, label: str, comment: str = "") -> str:
    """LaTeX tables that need no package and fit one column of an article; numbers to the right.

    Columns that do not fit follow in further tables. With booktabs its rules are used.
    """
    lines = [list(line) for line in (table.map(_one_line).header, *table.map(_one_line).rows)]
    numeric = numeric_columns(table)
    keys = [*numeric, True].index(True) or 1
    blocks, start = [], keys
    while True:
        end = len(numeric)
        while (
            end > start + 1
            and _break_cells(_columns(lines, keys, start, end), _LATEX_WIDTH, _LATEX_GAP) is None
        ):
            end -= 1
        blocks.append((start, end))
        start = end
        if start >= len(numeric):
            break
    parts = ["% " + _one_line(comment)] if comment else []
    for number, (start, end) in enumerate(blocks):
        block = _columns(lines, keys, start, end)
        header, rows, _ = _break_cells(block, _LATEX_WIDTH, _LATEX_GAP) or Table(block[0], block[1:])
        columns = "".join("r" if each else "l" for each in (*numeric[:keys], *numeric[start:end]))
        more = " (continued)" if number else ""
        parts += [
            r"\begin{table}",
            r"  \providecommand{\toprule}{\hline}\providecommand{\midrule}{\hline}"
            r"\providecommand{\bottomrule}{\hline}",
            r"  \centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"  \caption{{{latex(caption + more)}}}",
            rf"  \label{{{label}{f'-{number + 1}' if number else ''}}}",
            rf"  \begin{{tabular}}{{{columns}}}",
            r"    \toprule",
            *_latex_rows(header),
            r"    \midrule",
            *(line for row in rows for line in _latex_rows(row)),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
        ]
    return "\n".join([*parts, ""])


def _columns(lines: Sequence[list[str]], keys: int, start: int, end: int) -> list[list[str]]:
    return [line[:keys] + line[start:end] for line in lines]


def _latex_rows(cells: Sequence[str]) -> list[str]:
    """A row of cells with line breaks as rows without."""
    rows = itertools.zip_longest(*(cell.split("\n") for cell in cells), fillvalue="")
    return ["    " + " & ".join(map(latex, row)) + r" \\" for row in rows]


def csv_bytes(lines: Iterable[Sequence[Any]]) -> bytes:
    """Lines of values as CSV, each on one line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(
        [_one_line(value) if isinstance(value, str) else value for value in line] for line in lines
    )
    return text.getvalue().encode()


def latex(text: str) -> str:
    """Text with everything that LaTeX would take as a command written out, and `m = 0.3` as a formula."""
    parts = _ASSIGNMENT.split(_one_line(text))  # every other one is an assignment
    parts[1::2] = map(_formula, parts[1::2])
    parts[::2] = ["".join(_LATEX.get(letter, letter) for letter in part) for part in parts[::2]]
    return "".join(parts)


def _formula(assignment: str) -> str:
    """`m1 = 1e-05`, a letter and a number, in LaTeX's mathematical mode."""
    name, number = assignment.split(" = ")
    letter, index = _LATEX.get(name[0], name[0]).strip("$"), f"_{name[1]}" if name[1:] else ""
    number = re.sub(r"e([+-])", r"\\mathrm{e}{\1}", number.replace("−", "-"))
    return f"${letter}{index} = {number}$"


def numeric_columns(table: Table) -> list[bool]:
    """For each column whether all that is below its heading are numbers, at least one of them no dash."""
    columns = [[row[i] for row in table.rows] for i in range(len(table.header))]
    return [
        all(map(is_number, column)) and not all(cell in ("", "–") for cell in column) for column in columns
    ]


def is_number(text: str) -> bool:
    """Whether a cell begins with a number (`< 0.001` is one), or holds a dash for none, or nothing."""
    return not text or bool(_NUMBER.match(text)) or text == "–"


def number_text(value: float, digits: int, *, signed: bool = False) -> str:
    """A number with `digits` decimals and a true minus sign; a dash for NaN."""
    if math.isnan(value):
        return "–"
    return f"{value:{'+' if signed else ''}.{digits}f}".replace("-", "−")


def seeds_text(seeds: Sequence[int]) -> str:
    """Rising seeds in words: 'seed 4', 'seeds 0-4', 'seeds 0, 2'; nothing for none."""
    if not seeds:
        return ""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"seeds {seeds[0]}-{seeds[-1]}"
    return f"seed{'s'[: len(seeds) - 1]} {', '.join(map(str, seeds))}"


def counted(count: int, noun: str) -> str:
    """A number with its noun: '1 epoch', '2 epochs', '1,000 images'."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def distinct(titles: Sequence[str], names: Sequence[str]) -> list[str]:
    """Each title, or the name in its place where things of other names have that title too."""
    by_title: dict[str, set[str]] = {}
    for title, name in zip(titles, names, strict=True):
        by_title.setdefault(title, set()).add(name)
    return [title if len(by_title[title]) == 1 else name for title, name in zip(titles, names, strict=True)]


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
