"""The language of weighted sums: what it accepts, and where it says a mistake stands."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lossbench.errors import UsageError
from lossbench.specs import catalog
from lossbench.specs.expressions import parse_sum, split_names

FUZZ = settings(max_examples=300, deadline=None, database=None)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("softmax", [("softmax", None)]),
        ("  softmax  ", [("softmax", None)]),
        ("softmax+center", [("softmax", None), ("center", None)]),
        ("softmax + 0.003*center", [("softmax", None), ("center", 0.003)]),
        ("softmax + 3e-3 * center", [("softmax", None), ("center", 0.003)]),
        ("softmax+3E-3*center", [("softmax", None), ("center", 0.003)]),
        ("softmax + .5*center", [("softmax", None), ("center", 0.5)]),
        ("2.*softmax", [("softmax", 2.0)]),
        ("1e+2*softmax", [("softmax", 100.0)]),
        ("0*softmax", [("softmax", 0.0)]),
        ("softmax\n+\t2*center", [("softmax", None), ("center", 2.0)]),
        ("l-softmax", [("l-softmax", None)]),
        ("2*contrastive-center + l-softmax", [("contrastive-center", 2.0), ("l-softmax", None)]),
        ("l2-softmax", [("l2-softmax", None)]),
        ("name-2", [("name-2", None)]),
        ("pml:TripletMarginLoss", [("pml:TripletMarginLoss", None)]),
        ("softmax + 0.5*pml:ArcFaceLoss", [("softmax", None), ("pml:ArcFaceLoss", 0.5)]),
        ("mylosses:Mine", [("mylosses:Mine", None)]),
        ("package.module_2:My_Class", [("package.module_2:My_Class", None)]),
        ("a + b + c + 4*d", [("a", None), ("b", None), ("c", None), ("d", 4.0)]),
        ("softmax + softmax", [("softmax", None), ("softmax", None)]),
    ],
)
def test_sums_are_read_as_written(text: str, terms: list[tuple[str, float | None]]) -> None:
    assert parse_sum(text) == terms


@pytest.mark.parametrize(
    ("text", "character", "expected"),
    [
        ("", 1, "a loss name or a weight"),
        ("   ", 4, "a loss name or a weight"),
        ("+ center", 1, "a loss name or a weight"),
        ("*center", 1, "a loss name or a weight"),
        ("softmax +", 10, "a loss name or a weight after '+'"),
        ("softmax + + center", 11, "a loss name or a weight after '+'"),
        ("softmax ++ center", 10, "a loss name or a weight after '+'"),
        ("softmax center", 9, "'+'"),
        ("softmax * 2", 9, "'+'"),
        ("softmax 2", 9, "'+'"),
        ("0.5", 4, "'*' after the weight"),
        ("0.5 center", 5, "'*' after the weight"),
        ("0.5 + center", 5, "'*' after the weight"),
        ("0.5*", 5, "a loss name after '*'"),
        ("0.5*2*center", 5, "a loss name after '*'"),
        ("0.5**center", 5, "a loss name after '*'"),
        ("softmax - center", 9, "a loss name, a weight, '*' or '+'"),
        ("-0.5*center", 1, "a loss name, a weight, '*' or '+'"),
        ("softmax + -0.5*center", 11, "a loss name, a weight, '*' or '+'"),
        ("softmax-", 8, "a loss name, a weight, '*' or '+'"),
        ("softmax/2", 8, "a loss name, a weight, '*' or '+'"),
        ("(softmax)", 1, "a loss name, a weight, '*' or '+'"),
        ("0.1.2*center", 1, "a loss name, a weight, '*' or '+'"),
        ("2center", 1, "a loss name, a weight, '*' or '+'"),
        ("2e*center", 1, "a loss name, a weight, '*' or '+'"),
        ("softmax,center", 8, "a loss name, a weight, '*' or '+'"),
        ("pml:", 4, "a loss name, a weight, '*' or '+'"),
        ("pml:2", 4, "a loss name, a weight, '*' or '+'"),
        (":Class", 1, "a loss name, a weight, '*' or '+'"),
        ("a:B:C", 4, "a loss name, a weight, '*' or '+'"),
        ("1e999*center", 1, "a finite weight"),
        ("softmax + 1e999*center", 11, "a finite weight"),
        ("softmax + 0.5*λ", 15, "a loss name, a weight, '*' or '+'"),
    ],
)
def test_a_mistake_is_reported_at_its_character(text: str, character: int, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sum(text)
    first, shown, caret = str(caught.value).split("\n")
    assert first == f"Loss expression, character {character}: expected {expected}."
    assert shown == f"  {text}"
    assert caret.index("^") - 2 == character - 1


def test_an_endless_expression_is_refused_at_once() -> None:
    longest = "+".join(["a"] * 500)  # 999 characters
    assert len(parse_sum(longest)) == 500
    with pytest.raises(UsageError, match="at most 1000 characters"):
        parse_sum(longest + "+a")


def _parses_or_refuses(text: str) -> None:
    message, terms = "", []
    try:
        terms = parse_sum(text)
    except UsageError as error:
        message = str(error)
    if message:
        place = re.match(r"Loss expression, character (\d+): expected ", message)
        assert place
        assert 1 <= int(place[1]) <= len(text) + 1
    else:
        assert terms
    for name, weight in terms:
        aliases = catalog.spec("losses", name).aliases if name in catalog.names("losses") else ()
        assert any(word in text for word in (name, *aliases))
        assert weight is None or 0 <= weight < float("inf")


@FUZZ
@given(st.text(max_size=60))
def test_any_text_parses_or_is_refused(text: str) -> None:
    _parses_or_refuses(text)


@FUZZ
@given(
    st.lists(
        st.sampled_from(
            [
                "softmax",
                "l-softmax",
                "pml:A",
                "m.n:B",
                "+",
                "*",
                "-",
                ".",
                ":",
                "2",
                "0.5",
                "1e",
                "e-3",
                " ",
                "\t",
            ]
            + ["9" * 400, "٣", "²", "λ", "_", "inf", "nan", "\x1c", "\u2003", "\0"]
        ),
        max_size=12,
    ).map(lambda pieces: "".join(pieces)[:1000])
)
def test_any_mixture_of_pieces_parses_or_is_refused(text: str) -> None:
    _parses_or_refuses(text)


_WORD = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
_NAME = st.one_of(
    st.lists(_WORD, min_size=1, max_size=3).map("-".join),
    _WORD.map("pml:{}".format),
    st.lists(_WORD, min_size=2, max_size=3).map(lambda words: ".".join(words[:-1]) + ":" + words[-1]),
)
_WEIGHT = st.one_of(st.none(), st.floats(0, allow_infinity=False, allow_nan=False).map(abs))


@FUZZ
@given(st.lists(st.tuples(_NAME, _WEIGHT), min_size=1, max_size=6), st.sampled_from(["", " ", "  "]))
def test_what_is_written_out_is_read_back(terms: list[tuple[str, float | None]], space: str) -> None:
    written = [name if weight is None else f"{weight!r}{space}*{space}{name}" for name, weight in terms]
    assert parse_sum(f"{space}+{space}".join(written)) == terms


def test_names_may_have_spaces_around_them() -> None:
    assert split_names(" softmax , center,arcface ") == ["softmax", "center", "arcface"]
