"""The record that describes a loss; see `variants` for where it stands and for the letters."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import UsageError, shown
from .hyperparameter import HyperParameter, Value, value_text


def whole_size(size: object) -> int:
    """A number of classes or dimensions of any integer type as Python's. Raises UsageError for another."""
    with contextlib.suppress(TypeError):
        number = operator.index(size)  # type: ignore[arg-type]
        if number > 0 and not isinstance(size, bool):
            return number
    raise UsageError(f"num_classes and feature_dim are whole numbers from 1, not {shown(repr(size))}.")


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """What a loss is: where it comes from, what it needs, what can be set.

    settings: its hyper-parameters by name, in the order of the constructor.
    kind: `classifier` has class scores; `auxiliary` joins softmax and has a weight lambda; `pairs`
    compares samples of one batch and has no classes of its own.
    sampler: `balanced` batches hold K samples of each of P classes, `shuffled` any.
    weight: the lambda with which the term joins a sum (auxiliary terms only).
    aliases: other names by which people know it, taken wherever a loss is named.
    angular: whether it compares features, or classes in `logits`, by direction alone.
    probabilities: whether softmax of `logits` is what a classifier fits.
    minima: for a setting the smallest value that the others allow, a function of all of them; below it the
    command line warns.
    exceptions: checks of tests/losses/test_contract.py that do not apply, each with the reason.
    """

    title: str
    summary: str
    paper: str
    equation: str
    kind: Literal["classifier", "auxiliary", "pairs"]
    settings: Mapping[str, HyperParameter] = field(default_factory=dict)
    weight: HyperParameter | None = None
    sampler: Literal["shuffled", "balanced"] = "shuffled"
    aliases: tuple[str, ...] = ()
    angular: bool = False
    probabilities: bool = True
    minima: Mapping[str, Callable[..., float]] = field(default_factory=dict)
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def with_settings(self, namespace: Mapping[str, Any]) -> LossSpec:
        """This SPEC with the hyper-parameters among the values of a namespace, such as a class body."""
        fields = {name: value for name, value in namespace.items() if isinstance(value, HyperParameter)}
        return replace(self, settings={**self.settings, **fields})

    def resolve(self, num_classes: int, feature_dim: int, **values: Value | None) -> dict[str, Value]:
        """All settings for (C, D): the given ones checked, None replaced by the default.

        Raises UsageError (a ValueError) for an unknown setting or a value out of bounds.
        """
        num_classes, feature_dim = whole_size(num_classes), whole_size(feature_dim)
        for name in values:
            if name not in self.settings:
                known = ", ".join(self.settings) or "none"
                raise UsageError(f"{self.title} has no setting '{name}'; it has: {known}.")
        return {
            name: setting.check(
                name, setting.default_for(num_classes, feature_dim) if value is None else value
            )
            for name, setting in self.settings.items()
            for value in (values.get(name),)
        }

    def recommended(self, num_classes: int, feature_dim: int) -> dict[str, float]:
        """The numbers to start from for (C, D), of the settings that depend on it: the default, within what
        is feasible."""
        values = {}
        for name, setting in self.settings.items():
            largest, smallest = (
                limit(num_classes, feature_dim) if limit else none
                for limit, none in ((setting.largest, math.inf), (setting.smallest, -math.inf))
            )
            if callable(setting.default) or setting.largest or setting.smallest:
                value = float(setting.default_for(num_classes, feature_dim))
                if value < smallest < math.inf:
                    value = math.ceil(100 * smallest) / 100
                values[name] = (
                    min(value, _rounded_down(largest)) if setting.gt < largest < math.inf else value
                )
        for name, smallest_beside in self.minima.items():
            least = smallest_beside(**self.resolve(num_classes, feature_dim, **values))
            values[name] = max(values[name], math.ceil(100 * least) / 100)
        return values

    def warnings(self, values: Mapping[str, Any], num_classes: int, feature_dim: int) -> list[str]:
        """A sentence for each value beyond what C directions in D dimensions, or the other values, allow."""
        shape = f"{num_classes} classes in {feature_dim} dimension{'' if feature_dim == 1 else 's'}"
        warnings = []
        for name, value in values.items():
            setting, given = self.settings[name], f"{name} {value_text(value)}"
            if setting.largest and float(value) > (limit := setting.largest(num_classes, feature_dim)):
                warnings.append(f"{given} cannot hold for {shape}; the largest is {limit:.3g}.")
            if setting.smallest and float(value) < (limit := setting.smallest(num_classes, feature_dim)):
                warnings.append(
                    f"{given} is small for {shape}; "
                    + (
                        f"below {limit:.3g} not even"
                        if limit < math.inf
                        else "no value is large enough there that"
                    )
                    + " a sample on its class direction is classified with confidence."
                )
            if name in self.minima and float(value) < (limit := self.minima[name](**values)):
                warnings.append(f"{given} is too small for the other settings; the smallest is {limit:.3g}.")
        return warnings


def _rounded_down(limit: float) -> float:
    """A limit to three decimals, one between 0 and 0.001 to three digits: 0 is no temperature."""
    digits = 3 if not 0 < limit < 0.001 else 2 - math.floor(math.log10(limit))
    scale = 10.0**digits
    return math.floor(scale * limit) / scale
