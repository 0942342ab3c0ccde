"""Tables of text: nothing that a user can type breaks out of its cell."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.specs import setting_text
from lossbench.tables import (
    Table,
    code,
    counted,
    csv_bytes,
    fit_columns,
    is_number,
    latex,
    number_text,
    p_value_text,
    to_latex,
    to_markdown,
)

FUZZ = settings(max_examples=300, deadline=None, database=None)
SETTINGS = ["m = 0.3", "(m1 = −1)", "λ = 1e-05,", "s = 16.", "min = 2", "m = 0.3.4", "k = 2x", "m = s = 1"]
HARD = st.text(alphabet=st.sampled_from("\\{}$&%#_^~|<>[]*`-\n\r\t ab1±λ−–"), max_size=12)
TYPED = st.one_of(
    st.text(max_size=30), HARD, st.lists(st.one_of(HARD, st.sampled_from(SETTINGS))).map(" ".join)
)
ESCAPES = {
    r"\\([&%$#_{}])": r"\1",
    r"\\textbackslash\{\}": r"\\",
    r"\\textasciitilde\{\}": "~",
    r"\\textasciicircum\{\}": "^",
    r"\$([<>|])\$": r"\1",
    r"\{([\[*])\}": r"\1",
    r"\$\\pm\$": "±",
    r"\$\\lambda\$": "λ",
    r"\$\\alpha\$": "α",
    r"\$\\gamma\$": "γ",
    r"\$\\le\$": "≤",
    r"\$-\$": "−",
}
FORMULA = r"\$(\\lambda|\\alpha|\\gamma|\w)(?:_(\d))? = (-?[\d.]+)(?:\\mathrm\{e\}\{([+-])\}(\d+))?\$"
ESCAPE = re.compile("|".join([*ESCAPES, FORMULA]))


def one_line(text: str) -> str:
    return "".join(" " if unicodedata.category(letter) in ("Cc", "Zl", "Zp") else letter for letter in text)


def unescaped(text: str) -> str:
    """What LaTeX prints, read from left to right by the rules above."""

    def one(match: re.Match[str]) -> str:
        for pattern, printed in ESCAPES.items():
            if found := re.fullmatch(pattern, match[0]):
                return found.expand(printed)
        letter, index, number, sign, exponent = re.fullmatch(FORMULA, match[0]).groups()  # type: ignore[union-attr]
        letter = {r"\lambda": "λ", r"\alpha": "α", r"\gamma": "γ"}.get(letter, letter)
        return f"{letter}{index or ''} = {number}" + (f"e{sign}{exponent}" if sign else "")

    return ESCAPE.sub(one, text)


@FUZZ
@given(TYPED)
def test_a_latex_cell_is_balanced_and_has_no_bare_special(text: str) -> None:
    cell = latex(text)
    assert not set(ESCAPE.sub("", cell)) & set("\\{}$&%#_^~|<>[*")
    depth = 0
    for brace in re.sub(r"\\[{}]", "", cell):
        depth += {"{": 1, "}": -1}.get(brace, 0)
        assert depth >= 0
    assert depth == 0
    assert len((cell + "x").splitlines()) == 1
    expected = one_line(text).replace("–", "--").replace("−", "-")
    assert unescaped(cell).replace("−", "-") == expected, "nothing typed is lost"


def cells(line: str) -> list[str]:
    """The cells of a Markdown line, split where a bar is not escaped."""
    parts, escaped = [""], False
    for letter in line:
        if letter == "|" and not escaped:
            parts.append("")
        else:
            parts[-1] += letter
        escaped = letter == "\\" and not escaped
    assert (parts[0], parts[-1]) == ("", "")
    return [part[1:-1] for part in parts[1:-1]]


@FUZZ
@given(st.lists(st.tuples(TYPED, TYPED), max_size=3))
def test_a_markdown_table_keeps_its_shape(rows: list[tuple[str, str]]) -> None:
    lines = to_markdown(Table(["a", "b"], [list(row) for row in rows])).splitlines()
    assert len(lines) == 2 + len(rows)
    for line, row in zip(lines[2:], rows, strict=True):
        found = cells(line)
        assert len(found) == 2
        for cell, text in zip(found, row, strict=True):
            assert "<" not in cell
            assert re.sub(r"\\([\\|])", r"\1", cell) == one_line(text).replace("<", "&lt;")


@FUZZ
@given(st.text(alphabet="`a \n"))
def test_a_command_cannot_end_its_markdown_code(text: str) -> None:
    shown = code(text)
    fence = re.match("`+", shown)[0]  # type: ignore[index]
    assert shown.endswith(fence)
    assert fence not in shown[len(fence) : -len(fence)]
    assert "\n" not in shown
    assert code("lossbench compare") == "`lossbench compare`"


@FUZZ
@given(st.lists(st.lists(st.one_of(TYPED, st.floats(allow_nan=False)), min_size=2, max_size=2), max_size=4))
def test_csv_parses_back(lines: list[list[str | float]]) -> None:
    found = list(csv.reader(io.StringIO(csv_bytes(lines).decode(), newline="")))
    assert found == [[one_line(str(value)) for value in line] for line in lines]
    numbers = [value for line in lines for value in line if isinstance(value, float)]
    texts = [text for line, shown in zip(lines, found, strict=True) for text in zip(line, shown, strict=True)]
    assert [float(text) for value, text in texts if isinstance(value, float)] == numbers


NUMBERS = [["1", "−0.13 ± 0.02", "< 0.001", "5 (1 failed)"], ["12", "–", "0.500 ± 0.002", "4 of 5"]]
TABLE = Table(["runs", "difference", "p", "seeds", "loss"], [[*row, "1-NN"] for row in NUMBERS])


def test_numbers_stand_to_the_right() -> None:
    assert to_markdown(TABLE).splitlines()[1] == "| ---: | ---: | ---: | ---: | --- |"
    assert r"\begin{tabular}{rrrrl}" in to_latex(TABLE, "caption", "tab:a")


@pytest.mark.parametrize(
    "text",
    ["", "–", "1", "1,234", "−0.5", "+0.12 ± 0.03", "98.92 ± 0.08", "0 / 1", "< 0.001", "1e-05", "2 of 3"],
)
def test_what_is_a_number(text: str) -> None:
    assert is_number(text)


@pytest.mark.parametrize("text", ["a", "1-NN", "3D", "Softmax", "λ = 1", "–1–", "2e", "better", "128-64"])
def test_what_is_none(text: str) -> None:
    assert not is_number(text)


def test_numbers_as_text() -> None:
    assert number_text(1.005, 1, signed=True) == "+1.0"
    assert number_text(-0.25, 2) == "−0.25"
    assert number_text(math.nan, 2) == "–"
    assert p_value_text(0.03125) == "0.031"
    assert p_value_text(0.00049) == "< 0.001"
    assert p_value_text(math.nan) == "–"
    assert p_value_text(0.2, 0.0013) == "0.200 ± 0.001"


def test_a_latex_table_line_by_line() -> None:
    table = Table(["loss", "test (%)"], [["a_b & c", "98.92 ± 0.08"], ["[2pt] *", "−1"]])
    assert to_latex(table, "50 % of {it}", "tab:x", "made\nhere").splitlines() == [
        "% made here",
        r"\begin{table}",
        r"  \providecommand{\toprule}{\hline}\providecommand{\midrule}{\hline}"
        r"\providecommand{\bottomrule}{\hline}",
        r"  \centering\scriptsize\setlength{\tabcolsep}{3pt}",
        r"  \caption{50 \% of \{it\}}",
        r"  \label{tab:x}",
        r"  \begin{tabular}{lr}",
        r"    \toprule",
        r"    loss & test (\%) \\",
        r"    \midrule",
        r"    a\_b \& c & 98.92 $\pm$ 0.08 \\",
        r"    {[}2pt] {*} & $-$1 \\",
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("ArcFace (m = 0.3, s = 16)", "ArcFace ($m = 0.3$, $s = 16$)"),
        ("λ = 1e-05, m1 = −1", r"$\lambda = 1\mathrm{e}{-}05$, $m_1 = -1$"),
        (setting_text("lambda_min", 0.5) + ", form = v1", r"$\lambda$ min = 0.5, form = v1"),
    ],
)
def test_settings_are_formulas_in_latex(text: str, printed: str) -> None:
    assert latex(text) == printed


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("sigma", r"$\sigma = 0.5$"),
        ("lambda_g", r"$\lambda$\_g = 0.5"),  # not lambda and g
        ("_m1", r"\_m1 = 0.5"),
        ("margin", "$m = 0.5$"),
        ("t", "$t = 0.5$"),
    ],
)
def test_no_part_of_a_name_is_taken_for_a_symbol(name: str, printed: str) -> None:
    """Also where a narrow column divides the settings of a loss."""
    assert latex(setting_text(name, 0.5)) == printed
    texts = ", ".join(setting_text(each, 0.5) for each in (name, "exponent", name, "temperature", name))
    table = to_latex(Table(["loss", "settings"], [["x" * 60, texts]]), "", "tab:x")
    assert table.count(printed) == 3


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("package", ["", r"\usepackage{booktabs}"])
def test_latex_compiles_as_printed_and_fits_one_column(tmp_path: Path, package: str) -> None:
    if package and subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
        pytest.skip("needs the LaTeX package booktabs")
    cells = [[f"Loss {i}", "λ = 0.003, α = 0.5, s = 16"] + ["98.92 ± 0.08"] * 9 for i in range(9)]
    table = Table(["loss", "settings"] + ["unseen mAP@R (%)"] * 9, cells)
    body = to_latex(table, "A & B: 50 %", "tab:a_b", "Intel(R) 100 % _")
    text = rf"\documentclass{{article}}{package}\begin{{document}}Table~\ref{{tab:a_b}}{body}\end{{document}}"
    (tmp_path / "a.tex").write_text(text.replace("}%", "}\n%"), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "a.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout
    assert "Overfull" not in done.stdout


def test_an_empty_table_is_one() -> None:
    assert to_markdown(Table(["a"], [])).splitlines()[0] == "| a |"
    assert r"\midrule" in to_latex(Table(["a"], []), "", "tab:a")


WIDE = Table(
    ["loss", "settings", "test (%)", "val (%)", "seconds"],
    [
        ["Softmax", "", "98.92 ± 0.08", "98.50 ± 0.11", "12.5 ± 0.4"],
        ["Center", "λ = 0.003, α = 0.5", "98.99 ± 0.10", "98.61 ± 0.12", "13.1 ± 0.2"],
    ],
    optional=("seconds", "val (%)"),
)


def lines_of(table: Table) -> list[str]:
    """The lines of a table on the screen, with the frame's width between cells."""
    shown = []
    for row in (table.header, *table.rows):
        parts = [cell.split("\n") for cell in row]
        widths = [max(len(line) for line in column) for column in (c.split("\n") for c in row)]
        for i in range(max(map(len, parts))):
            cells = [part[i] if i < len(part) else "" for part in parts]
            shown.append(" │ ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)))
    return shown


@pytest.mark.parametrize(
    ("width", "left_out", "tables"),
    [
        (200, [], 1),
        (82, [], 1),
        (70, ["seconds"], 1),
        (50, ["seconds", "val (%)"], 1),
        (30, [], 2),
        (10, [], 2),
    ],
)
def test_a_narrow_table_loses_optional_columns_and_then_turns_its_rows_into_columns(
    width: int, left_out: list[str], tables: int
) -> None:
    parts, missing = fit_columns(WIDE, width)
    assert (missing, len(parts)) == (left_out, tables)
    text = "\n".join(cell for part in parts for line in (part.header, *part.rows) for cell in line)
    for number in ("98.92 ± 0.08", "98.99 ± 0.10", "λ = 0.003,", "α = 0.5"):
        assert number in text, "nothing is divided"
    if width > 10:
        assert all(len(line) + 4 <= width for part in parts for line in lines_of(part))


def test_a_single_record_is_as_narrow_as_its_numbers_allow() -> None:
    table = Table(["loss", "1-NN accuracy (%)"], [["Softmax", "29.12 [0.00, 100.00]"]])
    for width, widest in ((44, 44), (40, 40), (20, 24)):  # 20 characters and a frame of 4 at least
        ((part,), _) = fit_columns(table, width)
        assert max(len(line) + 4 for line in lines_of(part)) <= widest
        assert any("29.12 [0.00, 100.00]" in cell for cell in part.rows[0])


def test_a_record_with_a_long_id_fits_into_forty_columns() -> None:
    record = ["subcenter-arcface-0123456789", "s = 16, m = 0.3", "98.92"]
    (parts, missing) = fit_columns(Table(["run", "settings", "test (%)"], [record, record]), 40)
    assert (missing, len(parts)) == ([], 2)
    assert {len(line) + 4 <= 40 for part in parts for line in lines_of(part)} == {True}
    assert parts[0] == Table([f"run: {record[0]}"], [[f"settings: {record[1]}"], [f"test (%): {record[2]}"]])


@FUZZ
@given(st.lists(st.lists(TYPED, min_size=3, max_size=3), max_size=5), st.integers(1, 90))
def test_no_word_of_a_table_is_lost_or_divided(rows: list[list[str]], width: int) -> None:
    parts, missing = fit_columns(Table(["a", "b c", "d"], rows, ("d",)), width)
    cells = [cell for part in parts for line in (part.header, *part.rows) for cell in line]
    shown = [cell.split() for cell in cells]
    for words in list(shown):
        for count, word in enumerate(words, 1):
            if word.endswith(":"):  # `name: text` in one column
                shown += [words[count:], [*words[: count - 1], word[:-1]]]
    kept = [row[: 3 - len(missing)] for row in (["a", "b c", "d"], *rows)]
    for cell in (cell for row in kept for cell in row):
        assert one_line(cell).split() in shown


@pytest.mark.parametrize("texts", [1, 2])
def test_a_wide_latex_table_goes_on_under_its_first_columns(texts: int) -> None:
    """Each part has the columns of text before the first number, and every other column is in one part."""
    names, words = ["loss", "recipe"][:texts], ["Softmax", "default"][:texts]
    metrics = [f"m{number}" for number in range(12)]
    rows = [[*words, *(f"{number}.25 ± 0.08" for number in range(12))]]
    parts = to_latex(Table([*names, *metrics], rows), "numbers", "tab:x").split(r"\begin{table}")[1:]
    assert len(parts) > 1
    found: list[str] = []
    for number, part in enumerate(parts):
        header = next(line for line in part.splitlines() if " & " in line).replace(r" \\", "").split("&")
        heads = [word.strip() for word in header]
        assert heads[:texts] == names
        found += heads[texts:]
        assert rf"\begin{{tabular}}{{{'l' * texts}{'r' * (len(heads) - texts)}}}" in part
        assert (r"\label{tab:x}", r"\label{tab:x-2}", r"\label{tab:x-3}")[number] in part
        assert (" (continued)" in part) == (number > 0)
    assert found == metrics


def test_a_latex_table_of_numbers_goes_on_under_its_first_column() -> None:
    names = ["seed", *(f"m{number}" for number in range(12))]
    text = to_latex(Table(names, [[f"{number}.25 ± 0.08" for number in range(13)]]), "", "tab:x")
    assert text.count("seed &") == text.count(r"\begin{table}") > 1


def test_a_latex_cell_that_cannot_fit_is_whole_all_the_same() -> None:
    text = to_latex(Table(["loss", "file"], [["Softmax", "x" * 200]]), "", "tab:x")
    assert f"    Softmax & {'x' * 200} \\\\" in text.splitlines()
    assert "    loss & file \\\\" in text.splitlines()


def test_one_thing_has_a_singular_noun() -> None:
    assert [counted(n, "image") for n in (0, 1, 1000)] == ["0 images", "1 image", "1,000 images"]
