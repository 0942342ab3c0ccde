"""Many runs: from lists and ranges to configs, and from outcomes to one row per setting."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..runs.config import RunConfig, loss_spec
from ..runs.config_builder import lambda_target, make_config
from ..specs import Value
from ..specs.expressions import parse_sum

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


def parse_seeds(text: str) -> tuple[int, ...]:
    """The seeds of `0-4` or `0,3,5-7`. Raises UsageError for anything else, also for `3-1`."""
    seeds: list[int] = []
    for item in text.split(","):
        item = item.strip()
        if match := _INTEGERS.fullmatch(item):
            low, high = int(match[1]), int(match[2])
            if low > high:
                raise UsageError(f"--seeds {text}: {low} is above {high}.")
            if high - low >= MAX_RUNS:
                raise UsageError(f"--seeds {text}: at most {MAX_RUNS} seeds.")
            seeds += range(low, high + 1)
        elif re.fullmatch(r"[0-9]{1,12}", item):
            seeds.append(int(item))
        else:
            raise UsageError(f"--seeds {text}: '{item}' is neither a seed nor a range like 0-4.")
    return _distinct("--seeds", text, seeds)


def _value(item: str) -> Value:
    if not _NUMBER.fullmatch(item):
        return item
    number = float(item)
    return int(item) if re.fullmatch(r"[+-]?\d+", item) else number


def _range(option: str, item: str, match: re.Match[str]) -> list[Value]:
    ends = [_value(match["low"].strip()), _value(match["high"].strip())]
    count = int(match["count"])
    if any(isinstance(end, str) for end in ends):
        raise UsageError(f"{option} {item}: a range goes from number to number, like 1e-4:1e-1:log:7.")
    low, high = (float(end) for end in ends)
    if not 2 <= count <= MAX_RUNS or not low < high or not math.isfinite(high - low):
        raise UsageError(f"{option} {item}: a range has at least 2 values and rises.")
    if match["kind"] == "log" and low <= 0:
        raise UsageError(f"{option} {item}: a logarithmic range starts above 0.")
    for_log = match["kind"] == "log"
    start, end = (math.log10(low), math.log10(high)) if for_log else (low, high)
    points = [start + (end - start) * i / (count - 1) for i in range(count)]
    # twelve digits: 1e-3 stays 0.001, and the same point written out is the same run
    return [float(f"{10**point if for_log else point:.12g}") for point in points]


def _distinct(option: str, text: str, values: list[Any]) -> tuple[Any, ...]:
    if len(values) > MAX_RUNS:
        raise UsageError(f"{option} {text}: at most {MAX_RUNS} values.")
    return tuple(dict.fromkeys(values))


def expand(loss: str, axes: Mapping[str, Sequence[Value]]) -> list[RunConfig]:
    """The configs of every combination of the axes, the seed (if an axis) varying fastest.

    An axis is named `lambda`, a field of RunConfig, or a setting as in `--set`. Raises UsageError.
    """
    count = math.prod(len(values) for values in axes.values())
    if count > MAX_RUNS:
        raise UsageError(f"This grid has {count} runs; the limit is {MAX_RUNS}.")
    ordered = dict(sorted(axes.items(), key=lambda axis: axis[0] == "seed"))
    fields = {field.name for field in dataclasses.fields(RunConfig)} - {"terms"}
    configs = []
    for values in itertools.product(*ordered.values()):
        point = dict(zip(ordered, values, strict=True))
        lam = point.pop("lambda", None)
        if isinstance(lam, str):
            raise UsageError(f"--lambda {lam} is not a number.")
        options: dict[str, Any] = {key: value for key, value in point.items() if key in fields}
        settings = {key: value for key, value in point.items() if key not in fields}
        configs.append(make_config(loss=loss, lam=lam, settings=settings, **options))
    return list(dict.fromkeys(configs))


def applicable(
    losses: Sequence[str], axes: Mapping[str, Sequence[Value]]
) -> list[dict[str, Sequence[Value]]]:
    """For each loss the axes that it has. Raises UsageError for an axis that none of them has."""
    fields = {field.name for field in dataclasses.fields(RunConfig)} - {"terms"}
    chosen: list[dict[str, Sequence[Value]]] = []
    for loss in losses:
        parsed = parse_sum(loss)
        specs = {name: loss_spec(name) for name, _ in parsed}
        has = {key for name, spec in specs.items() for s in spec.settings for key in (s, f"{name}.{s}")}
        if lambda_target(parsed) is not None:
            has.add("lambda")
        chosen.append({key: values for key, values in axes.items() if key in fields or key in has})
    unused = set(axes) - set().union(*chosen)
    if unused:
        raise UsageError(f"None of {', '.join(losses)} has a setting '{sorted(unused)[0]}'.")
    return chosen


def swept(configs: Sequence[RunConfig], axes: Mapping[str, Sequence[Value]]) -> dict[str, list[Value]]:
    """The axes along which the configs really differ, seeds aside, with their values in order."""
    names = [name for name in axes if name != "seed"]
    values = {name: list(dict.fromkeys(config.value_of(name) for config in configs)) for name in names}
    return {name: distinct for name, distinct in values.items() if len(distinct) > 1}
