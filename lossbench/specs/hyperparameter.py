"""One hyper-parameter of a loss: default, bounds, unit, sweep range and the paper's value."""

import functools
import math
import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from typing import Any, ParamSpec

from ..errors import UsageError
from ..tables import GREEK
from .feasibility import largest_angular_margin, largest_cosine_margin, smallest_useful_scale

Value = float | int | bool | str
"""A value of a hyper-parameter."""

ByShape = Callable[[int, int], float]
"""A number that depends on (number of classes, feature dimension)."""

SYMBOLS = {
    "lambda": "λ",
    "alpha": "α",
    "margin": "m",
    "scale": "s",
    "gamma": "γ",
    "m1": "m1",
    "m2": "m2",
    "m3": "m3",
}
"""The papers' letters for hyper-parameters."""
_LETTERS = {"lam": "λ", **{name: letter for letter, name in GREEK.items()}}
_ENDS_IN_SYMBOL = re.compile(r"_[^\W\d_]\d?$")


def value_text(value: Value) -> str:
    """A value as people write it: `0.5`, `3`, `1e-5`, `true`, `hard`."""
    return f"{value:g}".replace("e-0", "e-") if isinstance(value, float) else str(value).lower()


def symbol(name: str) -> str:
    """A setting or an option as people write it: the papers' letter, else its words, with Greek letters.
    A name that ends in a letter alone, such as `lambda_g`, keeps its `_`: `g` would be taken for a symbol of
    its own. A loss stands before its setting: `triplet m` for `triplet.margin`."""
    loss, _, name = name.rpartition(".")
    if loss:
        return f"{loss} {symbol(name)}"
    words = "_".join(_LETTERS.get(word, word) for word in name.split("_"))
    return SYMBOLS.get(name, words if _ENDS_IN_SYMBOL.search(name) else words.replace("_", " "))


def setting_text(name: str, value: Value) -> str:
    """A setting with its value: `λ = 0.003`, `feature dim = 3`."""
    return f"{symbol(name)} = {value_text(value)}"


@dataclass(frozen=True)
class HyperParameter:
    """One hyper-parameter of a loss.

    default: a value, whose type is the type of the hyper-parameter, or a function of (C, D).
    gt, ge, lt, le: values must be greater than, at least, less than, at most this.
    sweep: the range that a sweep takes when none is given, such as `8:64:log:4`.
    paper: the value in the paper, for listings.
    largest, smallest: the feasible limits for (C, D); beyond them the command line warns, it does not refuse.
    stored_at_default: False leaves the default out of a run's stored settings, so that a hyper-parameter can
    be added to a loss without changing the ids of stored runs.
    """

    default: Value | ByShape
    help: str
    _: KW_ONLY
    gt: float = -math.inf
    ge: float = -math.inf
    lt: float = math.inf
    le: float = math.inf
    choices: tuple[str, ...] = ()
    unit: str = ""
    sweep: str = ""
    paper: str = ""
    largest: ByShape | None = None
    smallest: ByShape | None = None
    stored_at_default: bool = True

    @property
    def type(self) -> type:
        """bool, int, float or str; a default that depends on the shape is a float."""
        return float if callable(self.default) else type(self.default)

    def default_for(self, classes: int, dim: int) -> Value:
        """The default for C classes in D dimensions."""
        return self.default(classes, dim) if callable(self.default) else self.default

    @property
    def bounds(self) -> str:
        """The allowed values in mathematical notation, for listings and messages."""
        if self.choices:
            return "{" + ", ".join(self.choices) + "}"
        if self.type is bool:
            return "{true, false}"
        low = f"[{value_text(self.ge)}" if self.ge > self.gt else f"({value_text(self.gt)}"
        high = f"{value_text(self.le)}]" if self.le < self.lt else f"{value_text(self.lt)})"
        return "any" if (low, high) == ("(-inf", "inf)") else f"{low}, {high}".replace("inf", "∞")

    def check(self, name: str, value: Value) -> Value:
        """`value` converted to the type; UsageError when it is not such a value or out of bounds."""
        converted = self._convert(name, value)
        if isinstance(converted, str):
            if self.choices and converted not in self.choices:
                raise UsageError(f"{name} = {value} is not one of {self.bounds}.")
        elif not math.isfinite(converted):
            raise UsageError(f"{name} = {value} is not a finite number.")
        elif not (self.gt < converted < self.lt and self.ge <= converted <= self.le):
            raise UsageError(f"{name} = {value} is outside {self.bounds}.")
        return converted

    def _convert(self, name: str, value: Value) -> Value:
        text = str(value).strip()
        if self.type is str:
            return text
        if self.type is bool:
            if text.lower() in ("true", "false", "1", "0", "yes", "no"):
                return text.lower() in ("true", "1", "yes")
            raise UsageError(f"{name} = {value} is neither true nor false.")
        try:
            number = float(text)
        except (ValueError, OverflowError):
            raise UsageError(f"{name} = {text} is not a number.") from None
        if self.type is int:
            if not number.is_integer():
                raise UsageError(f"{name} = {value} is not a whole number.")
            return int(number)
        return number


