"""One setting of a loss: its type, default, bounds, unit, sweep range and the paper's value."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import UsageError

Value = float | int | bool | str


SYMBOLS = {"lambda": "λ", "alpha": "α", "margin": "m", "scale": "s", "gamma": "γ"}
"""The papers' letters for settings."""


ByShape = Callable[[int, int], float]
"""A number that depends on (classes, feature dimension)."""


@dataclass(frozen=True, kw_only=True)
class HyperParameter:
    """One setting of a loss: default, bounds, unit, sweep range and the paper's value.

    `default` may depend on (C, D); its constructor argument is then None by default. `largest` and
    `smallest` are the feasible limits for (C, D): beyond them the command line warns, it does not refuse.
    """

    default: Value | ByShape
    help: str
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()
    unit: str = ""
    sweep: str = ""
    paper: str = ""
    largest: ByShape | None = None
    smallest: ByShape | None = None

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
        if math.isinf(self.low) and math.isinf(self.high):
            return "any"
        left = "(" if self.low_open or math.isinf(self.low) else "["
        right = ")" if self.high_open or math.isinf(self.high) else "]"
        ends = [f"{end:g}".replace("inf", "∞") for end in (self.low, self.high)]
        return f"{left}{ends[0]}, {ends[1]}{right}"

    def check(self, name: str, value: Value) -> Value:
        """`value` converted to this setting's type; UsageError when it is no such value or out of bounds."""
        converted = self._convert(name, value)
        if isinstance(converted, str):
            if self.choices and converted not in self.choices:
                raise UsageError(f"{name} = {value} is none of {self.bounds}.")
            return converted
        low = converted > self.low if self.low_open else converted >= self.low
        high = converted < self.high if self.high_open else converted <= self.high
        if not (low and high and math.isfinite(converted)):
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
            raise UsageError(f"{name} = {value} is not a number.") from None
        if self.type is int:
            if not number.is_integer():
                raise UsageError(f"{name} = {value} is not a whole number.")
            return int(number)
        return number


def soft_start_setting(default: float) -> HyperParameter:
    """The setting of every loss that lives on the circle, see geometry.soft_start."""
    return HyperParameter(
        default=default,
        low=0,
        high=0.5,
        help="fraction of training with free feature lengths and without margin (0: the paper's)",
        paper="0",
    )


SOFT_START = soft_start_setting(0.3)
