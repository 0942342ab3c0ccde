"""The numbers that describe a run: their titles, units, which side is better, and how they are shown.

A number is a metric of the catalogue, a metric measured on unseen classes (`unseen-map-at-r`), or one of
`RUN_NUMBERS`. How it is shown follows from the unit in its MetricSpec, here and nowhere else.
"""

import math
from collections.abc import Mapping

from ..errors import UsageError, unknown_name
from ..tables import number_text
from . import catalog
from .expressions import split_names
from .variants import MetricSpec, Unit

RUN_NUMBERS: Mapping[str, MetricSpec] = {
    "test_accuracy": MetricSpec(
        title="test accuracy",
        column="test",
        summary="fraction of the test images classified right",
        unit="percent",
        higher_is_better=True,
    ),
    "val_accuracy": MetricSpec(
        title="val accuracy",
        column="val",
        summary="fraction of the validation images classified right",
        unit="percent",
        higher_is_better=True,
    ),
    "seconds": MetricSpec(title="seconds", summary="training time", unit="s", higher_is_better=False),
    "images_per_second": MetricSpec(
        title="images/s", summary="training speed", unit="images/s", higher_is_better=True
    ),
}
"""The numbers of a run that are not metrics of the catalogue, described like metrics."""

UNSEEN = "unseen-"
"""Before the name of a metric that was measured on unseen classes."""

MAIN_METRIC = "test_accuracy"

_DISPLAY: Mapping[Unit, tuple[float, int, str]] = {
    "percent": (100.0, 2, " %"),
    "degrees": (1.0, 3, "°"),
    "s": (1.0, 1, " s"),
    "images/s": (1.0, 0, " images/s"),
}
"""Factor, decimals and symbol of a unit; any other is shown as it is, with three decimals and no symbol."""


def parse_metrics(text: str, unseen: bool) -> tuple[str, ...]:
    """The metrics of `map-at-r,test_accuracy` or `all`, in order. Raises UsageError for an unknown one.

    `unseen` says whether there are classes kept out of training, on which `unseen-map-at-r` is measured.
    """
    metrics = catalog.names("metrics")
    needs = {name: catalog.spec("metrics", name).needs for name in metrics}
    on_unseen = [UNSEEN + name for name in metrics if needs[name] in ("features", "validation features")]
    known = [*RUN_NUMBERS, *metrics, *(on_unseen if unseen else ())]
    names = split_names(text)
    if names == ["all"]:
        # `accuracy` is the main metric again, and times say nothing about which loss is better
        attacks = [name for name in metrics if catalog.spec("metrics", name).needs == "images"]
        left_out = {*RUN_NUMBERS, "accuracy", *attacks}  # attacks take seconds for each run
        return (MAIN_METRIC, *(name for name in known if name not in left_out))
    for name in names:
        if name in on_unseen and not unseen:
            raise UsageError(f"--metric {name} needs classes kept out of training: --unseen 7,8,9.")
        if name not in known:
            raise unknown_name("metric", name, known)
    return tuple(dict.fromkeys(names))


def number_spec(name: str) -> MetricSpec:
    """The description of a number. Raises UsageError for an unknown metric."""
    spec: MetricSpec = RUN_NUMBERS.get(name) or catalog.spec("metrics", name.removeprefix(UNSEEN))
    return spec


def higher_is_better(name: str) -> bool | None:
    """Whether more of a number is better; None where neither is."""
    return number_spec(name).higher_is_better


def better_sign(name: str) -> int:
    """1 where more of a number is better, -1 where less is, 0 where neither is."""
    better = higher_is_better(name)
    return 0 if better is None else 1 if better else -1


def metric_name(name: str) -> str:
    """A number in a sentence, without its unit."""
    return f"{'unseen ' if name.startswith(UNSEEN) else ''}{number_spec(name).title}"


def metric_title(name: str) -> str:
    """A number as the title of an axis, with the unit where it is percent or degrees."""
    unit = {"percent": " (%)", "degrees": " (degrees)"}.get(number_spec(name).unit, "")
    return metric_name(name) + unit


def column_title(name: str) -> str:
    """The heading of a number's column, like `metric_title` but shorter where it can be, without degrees."""
    spec = number_spec(name)
    short = metric_name(name).replace(spec.title, spec.column or spec.title)
    return short + (" (%)" if is_percent(name) else "")


def is_percent(name: str) -> bool:
    """Whether a number is a fraction that is shown in percent, and its differences in percentage points."""
    return number_spec(name).unit == "percent"


def in_unit(name: str, value: float) -> float:
    """A stored value in the unit in which it is shown."""
    return _display(name)[0] * value


def decimals(name: str) -> int:
    """How many decimals a number has wherever it is shown in its unit."""
    return _display(name)[1]


def bounds(name: str, *, signed: bool = False) -> tuple[float, float]:
    """What a number, or `signed` a difference of two, cannot exceed, in the unit in which it is shown."""
    spec = number_spec(name)
    largest = in_unit(name, 1.0) if spec.unit in ("percent", "fraction") else math.inf
    return -largest if signed else in_unit(name, spec.least), largest


def interval_text(
    mean: float, half_width: float, limits: tuple[float, float], digits: int, *, signed: bool = False
) -> str:
    """A mean with its interval: `98.92 ± 0.08`, or `98.92 [97.10, 100.00]` with ends cut off at the limits.

    Without a half width (NaN) the mean alone. One that would read 0.00 has up to three digits more.
    """
    if 10.0 ** (-digits - 3) <= half_width < 0.5 * 10.0**-digits:
        digits = -math.floor(math.log10(half_width))

    def text(number: float) -> str:
        return number_text(number, digits, signed=signed)

    low, high = mean - half_width, mean + half_width
    if math.isnan(half_width):
        return text(mean)
    if limits[0] <= low and high <= limits[1]:
        return f"{text(mean)} ± {half_width:.{digits}f}"
    return f"{text(mean)} [{text(max(low, limits[0]))}, {text(min(high, limits[1]))}]"


def format_value(
    name: str, value: float | None, half_width: float = math.nan, *, signed: bool = False, unit: bool = False
) -> str:
    """A number as people see it: `98.92`, with a half width `98.92 ± 0.08`, with its unit `98.92 %`.

    The interval ends at what the number can be, see `interval_text`. A dash stands for None and NaN.
    """
    if value is None or math.isnan(value):
        return "–"
    factor, digits, symbol = _display(name)
    limits = bounds(name, signed=signed)
    text = interval_text(factor * value, factor * half_width, limits, digits, signed=signed)
    return text + symbol if unit else text


def _display(name: str) -> tuple[float, int, str]:
    return _DISPLAY.get(number_spec(name).unit, (1.0, 3, ""))