_P = ParamSpec("_P")


def _field(constructor: Callable[_P, HyperParameter]) -> Callable[_P, Any]:
    """The constructor, typed so that `margin: float = setting(...)` is right for type checkers."""
    return constructor


setting = _field(HyperParameter)
"""A hyper-parameter as a field of a loss: `alpha: float = setting(0.5, "rate of updates", gt=0, le=1)`."""


def soft_start_setting(default: float) -> Any:
    """The hyper-parameter `soft_start`, see lossbench/losses/_soft_start.py."""
    help = "fraction of training with free feature lengths and without margin (0: the paper's)"
    return setting(default, help, ge=0, le=0.5, paper="0")


SOFT_START = soft_start_setting(0.3)


def scale_setting(
    default: Value | ByShape, help: str = "length s given to the features", *, sweep: str = "", paper: str
) -> Any:
    """A scale, at least large enough for a perfect sample to be classified with confidence."""
    return setting(default, help, gt=0, sweep=sweep, paper=paper, smallest=smallest_useful_scale)


def margin_setting(
    share: float,
    cap: float,
    help: str,
    largest: ByShape = largest_cosine_margin,
    *,
    ge: float = 0,
    le: float = 2,
    unit: str = "",
    sweep: str = "",
    paper: str,
) -> Any:
    """A margin, of cosines unless said otherwise. Its default is this share of the `largest` feasible one, at
    most `cap`."""

    def default(classes: int, dim: int) -> float:
        return round(min(cap, share * largest(classes, dim)), 3)

    return setting(default, help, ge=ge, le=le, unit=unit, sweep=sweep, paper=paper, largest=largest)


angular_margin_setting = functools.partial(
    margin_setting, largest=largest_angular_margin, le=math.pi, unit="rad"
)
"""The same of angles in radians."""
SCALE = scale_setting(lambda _, dim: max(16.0, min(64.0, 8.0 * dim)), sweep="8:64:log:4", paper="64")
"""The scale of the losses with a margin on cosines or angles."""

ANGULAR_MARGIN = angular_margin_setting(
    0.478, 0.5, "angle m added to the own class", sweep="0:0.5:lin:6", paper="0.5"
)
"""The margin of ArcFace and of what builds on it."""

COSINE_MARGIN = margin_setting(
    0.524, 0.35, "cosine m subtracted from the own class", sweep="0:0.2:lin:5", paper="0.35"
)
"""The margin of CosFace, in losses that have both kinds."""

FIXED = setting(
    False, "evenly spread class directions that are not trained", paper="false", stored_at_default=False
)
"""Whether the class weights are fixed unit vectors as far apart as possible (a simplex where D >= C - 1)."""

CLASS_COUNTS: Any = object()
"""Declares the buffer `counts` (C,) of a loss: how many training samples each class has. As an argument it is
a tensor of C numbers (default: ones); lossbench's training sets it from its training split."""

CENTER_RATE = setting(0.5, "rate of the center updates", gt=0, le=1, sweep="0.1:0.9:lin:5", paper="0.5")
"""The rate alpha of the center loss and of what builds on it."""
