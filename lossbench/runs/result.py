"""The result of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..specs.quantities import RUN_NUMBERS, UNSEEN


def numbers_of(result: Mapping[str, Any]) -> dict[str, float]:
    """All numbers of a run's result by name: accuracies, times, metrics, and those on unseen classes;
    what is not finite is not a number of a table."""
    found = {name: result.get(name) for name in RUN_NUMBERS} | dict(result["metrics"])
    found |= {UNSEEN + name: value for name, value in result.get("unseen", {}).items()}
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}
