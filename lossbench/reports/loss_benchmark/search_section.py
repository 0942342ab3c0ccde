"""The section of the page on the search for settings: what it found, and where that may be too little."""

import math
from collections.abc import Mapping
from typing import Any

from ...specs import value_text
from ...specs.quantities import format_value, metric_name
from ...tables import Table, code, seeds_text, to_markdown
from ..document import Document

_END = 0.05
"""Share of a range that counts as its end."""


def search_section(document: Document) -> list[str]:
    """Paragraphs and table of the results of a search, one line per loss."""
    first, rows = document.data[0], []
    ends: dict[str, list[str]] = {"lower": [], "upper": []}
    for result in document.data:
        loss = str(result["loss"])
        point = {name.removeprefix(f"{loss}."): value for name, value in result["point"].items()}
        places = map(_place, result["point"].values(), map(result["space"].get, result["point"]))
        for name, place in zip(point, places, strict=True):
            ends["lower"] += [f"{loss} {name}"] * (place < _END)
            ends["upper"] += [f"{loss} {name}"] * (place > 1 - _END)
        settings = ", ".join(f"{n} {value_text(float(format(value, '.4g')))}" for n, value in point.items())
        numbers = [format_value(result["metric"], result[key]) for key in ("value", "default_value")]
        rows.append([loss, settings, *numbers, *(str(result[k]) for k in ("trials", "hopeless", "diverged"))])
    metric = metric_name(first["metric"])
    header = ["loss", "settings", f"{metric} there", "at the defaults", "trials", "stopped early", "diverged"]
    at_ends = [
        f"To the {end} end of their range: {', '.join(names)}." for end, names in ends.items() if names
    ]
    return [
        f"The settings with the highest {metric}, as each loss compares features, on validation images with "
        f"{seeds_text(first['seeds'])}. The best of many trials looks better than it is, so the "
        "comparison with the defaults takes other seeds and test images.",
        to_markdown(Table(header, rows)),
        " ".join(["Some settings are next to an end of the range that was searched.", *at_ends])
        + " Where the end is no limit of what makes sense, better settings may lie beyond it."
        if at_ends
        else "",
        code(document.command),
    ]


def _place(value: float, space: Mapping[str, Any]) -> float:
    """Where a value lies in its range, from 0 to 1."""
    low, high = space["low"], space["high"]
    if space["log"]:
        low, high, value = math.log(low), math.log(high), math.log(value)
    return float((value - low) / (high - low))
