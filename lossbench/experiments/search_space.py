"""The search space of a loss: its hyper-parameters, its weight and the learning rate, each with a range."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..errors import UsageError
from ..runs.config import RunConfig
from ..runs.config_builder import config_at
from ..runs.loss_terms import lambda_target
from ..specs import Value, plugins
from ..specs.expressions import parse_sum
from ..specs.quantities import higher_is_better
from .grid import axes_by_loss, parse_values

if TYPE_CHECKING:
    from optuna import Trial

LEARNING_RATES = (1 / 8, 4.0)
"""The range of the learning rate, as factors on the default one."""


class Range(NamedTuple):
    """One dimension of a search space, and the default of its parameter; `whole`: integers only."""

    low: float
    high: float
    log: bool
    whole: bool
    default: float


class StudyConfig(NamedTuple):
    """What decides a study: a loss, the options that are fixed, the seeds and the metric of the objective."""

    loss: str
    fixed: Mapping[str, Value]
    seeds: tuple[int, ...]
    metric: str

    def run_config(self, point: Mapping[str, Value], seed: int) -> RunConfig:
        """The run at a point of the search space, evaluated on the validation split."""
        options = {**self.fixed, **point, "seed": seed, "eval_split": "val"}
        return config_at(self.loss, options)

    @property
    def default_run(self) -> RunConfig:
        """The run of the first seed at the default point."""
        return self.run_config({}, self.seeds[0])

    @property
    def name(self) -> str:
        """The study's name, a hash of its space, objective, data, network, schedule and seeds, and of the
        user's code: the trials of a changed loss say nothing about the new one."""
        run = self.default_run
        code = {name: plugins.digest(name, kind) for name, kind in run.own_code.items()}
        decisive = [run.to_dict(), self.space(), self.seeds, self.metric, *([code] if code else [])]
        text = json.dumps(decisive, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """`maximize` or `minimize`. Raises UsageError for a metric of which neither is better."""
        better = higher_is_better(self.metric)
        if better is None:
            raise UsageError(
                f"--metric {self.metric} cannot be tuned for: neither higher nor lower values are better."
            )
        return "maximize" if better else "minimize"

    def space(self) -> dict[str, Range]:
        """The dimensions by name: `lr`, `lambda` and every hyper-parameter whose SPEC has a sweep, less
        what is fixed."""
        config = self.default_run
        low, high = (factor * config.lr for factor in LEARNING_RATES)
        ranges = {"lr": Range(low, high, log=True, whole=False, default=config.lr)}
        target = lambda_target(parse_sum(self.loss))
        for term in config.terms:
            weight = term.spec.weight
            if weight is not None and weight.sweep and target == term.name:
                ranges["lambda"] = _range("lambda", weight.sweep, whole=False, default=term.weight)
            values = dict(term.settings)
            for key, setting in term.spec.settings.items():
                if setting.sweep:
                    name, whole = f"{term.name}.{key}", setting.type is int
                    ranges[name] = _range(name, setting.sweep, whole=whole, default=float(values[key]))
        # `alpha` fixes the hyper-parameter of the only term that has it, `center.alpha` that of one term
        return {
            name: bounds
            for name, bounds in ranges.items()
            if name not in self.fixed and name.rpartition(".")[2] not in self.fixed
        }

    def default_point(self) -> dict[str, Value]:
        """The point of the search space at which every parameter has its default."""
        return {name: int(r.default) if r.whole else r.default for name, r in self.space().items()}

    def default_points(self) -> list[dict[str, Value]]:
        """The points with which a study begins. Raises UsageError where there is nothing to search."""
        if not (point := self.default_point()):
            raise UsageError(f"Every setting of {self.loss} is fixed: there is nothing to search.")
        return [point]

    def fixed_parameters(self) -> dict[str, Value]:
        """The fixed options that a search could have varied: the loss's own, and the learning rate."""
        others = {field.name for field in dataclasses.fields(RunConfig)} - {"lr"}
        return {name: value for name, value in self.fixed.items() if name not in others}

    def suggest(self, trial: Trial, prefix: str = "") -> None:
        """Let Optuna choose the point of a trial; `prefix` stands before the names of its parameters."""
        for name, r in self.space().items():
            if r.whole:
                trial.suggest_int(prefix + name, int(r.low), int(r.high), log=r.log)
            else:
                trial.suggest_float(prefix + name, r.low, r.high, log=r.log)

    def is_point(self, parameters: Mapping[str, Value]) -> bool:
        """Whether every parameter of the search space is there."""
        return set(parameters) == set(self.space())


class SeveralLosses(NamedTuple):
    """A search over several losses and their settings together: one study of each."""

    studies: tuple[StudyConfig, ...]

    @property
    def loss(self) -> str:
        """The losses in words."""
        return ", ".join(each.loss for each in self.studies)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of every loss."""
        return self.studies[0].seeds

    @property
    def metric(self) -> str:
        """The metric of the objective."""
        return self.studies[0].metric

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """`maximize` or `minimize`."""
        return self.studies[0].direction

    @property
    def default_run(self) -> RunConfig:
        """The run of the first loss and seed at the default point."""
        return self.studies[0].default_run

    @property
    def name(self) -> str:
        """The name of the search, a hash of what decides the study of each loss."""
        return hashlib.sha256(" ".join(each.name for each in self.studies).encode()).hexdigest()[:10]

    def default_points(self) -> list[dict[str, Value]]:
        """Every loss at its defaults."""
        points = {each.loss: each.default_point().items() for each in self.studies}
        return [
            {"loss": loss, **{f"{loss}/{name}": value for name, value in point}}
            for loss, point in points.items()
        ]

    def suggest(self, trial: Trial) -> None:
        """Let Optuna choose a loss, and a point of its search space."""
        loss = trial.suggest_categorical("loss", [each.loss for each in self.studies])
        self.study_of({"loss": loss}).suggest(trial, f"{loss}/")

    def is_point(self, parameters: Mapping[str, Value]) -> bool:
        """Whether a loss and every parameter of its search space are there."""
        return "loss" in parameters and self.study_of(parameters).is_point(point_of_loss(parameters))

    def run_config(self, parameters: Mapping[str, Value], seed: int) -> RunConfig:
        """The run of a trial, evaluated on the validation split."""
        return self.study_of(parameters).run_config(point_of_loss(parameters), seed)

    def study_of(self, parameters: Mapping[str, Value]) -> StudyConfig:
        """The study of the loss among the parameters."""
        return next(each for each in self.studies if each.loss == parameters["loss"])


def point_of_loss(parameters: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters of a trial of several losses as those of its loss: `lr` for `arcface/lr`."""
    return {name.partition("/")[2]: value for name, value in parameters.items() if name != "loss"}


def _range(name: str, sweep: str, *, whole: bool, default: float) -> Range:
    """The range of a sweep, widened so that it contains the default."""
    values = [float(value) for value in parse_values(name, sweep) if not isinstance(value, str)]
    log = ":log:" in sweep
    if default > 0 or not log:  # a default without a logarithm is replaced by the smallest value
        values.append(default)
    return Range(min(values), max(values), log, whole, max(default, min(values)))


def several_losses(
    losses: Sequence[str], fixed: Mapping[str, Value], seeds: tuple[int, ...], metric: str
) -> SeveralLosses:
    """A search over losses, `all` of which stands for every loss; each takes the fixed options that it has.

    Raises UsageError for an option that none of them has.
    """
    by_loss = axes_by_loss(losses, {name: (value,) for name, value in fixed.items()})
    return SeveralLosses(
        tuple(
            StudyConfig(loss, {name: value for name, (value,) in axes.items()}, seeds, metric)
            for loss, axes in by_loss.items()
        )
    )
