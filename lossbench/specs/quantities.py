"""The numbers that describe a run: their titles, units, and whether more is better."""

from __future__ import annotations

from ..errors import UsageError, unknown_name
from . import catalog

RUN_NUMBERS = ("test_accuracy", "val_accuracy", "seconds", "images_per_second")


UNSEEN = "unseen-"
"""Before the name of a metric that was measured on unseen classes."""


LOWER_IS_BETTER = ("seconds",)


MAIN_METRIC = "test_accuracy"


_TITLES = {
    "test_accuracy": "test",
    "val_accuracy": "val",
    "seconds": "seconds",
    "images_per_second": "images/s",
}


def parse_metrics(text: str, unseen: bool) -> tuple[str, ...]:
    """The metrics of `map-at-r,test_accuracy` or `all`, in order. Raises UsageError for an unknown one.

    `unseen` says whether there are classes kept out of training, on which `unseen-map-at-r` is measured.
    """
    measured = catalog.names("metrics")
    apart = [UNSEEN + name for name in measured if catalog.spec("metrics", name).needs == "features"]
    known = [*RUN_NUMBERS, *measured, *(apart if unseen else ())]
    names = [name.strip() for name in text.split(",")]
    if names == ["all"]:
        # the accuracy stands there already, and times are no part of what is better
        return (MAIN_METRIC, *(name for name in known if name not in (*RUN_NUMBERS, "accuracy")))
    for name in names:
        if name in apart and not unseen:
            raise UsageError(f"--metric {name} needs classes kept out of training: --unseen 7,8,9.")
        if name not in known:
            raise unknown_name("metric", name, known)
    return tuple(dict.fromkeys(names))


def column_title(name: str) -> str:
    """The heading of a metric's column, with its unit."""
    if name.startswith(UNSEEN):
        return f"unseen {column_title(name.removeprefix(UNSEEN))}"
    title = _TITLES.get(name) or str(catalog.spec("metrics", name).title)
    return f"{title} (%)" if "accuracy" in name else title


def metric_name(name: str) -> str:
    """A metric in a sentence, without its unit."""
    title = column_title(name).removesuffix(" (%)")
    return f"{title} accuracy" if name in RUN_NUMBERS and "accuracy" in name else title


def higher_is_better(metric: str) -> bool | None:
    """Whether more of a number is better; None where neither is."""
    if metric in RUN_NUMBERS:
        return metric not in LOWER_IS_BETTER
    better: bool | None = catalog.spec("metrics", metric.removeprefix(UNSEEN)).higher_is_better
    return better
