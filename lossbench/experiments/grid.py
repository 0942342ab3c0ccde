"""A grid of runs: from lists and ranges of values to configs."""

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from ..errors import UsageError
from ..runs.config import RECIPE_OPTION, RUN_OPTIONS, RunConfig, loss_spec
from ..runs.config_builder import config_at
from ..runs.loss_terms import lambda_target, term_names
from ..specs import Value, catalog
from ..specs.expressions import parse_sum

Axes = Mapping[str, Sequence[Value]]
"""The values of `lambda`, of fields of RunConfig and of settings as in `--set`, by name."""
Item = TypeVar("Item")

MAX_RUNS = 10_000
_RANGE = re.compile(r"(?P<low>[^:]+):(?P<high>[^:]+):(?P<kind>lin|log):(?P<count>\d{1,9})")
_INTEGERS = re.compile(r"(\d{1,12})-(\d{1,12})")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,60}")
_NUMBER = re.compile(r"[+-]?(\d{1,40}\.?\d{0,40}|\.\d{1,40})([eE][+-]?\d{1,3})?")


def parse_values(option: str, text: str) -> tuple[Value, ...]:
    """The values of `0,0.1`, `1e-4:1e-1:log:7`, `0.1:0.9:lin:5`, or words like `hard,all`, in order.

    Raises UsageError naming the option.
    """
    values: list[Value] = []
    for item in text.split(","):
        item = item.strip()
        if match := _RANGE.fullmatch(item):
            values += _range(option, item, match)
        elif _NUMBER.fullmatch(item) or _WORD.fullmatch(item):
            values.append(_value(item))
        elif item:
            raise UsageError(f"{option} {item[:40]} is neither a number, a range nor a word.")
        else:
            raise UsageError(f"{option} {text}: there is an empty value in the list.")
    return _distinct(option, text, values)


def parse_seeds(text: str, option: str = "--seeds") -> tuple[int, ...]:
    """The seeds of `0-4` or `0,3,5-7`. Raises UsageError for anything else, also for `3-1`."""
    seeds: list[int] = []
    for item in text.split(","):
        item = item.strip()
        if match := _INTEGERS.fullmatch(item):
            low, high = int(match[1]), int(match[2])
            if low > high:
                raise UsageError(f"{option} {text}: {low} is above {high}.")
            if high - low >= MAX_RUNS:
                raise UsageError(f"{option} {text}: at most {MAX_RUNS} seeds.")
            seeds += range(low, high + 1)
        elif re.fullmatch(r"[0-9]{1,12}", item):
            seeds.append(int(item))
        else:
            raise UsageError(f"{option} {text}: '{item}' is neither a seed nor a range like 0-4.")
    return _distinct(option, text, seeds)


def _value(item: str) -> Value:
    if not _NUMBER.fullmatch(item):
        return item
    return int(item) if re.fullmatch(r"[+-]?\d+", item) else float(item)


def _range(option: str, item: str, match: re.Match[str]) -> list[Value]:
    low, high, count = _value(match["low"].strip()), _value(match["high"].strip()), int(match["count"])
    if isinstance(low, str) or isinstance(high, str):
        raise UsageError(f"{option} {item}: a range goes from number to number, like 1e-4:1e-1:log:7.")
    if not low < high or not math.isfinite(high - low):
        raise UsageError(f"{option} {item}: a range rises from a number to a larger one.")
    if not 2 <= count <= MAX_RUNS:
        raise UsageError(f"{option} {item}: a range has at least 2 and at most {MAX_RUNS} values.")
    logarithmic = match["kind"] == "log"
    if logarithmic and low <= 0:
        raise UsageError(f"{option} {item}: a logarithmic range starts above 0.")
    start, end = (math.log10(low), math.log10(high)) if logarithmic else (float(low), float(high))
    points = [start + (end - start) * i / (count - 1) for i in range(count)]
    # twelve digits: 1e-3 stays 0.001, and the same point written out is the same run
    return [float(f"{10**point if logarithmic else point:.12g}") for point in points]


def _distinct(option: str, text: str, values: Sequence[Item]) -> tuple[Item, ...]:
    if len(values) > MAX_RUNS:
        raise UsageError(f"{option} {text}: at most {MAX_RUNS} values.")
    return tuple(dict.fromkeys(values))


def expand(loss: str, axes: Axes) -> list[RunConfig]:
    """The configs of every combination of the axes; the seed varies fastest. Raises UsageError."""
    count = math.prod(len(values) for values in axes.values())
    if count > MAX_RUNS:
        raise UsageError(f"This grid has {count} runs; the limit is {MAX_RUNS}.")
    names = sorted(axes, key=lambda name: name == "seed")
    points = itertools.product(*(axes[name] for name in names))
    return list(dict.fromkeys(config_at(loss, dict(zip(names, point, strict=True))) for point in points))


def axes_by_loss(losses: Sequence[str], axes: Axes) -> dict[str, Axes]:
    """For each loss the axes that it has; `all` stands for every loss.

    Raises UsageError for an axis that none of them has.
    """
    by_loss: dict[str, Axes] = {}
    for loss in itertools.chain(*(catalog.names("losses") if each == "all" else [each] for each in losses)):
        names = {*RUN_OPTIONS, RECIPE_OPTION.name}
        for name in term_names(loss):
            names |= {key for setting in loss_spec(name).settings for key in (setting, f"{name}.{setting}")}
        if lambda_target(parse_sum(loss)) is not None:
            names.add("lambda")
        by_loss[loss] = {name: values for name, values in axes.items() if name in names}
    if unused := sorted(set(axes).difference(*by_loss.values())):
        raise UsageError(f"None of {', '.join(losses)} has a setting '{unused[0]}'.")
    return by_loss


def varied_axes(configs: Sequence[RunConfig], axes: Axes) -> dict[str, list[Value]]:
    """The axes along which the configs differ, seeds aside, with their values in order."""
    names = [name for name in axes if name not in ("seed", RECIPE_OPTION.name)]  # one recipe for all
    values = {name: list(dict.fromkeys(config.value_of(name) for config in configs)) for name in names}
    return {name: distinct for name, distinct in values.items() if len(distinct) > 1}
