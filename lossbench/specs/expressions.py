"""What a user writes as one text: weighted sums of losses, `softmax + triplet + 0.0005*center`, and lists.

    sum    = term ("+" term)*
    term   = [number "*"] name
    name   = a catalogue name or alias, `pml:Name` or `package.module:Class`

A syntax mistake is reported with the place where it stands.
"""

import math
import re

from ..errors import UsageError
from . import catalog

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?P<name>[A-Za-z_][\w.]*(?:-[A-Za-z_0-9][\w.]*)*(?::[A-Za-z_]\w*)?)"
    r"|(?P<sign>[+*]))"
)
_MAX_LENGTH = 1000


def parse_sum(text: str) -> list[tuple[str, float | None]]:
    """The terms of `text` as (name, weight): the name canonical, the weight None where none is written.

    Raises UsageError with the offending place for anything that is not such a sum.
    """
    if len(text) > _MAX_LENGTH:
        raise UsageError(f"A loss expression has at most {_MAX_LENGTH} characters.")
    tokens = _tokens(text)
    terms: list[tuple[str, float | None]] = []
    expected = "a loss name or a weight"
    weight: float | None = None
    state = "term"
    for kind, value, place in tokens:
        if state == "term" and kind == "number":
            weight, state, expected = float(value), "times", "'*' after the weight"
            if not math.isfinite(weight):
                raise _mistake(text, place, "a finite weight")
        elif state == "times" and value == "*":
            state, expected = "name", "a loss name after '*'"
        elif state in ("term", "name") and kind == "name":
            terms.append((catalog.canonical(value), weight))
            weight, state, expected = None, "plus", "'+'"
        elif state == "plus" and value == "+":
            state, expected = "term", "a loss name or a weight after '+'"
        else:
            raise _mistake(text, place, expected)
    if state != "plus":
        raise _mistake(text, len(text), expected)
    return terms


def split_names(text: str) -> list[str]:
    """Names, or other words, that are separated by commas, without the blanks around them."""
    return [name.strip() for name in text.split(",")]


def canonical_sum(text: str) -> str:
    """The same text with the canonical name of each loss. Raises UsageError for what no sum can hold."""
    for kind, value, place in reversed(_tokens(text)):
        if kind == "name":
            text = text[:place] + catalog.canonical(value) + text[place + len(value) :]
    return text


def _tokens(text: str) -> list[tuple[str, str, int]]:
    tokens, place = [], 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise _mistake(text, start, "a loss name, a weight, '*' or '+'")
        kind = str(match.lastgroup)
        tokens.append((kind, match[kind], match.start(kind)))
        place = match.end()
    return tokens


def _mistake(text: str, place: int, expected: str) -> UsageError:
    return UsageError(
        f"Loss expression, character {place + 1}: expected {expected}.\n  {text}\n  {' ' * place}^"
    )
