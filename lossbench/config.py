"""One run, as data: frozen, hashable, fully resolved, and back from its JSON.

A `RunConfig` holds every number that decides what is learned, defaults written out, so its id names
the experiment: the same settings are the same run. Where it runs (device, threads, folders) is no
part of it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import catalog
from .contracts import DatasetSpec, LossSpec, Value
from .errors import UsageError
from .expressions import parse_sum

FORMAT = 1
BASE_LOSS = "softmax"  # what an auxiliary term joins when it is named alone
COMPARED_LOSSES = ("softmax", "center", "arcface")
DEFAULT_NETWORK = "compact"
PRECISIONS = ("auto", "fp32", "bf16")
SAMPLERS = ("auto", "shuffled", "balanced")
SHORTCUTS = ("alpha", "margin", "scale")
"""Settings that have a flag of their own, because every paper of the field varies them."""
_SYMBOLS = {"lambda": "λ", "alpha": "α", "margin": "m", "scale": "s", "gamma": "γ"}


@dataclass(frozen=True, kw_only=True)
class Term:
    """A loss with its weight inside a sum and its settings, sorted by name."""

    name: str
    weight: float
    settings: tuple[tuple[str, Value], ...]

    @property
    def spec(self) -> LossSpec:
        """The loss's SPEC."""
        spec: LossSpec = catalog.spec("losses", self.name)
        return spec


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides what one training learns.

    epochs and sizes are counts, lr is the peak learning rate, weight_decay that of AdamW. A balanced
    sampler draws `samples_per_class` of each of `classes_per_batch` classes (both 0 when shuffled).
    """

    terms: tuple[Term, ...]
    network: str
    feature_dim: int
    dataset: str
    val_size: int
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    seed: int
    precision: str
    sampler: str
    classes_per_batch: int
    samples_per_class: int

    @property
    def id(self) -> str:
        """Ten hexadecimal digits derived from all settings."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    @property
    def loss(self) -> str:
        """The short name: the loss, the auxiliary that joins softmax, or the terms joined by '+'."""
        names = [term.name for term in self.terms]
        if len(names) == 2 and names[0] == BASE_LOSS and self.terms[1].spec.kind == "auxiliary":
            names = names[1:]
        return "+".join(names)

    @property
    def run_name(self) -> str:
        """The name of the run's folder: short loss name and id."""
        slug = re.sub(r"[^a-z0-9+-]+", "-", self.loss.lower()).strip("-")[:60]
        return f"{slug}-{self.id}"

    @property
    def title(self) -> str:
        """The loss as people call it, e.g. 'Center'."""
        named = self.loss.split("+")
        return " + ".join(term.spec.title for term in self.terms if term.name in named)

    @property
    def subtitle(self) -> str:
        """Weights and numeric settings in the papers' letters, e.g. 'λ = 0.003, α = 0.5'."""
        parts = []
        for term in self.terms:
            if term.spec.weight is not None or term.weight != 1:
                parts.append(f"{_SYMBOLS['lambda']} = {term.weight:g}")
            for key, value in term.settings:
                default = term.spec.settings[key].default_for(self.classes, self.feature_dim)
                if key in _SYMBOLS or value != default:
                    shown = f"{value:g}" if isinstance(value, float) else str(value).lower()
                    parts.append(f"{_SYMBOLS.get(key, key)} = {shown}")
        return ", ".join(parts)

    @property
    def classes(self) -> int:
        """C, the number of classes of the data set."""
        return len(dataset_spec(self.dataset).classes)

    @property
    def rule(self) -> str:
        """How a sample is classified: by class scores, else by the nearest training-class mean."""
        if any(term.spec.kind == "classifier" for term in self.terms):
            return "class scores"
        angular = any("angular" in term.spec.tags for term in self.terms)
        return "nearest class mean (cosine)" if angular else "nearest class mean"

    def value_of(self, name: str) -> Value:
        """What `name` is here: a field, lambda, or a setting of the only term that has it."""
        if name == "lambda":
            return next(t.weight for t in reversed(self.terms) if t.spec.weight or len(self.terms) == 1)
        if "." in name:
            term_name, _, key = name.partition(".")
            return next(dict(term.settings)[key] for term in self.terms if term.name == term_name)
        for term in self.terms:
            if name in dict(term.settings):
                return dict(term.settings)[name]
        value: Value = getattr(self, name)
        return value

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` gives the same config back."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        data["terms"] = [
            {"name": term.name, "weight": term.weight, "settings": dict(term.settings)} for term in self.terms
        ]
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RunConfig:
        """A config from its plain data. Raises UsageError for anything that `make_config` would refuse."""
        expected = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(data, Mapping) or set(data) != expected:
            raise UsageError("These are not the settings of a run.")
        try:
            terms = [(t["name"], float(t["weight"]), dict(t["settings"])) for t in data["terms"]]
            rest = {key: value for key, value in data.items() if key != "terms"}
            settings = {f"{name}.{key}": value for name, _, given in terms for key, value in given.items()}
            expression = " + ".join(f"{weight!r}*{name}" for name, weight, _ in terms)
            config = make_config(loss=expression, settings=settings, as_written=True, **rest)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise UsageError(f"These are not the settings of a run ({error}).") from None
        if config.to_dict() != data:
            raise UsageError("These are not the settings of a run: a value is missing or of another type.")
        return config


def make_config(
    *,
    loss: str = BASE_LOSS,
    lam: float | None = None,
    settings: Mapping[str, Value] | None = None,
    as_written: bool = False,
    **options: Value | None,
) -> RunConfig:
    """A config from what a user says, None and absent options replaced by the defaults.

    `loss` is a name or a weighted sum; an auxiliary term named alone joins softmax unless
    `as_written`. `lam` is the weight of the term that has none written; `settings` are `alpha` or
    `center.alpha` to value. Raises UsageError with one sentence for anything that makes no sense.
    """
    chosen = _Options.from_options(options)
    data = dataset_spec(chosen.dataset)
    catalog.spec("networks", chosen.network)
    terms = _terms(loss, lam, as_written)
    grouped = _grouped_settings([name for name, _ in terms], settings or {})
    classes = len(data.classes)
    resolved = tuple(
        Term(
            name=name,
            weight=weight,
            settings=tuple(
                sorted(loss_spec(name).resolve(classes, chosen.feature_dim, **grouped[name]).items())
            ),
        )
        for name, weight in terms
    )
    batch_size, sampler, p, k = _sampling(chosen, resolved, classes)
    return RunConfig(
        terms=resolved,
        network=chosen.network,
        feature_dim=chosen.feature_dim,
        dataset=chosen.dataset,
        val_size=data.val_size if chosen.val_size is None else chosen.val_size,
        epochs=data.epochs if chosen.epochs is None else chosen.epochs,
        batch_size=batch_size,
        lr=chosen.lr,
        weight_decay=chosen.weight_decay,
        seed=chosen.seed,
        precision=chosen.precision,
        sampler=sampler,
        classes_per_batch=p,
        samples_per_class=k,
    )


def loss_spec(name: str) -> LossSpec:
    """The SPEC of a loss by name."""
    spec: LossSpec = catalog.spec("losses", name)
    return spec


def dataset_spec(name: str) -> DatasetSpec:
    """The SPEC of a data set by name."""
    spec: DatasetSpec = catalog.spec("datasets", name)
    return spec


@dataclass(frozen=True)
class _Options:
    """Run options as given, with the defaults that do not depend on anything else."""

    network: str = DEFAULT_NETWORK
    feature_dim: int = 2
    dataset: str = "mnist"
    val_size: int | None = None
    epochs: int | None = None
    batch_size: int = 128
    lr: float = 0.008
    weight_decay: float = 5e-4
    seed: int = 0
    precision: str = "auto"
    sampler: str = "auto"
    classes_per_batch: int = 0
    samples_per_class: int = 0

    @classmethod
    def from_options(cls, options: Mapping[str, Value | None]) -> _Options:
        """Checked types and ranges. Raises UsageError naming the option."""
        given = {key: value for key, value in options.items() if value is not None}
        lowest = {"feature_dim": 1, "epochs": 1, "batch_size": 1, "val_size": 0, "seed": 0}
        for key, value in given.items():
            if key in ("network", "dataset", "precision", "sampler"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise UsageError(f"{_flag(key)} {value} is not a number.")
            if key not in ("lr", "weight_decay") and not isinstance(value, int):
                raise UsageError(f"{_flag(key)} {value} is not a whole number.")
            if value < lowest.get(key, 0) or (key == "lr" and value == 0):
                raise UsageError(f"{_flag(key)} {value} is too small.")
            if value > 2**31:
                raise UsageError(f"{_flag(key)} {value} is too large.")
        chosen = cls(**given)  # type: ignore[arg-type]
        for key, allowed in (("precision", PRECISIONS), ("sampler", SAMPLERS)):
            if getattr(chosen, key) not in allowed:
                raise UsageError(f"{_flag(key)} {getattr(chosen, key)} is none of {', '.join(allowed)}.")
        return dataclasses.replace(chosen, lr=float(chosen.lr), weight_decay=float(chosen.weight_decay))


def _terms(expression: str, lam: float | None, as_written: bool) -> list[tuple[str, float]]:
    parsed = parse_sum(expression)
    names = [name for name, _ in parsed]
    for name in names:
        loss_spec(name)  # refuses an unknown one, with near matches
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"Each loss can stand in a sum once; {', '.join(sorted(repeated))} is repeated.")
    open_terms = [name for name, weight in parsed if weight is None]
    auxiliary = [name for name in open_terms if loss_spec(name).weight is not None]
    if lam is not None:
        if len(auxiliary or open_terms[1:]) != 1:
            raise UsageError(
                "--lambda is the weight of one auxiliary term (such as center) without a written weight; "
                f"'{expression}' has {len(auxiliary)}."
            )
        target = (auxiliary or open_terms[1:])[0]
        parsed = [(name, lam if name == target else weight) for name, weight in parsed]
    alone = len(parsed) == 1 and loss_spec(names[0]).kind == "auxiliary" and not as_written
    terms = []
    for name, weight in parsed:
        spec = loss_spec(name)
        if weight is None:
            weight = float(spec.weight.default) if alone and spec.weight else 1.0  # type: ignore[arg-type]
        if not (math.isfinite(weight) and weight >= 0):
            raise UsageError(f"The weight of {name} is {weight:g}; a weight (lambda) is at least 0.")
        terms.append((name, float(weight)))
    return [(BASE_LOSS, 1.0), *terms] if alone else terms


def _grouped_settings(names: list[str], settings: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    grouped: dict[str, dict[str, Value]] = {name: {} for name in names}
    for key, value in settings.items():
        term, _, setting = key.rpartition(".")
        owners = [term] if term else [name for name in names if setting in loss_spec(name).settings]
        if len(owners) > 1:
            choices = " or ".join(f"{name}.{setting}" for name in owners)
            raise UsageError(f"Several terms have a setting '{setting}'; say {choices}.")
        if not owners or owners[0] not in grouped:
            available = [f"{name}.{own}" for name in names for own in loss_spec(name).settings]
            raise UsageError(
                f"{' + '.join(names)} has no setting '{key}'; it has: {', '.join(available) or 'none'}."
            )
        grouped[owners[0]][setting] = value
    return grouped


def _sampling(chosen: _Options, terms: tuple[Term, ...], classes: int) -> tuple[int, str, int, int]:
    sampler = chosen.sampler
    if sampler == "auto":
        balanced = any(term.spec.sampler == "balanced" for term in terms)
        sampler = "balanced" if balanced or chosen.samples_per_class else "shuffled"
    if sampler == "shuffled":
        return chosen.batch_size, sampler, 0, 0
    p = chosen.classes_per_batch or classes
    k = chosen.samples_per_class or max(2, chosen.batch_size // p)
    if p > classes:
        raise UsageError(f"--classes-per-batch {p} is more than the {classes} classes there are.")
    return p * k, sampler, p, k


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


def feasibility_warnings(config: RunConfig) -> list[str]:
    """A sentence for each setting beyond what C directions in D dimensions can satisfy."""
    shape = f"{config.classes} classes in {config.feature_dim} dimensions"
    found = []
    for term in config.terms:
        for key, value in term.settings:
            setting = term.spec.settings[key]
            if setting.largest and float(value) > (
                limit := setting.largest(config.classes, config.feature_dim)
            ):
                found.append(
                    f"{term.name}: {key} {value:g} cannot hold for {shape}; the largest is {limit:.3f}."
                )
            if setting.smallest and float(value) < (
                limit := setting.smallest(config.classes, config.feature_dim)
            ):
                found.append(
                    f"{term.name}: {key} {value:g} is small for {shape}; below {limit:.1f} "
                    "even a perfect sample stays under 90 % probability."
                )
    return found
