"""From what a user says to a `RunConfig`: names looked up, defaults filled in, nonsense refused."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..specs import Value, catalog
from ..specs import plugins as external
from ..specs.expressions import parse_sum
from .config import (
    BASE_LOSS,
    DEFAULT_DATASET,
    DEFAULT_NETWORK,
    PRECISIONS,
    SAMPLERS,
    RunConfig,
    Term,
    dataset_spec,
    loss_spec,
)


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
    target = lambda_target(parse_sum(loss)) if lam is not None else None
    unseen = _unseen(chosen.unseen, data.classes)
    shape = (len(data.classes) - len(unseen), chosen.feature_dim)
    grouped = _grouped_settings([name for name, _ in terms], settings or {})
    resolved = tuple(
        Term(
            name=name,
            weight=weight,
            by_lambda=name == target,
            settings=_settings(name, grouped[name], shape, as_written),
        )
        for name, weight in terms
    )
    batch_size, sampler, p, k = _sampling(chosen, resolved, shape[0])
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
        unseen=unseen,
        eval_split=chosen.eval_split,
    )


def config_from_dict(data: Mapping[str, Any]) -> RunConfig:
    """A config from the plain data of `RunConfig.to_dict`.

    Raises UsageError for anything that `make_config` would refuse or would have written otherwise.
    """
    if not isinstance(data, Mapping) or not _ALWAYS <= set(data) <= _EVER:
        raise UsageError("These are not the settings of a run.")
    seed = data["seed"]
    if type(seed) is not int or not 0 <= seed <= _LARGEST_NUMBER:
        return _from_dict(data)
    try:
        text = json.dumps({**data, "seed": 0}, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"These are not the settings of a run ({error}).") from None
    return dataclasses.replace(_from_json(text), seed=seed)


@functools.lru_cache(maxsize=10_000)  # a folder of runs holds few settings but for the seed
def _from_json(text: str) -> RunConfig:
    return _from_dict(json.loads(text))


def _from_dict(data: Mapping[str, Any]) -> RunConfig:
    try:
        terms = [(t["name"], float(t["weight"]), dict(t["settings"])) for t in data["terms"]]
        rest = {key: value for key, value in data.items() if key != "terms"}
        if "judged_on" in rest:
            rest["eval_split"] = rest.pop("judged_on")
        settings = {f"{name}.{key}": value for name, _, given in terms for key, value in given.items()}
        expression = " + ".join(f"{weight!r}*{name}" for name, weight, _ in terms)
        with external.untouched():
            config = make_config(loss=expression, settings=settings, as_written=True, **rest)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"These are not the settings of a run ({error}).") from None
    if json.dumps(config.to_dict(), sort_keys=True) != json.dumps(data, sort_keys=True):
        raise UsageError("These are not the settings of a run: a value is missing or of another type.")
    return config


_ALWAYS = {field.name for field in dataclasses.fields(RunConfig) if field.default is dataclasses.MISSING}
_EVER = {field.metadata.get("key", field.name) for field in dataclasses.fields(RunConfig)}
_LARGEST_NUMBER = 2**31
_LARGEST = {"feature_dim": 4096, "epochs": 100_000}


@dataclass(frozen=True)
class _Options:
    """Run options as given, with the defaults that do not depend on anything else."""

    network: str = DEFAULT_NETWORK
    feature_dim: int = 2
    dataset: str = DEFAULT_DATASET
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
    unseen: str | Sequence[int] = ()
    eval_split: str = "test"

    @classmethod
    def from_options(cls, options: Mapping[str, Value | None]) -> _Options:
        """Checked types and ranges. Raises UsageError naming the option."""
        given = {key: value for key, value in options.items() if value is not None}
        lowest = {"feature_dim": 1, "epochs": 1, "batch_size": 1, "val_size": 0, "seed": 0}
        for key, value in given.items():
            if key in ("network", "dataset", "precision", "sampler", "unseen", "eval_split"):
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or _not_finite(value):
                raise UsageError(f"{_flag(key)} {value} is not a number.")
            if value > _LARGEST.get(key, _LARGEST_NUMBER):
                raise UsageError(f"{_flag(key)} {str(value)[:20]} is too large.")
            if key not in ("lr", "weight_decay") and not isinstance(value, int):
                raise UsageError(f"{_flag(key)} {value} is not a whole number.")
            if value < lowest.get(key, 0) or (key == "lr" and value == 0):
                raise UsageError(f"{_flag(key)} {value} is too small.")
        chosen = cls(**given)  # type: ignore[arg-type]
        choices = {"precision": PRECISIONS, "sampler": SAMPLERS, "eval_split": ("test", "val")}
        for key, allowed in choices.items():
            if getattr(chosen, key) not in allowed:
                raise UsageError(f"{_flag(key)} {getattr(chosen, key)} is none of {', '.join(allowed)}.")
        if chosen.eval_split == "val" and chosen.val_size == 0:
            raise UsageError("--val-size 0 leaves nothing to judge by without the test split.")
        return dataclasses.replace(chosen, lr=float(chosen.lr), weight_decay=float(chosen.weight_decay))


def _unseen(given: str | Sequence[int], names: Sequence[str]) -> tuple[int, ...]:
    """Labels of the classes to keep out, from `7,8,9`, class names, or stored labels."""
    if isinstance(given, str):
        words = [word.strip() for word in given.split(",")]
        if wrong := [word for word in words if word not in names]:
            raise UsageError(f"--unseen {wrong[0][:40]} is no class; there are: {', '.join(names)}.")
        given = [names.index(word) for word in words]
    elif any(not isinstance(label, int) or not 0 <= label < len(names) for label in given):
        raise UsageError("unseen names labels that the data set does not have.")
    if len(names) - len(set(given)) < 2:
        raise UsageError(f"--unseen leaves {len(names) - len(set(given))} classes; training needs two.")
    return tuple(sorted(set(given)))


def _not_finite(value: float) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def lambda_target(parsed: Sequence[tuple[str, float | None]]) -> str | None:
    """The term whose weight --lambda sets: the only auxiliary one without a written weight, else the only
    term after the first without one; None where that is not one term.
    """
    unweighted = [name for name, weight in parsed if weight is None]
    auxiliary = [name for name in unweighted if loss_spec(name).weight is not None]
    candidates = auxiliary or unweighted[1:]
    return candidates[0] if len(candidates) == 1 else None


def _terms(expression: str, lam: float | None, as_written: bool) -> list[tuple[str, float]]:
    parsed = parse_sum(expression)
    names = [name for name, _ in parsed]
    for name in names:
        if not (as_written and catalog.is_external(name)):
            loss_spec(name)  # refuses an unknown one, with near matches
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"Each loss can stand in a sum once; {', '.join(sorted(repeated))} is repeated.")
    if lam is not None:
        target = lambda_target(parsed)
        if target is None:
            raise UsageError(
                f"--lambda is the weight of one auxiliary term (such as center) without a written weight; "
                f"'{expression}' has {'several' if len(parsed) > 2 else 'none'}."
            )
        parsed = [(name, lam if name == target else weight) for name, weight in parsed]
    alone = len(parsed) == 1 and not as_written and loss_spec(names[0]).kind == "auxiliary"
    terms = []
    for name, weight in parsed:
        if weight is None:
            own = loss_spec(name).weight
            weight = float(own.default) if alone and own else 1.0  # type: ignore[arg-type]
        if not 0 <= weight < 1.7e308:  # also an int beyond any float
            raise UsageError(f"The weight of {name} is {str(weight)[:20]}; a weight (lambda) is at least 0.")
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


def _settings(
    name: str, given: Mapping[str, Value], shape: tuple[int, int], as_written: bool
) -> tuple[tuple[str, Value], ...]:
    """The settings of a term, defaults filled in; those of a stored external loss as they are."""
    if as_written and catalog.is_external(name):
        if not all(isinstance(value, bool | int | float | str) for value in given.values()):
            raise UsageError(f"The settings of {name} are not numbers, switches or words.")
        return tuple(sorted(given.items()))
    classes, dim = shape
    return tuple(sorted(loss_spec(name).resolve(classes, dim, **given).items()))


def _sampling(chosen: _Options, terms: tuple[Term, ...], classes: int) -> tuple[int, str, int, int]:
    sampler = chosen.sampler
    if sampler == "auto":
        balanced = any(term.spec.sampler == "balanced" for term in terms)
        sampler = (
            "balanced" if balanced or chosen.samples_per_class or chosen.classes_per_batch else "shuffled"
        )
    if sampler == "shuffled":
        if chosen.classes_per_batch or chosen.samples_per_class:
            raise UsageError("--classes-per-batch and --samples-per-class need balanced batches.")
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
