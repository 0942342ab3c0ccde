"""Measure several metrics of the same features."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..specs import catalog
from ._inputs import MetricInput


def measure(inputs: MetricInput, names: Iterable[str] | None = None) -> dict[str, float]:
    """The named metrics (None: all cheap ones), by name, as far as `inputs` have what they need.

    Raises ValueError for features that are not finite: their distances would be meaningless.
    """
    for part in (inputs.reference, inputs.evaluated):
        if not np.isfinite(part.features).all():
            raise ValueError("features are not finite")
    specs = {name: catalog.spec("metrics", name) for name in catalog.names("metrics")}
    measured = [name for name, spec in specs.items() if spec.cheap] if names is None else names
    return {
        name: float(catalog.load("metrics", name)(inputs))
        for name in measured
        if specs[name].needs in inputs.available
    }
