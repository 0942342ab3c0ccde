"""From options or stored JSON to a `RunConfig`: names and values checked, defaults filled in."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..specs import AUGMENTATIONS, NO_AUGMENTATION, DatasetSpec, RecipeSpec, Value, catalog
from ..specs import plugins as external
from ..specs.expressions import parse_sum
from .config import (
    BASE_LOSS,
    DEFAULT_DATASET,
    DEFAULT_FEATURE_NETWORK,
    RECIPE_OPTION,
    REQUIRED,
    RUN_OPTIONS,
    STORED_DEFAULTS,
    RunConfig,
    Term,
    dataset_spec,
    loss_spec,
    parse_scales,
)
from .options import with_defaults


def make_config(
    *,
    loss: str = BASE_LOSS,
    lam: float | None = None,
    settings: Mapping[str, Value] | None = None,
    as_written: bool = False,
    recipe: str | None = None,
    **options: Value | None,
) -> RunConfig:
    """A config from options by field name; None and absent ones take their defaults.

    `loss` is a name or a weighted sum; an auxiliary term named alone joins softmax unless
    `as_written`. `lam` is the weight of the term that has none written; `settings` map `alpha` or
    `center.alpha` to a value. A recipe replaces the defaults. A folder or file that is named as `dataset` is
    read. Raises UsageError with one sentence for a wrong value, and InvalidData for data that cannot be used.
    """
    if isinstance(place := options.get("dataset"), str | os.PathLike):
        options["dataset"] = catalog.dataset_name(os.fspath(place))
    dataset = dataset_spec(str(options.get("dataset") or DEFAULT_DATASET))
    if len(dataset.shape) == 1 and options.get("network") is None:
        options["network"] = DEFAULT_FEATURE_NETWORK
    training = _recipe(recipe or RECIPE_OPTION.default, [name for name, _ in parse_sum(loss)])
    values = with_defaults(RUN_OPTIONS, _with_recipe(training, options))
    if options.get("epochs") is None:
        values["epochs"] = max(1, round(values["epochs"] * training.epoch_share))
    if values["eval_split"] == "val" and options.get("val_size") == 0:
        raise UsageError("--val-size 0 leaves no images to evaluate on without the test split.")
    _check_sources(values, dataset)
    class_names = dataset.classes
    values["unseen"] = _unseen(values["unseen"], class_names)
    values["milestones"] = _milestones(values["milestones"])
    values["augment"] = _augmentations(values["augment"])
    values["lr_scale"] = ",".join(
        f"{part}={scale:g}" for part, scale in sorted(parse_scales(values["lr_scale"]).items()) if scale != 1
    )
    shape = (len(class_names) - len(values["unseen"]), values["feature_dim"])
    if 0 < values["train_size"] < shape[0]:
        raise UsageError(f"--train-size {values['train_size']} is less than the {shape[0]} classes.")
    if not values["label_noise"]:
        values["noise_kind"] = STORED_DEFAULTS["noise_kind"]  # without noise it is the same run
    weights, target = _weights(loss, lam, shape, as_written, training.weights)
    of_recipe = {k: v for k, v in training.settings.items() if k.partition(".")[0] in weights}
    by_term = _settings_by_term(list(weights), of_recipe | dict(settings or {}))
    terms = tuple(
        Term(
            name=name,
            weight=weight,
            by_lambda=name == target,
            settings=_settings(name, by_term[name], shape, as_written),
        )
        for name, weight in weights.items()
    )
    values |= sampling(values, terms, shape[0])
    foreign = as_written and catalog.is_external(values["network"], "networks")
    smallest = 1 if foreign else catalog.spec("networks", values["network"]).smallest_batch
    if values["batch_size"] < smallest:
        raise UsageError(
            f"--batch-size {values['batch_size']} is too small; the batch norm of --network "
            f"{values['network']} needs {smallest} samples."
        )
    return RunConfig(terms=terms, **values)


def paper_recipe(losses: Sequence[str]) -> RecipeSpec | None:
    """The SPEC of the recipe that `--recipe paper` stands for under these losses."""
    recipes: list[RecipeSpec] = [catalog.spec("recipes", name) for name in catalog.names("recipes")]
    return next((recipe for recipe in recipes if set(losses) <= set(recipe.losses)), None)


def _recipe(name: str, losses: Sequence[str]) -> RecipeSpec:
    """The SPEC of a recipe. Raises UsageError for an unknown one, or where no paper's has all the losses."""
    spec: RecipeSpec = catalog.spec("recipes", name)
    recipe = paper_recipe(losses) if spec.by_loss else spec
    if recipe is None:
        known = {other: catalog.spec("recipes", other).losses for other in catalog.names("recipes")}
        offered = "; ".join(f"{other} ({', '.join(names)})" for other, names in known.items() if names)
        raise UsageError(
            f"--recipe {name}: there is none for {' + '.join(losses)}; "
            f"any loss can be trained by one of: {offered}."
        )
    return recipe


def _with_recipe(recipe: RecipeSpec, options: Mapping[str, Any]) -> dict[str, Any]:
    """The given options before those of the recipe; a given optimizer, for example, brings its own rate."""
    given = {name: value for name, value in options.items() if value is not None}
    replaced = {name for name, value in given.items() if value != recipe.options.get(name)}
    replaced.discard("dataset")  # the recipe's epochs, for example, hold for any data set
    kept = {k: v for k, v in recipe.options.items() if RUN_OPTIONS[k].source not in replaced}
    return kept | given


def config_at(loss: str, point: Mapping[str, Value]) -> RunConfig:
    """The config of a loss with a value for each name: `lambda`, a field of RunConfig, or a setting as in
    `--set`. Raises UsageError.
    """
    lam = point.get("lambda")
    if isinstance(lam, str):
        raise UsageError(f"--lambda {lam} is not a number.")
    names = {*RUN_OPTIONS, RECIPE_OPTION.name}
    options: dict[str, Any] = {name: value for name, value in point.items() if name in names}
    settings = {name: value for name, value in point.items() if name not in {*names, "lambda"}}
    return make_config(loss=loss, lam=lam, settings=settings, **options)


def config_from_dict(data: Mapping[str, Any]) -> RunConfig:
    """A config from the plain data of `RunConfig.to_dict`.

    Raises UsageError for anything that `make_config` would refuse or would have written otherwise.
    """
    if not isinstance(data, Mapping) or not REQUIRED <= set(data) <= _FIELDS.keys() | {"data"}:
        raise UsageError("These are not the settings of a run.")
    _remember_data(data)
    seed = data["seed"]
    if type(seed) is not int or not 0 <= seed <= RUN_OPTIONS["seed"].le:
        return _from_dict(data)
    try:
        text = json.dumps({**data, "seed": 0}, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"These are not the settings of a run ({error}).") from None
    return dataclasses.replace(_from_json(text), seed=seed)


def _remember_data(data: Mapping[str, Any]) -> None:
    """Make the data set of a stored run known. Raises UsageError for one that was changed."""
    try:
        spec = DatasetSpec.from_dict(data["data"]) if "data" in data else None
        if (spec.name if spec else None) != (data["dataset"] if "@" in data["dataset"] else None):
            raise ValueError("its data set has another name")
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UsageError(f"These are not the settings of a run ({error}).") from None
    if spec:
        external.remember_dataset(spec)


_FIELDS = {option.key: name for name, option in RUN_OPTIONS.items()} | {"terms": "terms"}


@functools.lru_cache(maxsize=10_000)  # a folder of runs holds few settings but for the seed
def _from_json(text: str) -> RunConfig:
    return _from_dict(json.loads(text))


def _from_dict(data: Mapping[str, Any]) -> RunConfig:
    try:
        terms = [(t["name"], float(t["weight"]), dict(t["settings"])) for t in data["terms"]]
        options = STORED_DEFAULTS | {
            _FIELDS[key]: data[key] for key in data.keys() & _FIELDS.keys() - {"terms"}
        }
        settings = {f"{name}.{key}": value for name, _, of_term in terms for key, value in of_term.items()}
        expression = " + ".join(f"{weight!r}*{name}" for name, weight, _ in terms)
        with external.without_external_code():
            config = make_config(loss=expression, settings=settings, as_written=True, **options)
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"These are not the settings of a run ({error}).") from None
    if json.dumps(config.to_dict(), sort_keys=True) != json.dumps(data, sort_keys=True):
        raise UsageError("These are not the settings of a run: a value is missing or of another type.")
    return config


def _check_sources(values: Mapping[str, Any], dataset: DatasetSpec) -> None:
    """Raise UsageError for data that cannot be resized or changed, and for a start from no network."""
    if values["image_size"] and (len(dataset.shape) != 3 or not dataset.digest):
        raise UsageError("--image-size is for a folder of image files; these data have a shape of their own.")
    if _augmentations(values["augment"]) != NO_AUGMENTATION and len(dataset.shape) != 3:
        raise UsageError(f"--augment {values['augment']} is for images; these data are vectors of features.")
    if values["init"] and not re.fullmatch("[a-z0-9+-]+@[0-9a-f]{16}", values["init"]):
        raise UsageError(f"--init {str(values['init'])[:40]} is no run that is stored here.")


def _unseen(unseen: str | Sequence[int], names: Sequence[str]) -> tuple[int, ...]:
    """Labels of the classes to keep out, from `7,8,9` or `7-9`, class names, or stored labels."""
    if isinstance(unseen, str):
        unseen = [label for word in unseen.split(",") for label in _labels(word.strip(), names)]
    elif any(not isinstance(label, int) or not 0 <= label < len(names) for label in unseen):
        raise UsageError("unseen names labels that the data set does not have.")
    labels = tuple(sorted(set(unseen)))
    if len(names) - len(labels) < 2:
        raise UsageError(f"--unseen leaves {len(names) - len(labels)} classes; training needs two.")
    return labels


def _augmentations(text: str) -> str:
    """The names in `text`, joined by commas, in the order in which they are applied."""
    names = {name.strip() for name in text.split(",")}
    if unknown := names - {*AUGMENTATIONS, NO_AUGMENTATION}:
        known = ", ".join((*AUGMENTATIONS, NO_AUGMENTATION))
        raise UsageError(f"--augment {min(unknown)[:40]} is none of {known}.")
    return ",".join(name for name in AUGMENTATIONS if name in names) or NO_AUGMENTATION


def _milestones(milestones: str | Sequence[float] | None) -> tuple[float, ...] | None:
    """Rising fractions of training between 0 and 1, from `0.5,0.75` or stored numbers."""
    if isinstance(milestones, str):
        try:
            milestones = [float(word) for word in milestones.split(",")]
        except ValueError:
            raise UsageError(f"--milestones {milestones[:40]}: write fractions like 0.5,0.75.") from None
    if milestones is None:
        return None
    values = tuple(milestones)
    if not all(isinstance(value, float) and 0 < value < 1 for value in values) or values != tuple(
        sorted(set(values))
    ):
        raise UsageError("--milestones are rising fractions of the steps between 0 and 1, like 0.5,0.75.")
    return values


def _labels(word: str, names: Sequence[str]) -> Sequence[int]:
    """The label of a class name, or those of a range of them such as `7-9`; names may have hyphens."""
    if word in names:
        return [names.index(word)]
    parts = word.split("-")
    for place in range(1, len(parts)):
        first, last = "-".join(parts[:place]).strip(), "-".join(parts[place:]).strip()
        if first in names and last in names and names.index(first) <= names.index(last):
            return range(names.index(first), names.index(last) + 1)
    raise UsageError(f"--unseen {word[:40]} is no class or range of classes; there are: {', '.join(names)}.")


def lambda_target(parsed: Sequence[tuple[str, float | None]]) -> str | None:
    """The term whose weight --lambda sets: the only auxiliary one without a written weight, else the only
    term after the first without one; None where that is not one term.
    """
    unweighted = [name for name, weight in parsed if weight is None]
    auxiliary = [name for name in unweighted if loss_spec(name).weight is not None]
    candidates = auxiliary or unweighted[1:]
    return candidates[0] if len(candidates) == 1 else None


def _weights(
    loss: str,
    lam: float | None,
    shape: tuple[int, int],
    as_written: bool,
    of_recipe: Mapping[str, float],
) -> tuple[dict[str, float], str | None]:
    """The weight of each term of a sum by name, and the name of the term that has the weight `lam`."""
    parsed = parse_sum(loss)
    names = [name for name, _ in parsed]
    for name in names:
        if not (as_written and catalog.is_external(name)):
            loss_spec(name)  # raises for an unknown name
    if repeated := {name for name in names if names.count(name) > 1}:
        raise UsageError(f"Each loss can stand in a sum once; {', '.join(sorted(repeated))} is repeated.")
    target = lambda_target(parsed) if lam is not None else None
    if lam is not None and target is None:
        raise UsageError(
            f"--lambda is the weight of one auxiliary term (such as center) without a written weight; "
            f"'{loss}' has {'several' if len(parsed) > 2 else 'none'}."
        )
    alone = len(parsed) == 1 and not as_written and loss_spec(names[0]).kind == "auxiliary"
    weights = {BASE_LOSS: 1.0} if alone else {}
    for name, weight in parsed:
        if name == target:
            weight = lam
        if weight is None:
            setting = loss_spec(name).weight if alone else None
            default = float(setting.default_for(*shape)) if setting else 1.0
            weight = of_recipe.get(name, default) if alone else default
        if not 0 <= weight < 1.7e308:  # also an int beyond any float
            raise UsageError(f"The weight of {name} is {str(weight)[:20]}; a weight (lambda) is at least 0.")
        weights[name] = float(weight)
    return weights, target


def _settings_by_term(names: list[str], settings: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Settings such as `alpha` or `center.alpha`, by the term that they belong to."""
    by_term: dict[str, dict[str, Value]] = {name: {} for name in names}
    for key, value in settings.items():
        term, _, setting = key.rpartition(".")
        term = catalog.canonical(term)
        owners = [term] if term else [name for name in names if setting in loss_spec(name).settings]
        if len(owners) > 1:
            choices = " or ".join(f"{name}.{setting}" for name in owners)
            raise UsageError(f"Several terms have a setting '{setting}'; say {choices}.")
        if not owners or owners[0] not in by_term:
            available = ", ".join(f"{name}.{known}" for name in names for known in loss_spec(name).settings)
            raise UsageError(f"{' + '.join(names)} has no setting '{key}'; it has: {available or 'none'}.")
        by_term[owners[0]][setting] = value
    return by_term


def _settings(
    name: str, settings: Mapping[str, Value], shape: tuple[int, int], as_written: bool
) -> tuple[tuple[str, Value], ...]:
    """The settings of a term, defaults filled in; those of a stored external loss as they are."""
    if as_written and catalog.is_external(name):
        if not all(isinstance(value, bool | int | float | str) for value in settings.values()):
            raise UsageError(f"The settings of {name} are not numbers, switches or words.")
        return tuple(sorted(settings.items()))
    classes, dim = shape
    return tuple(sorted(loss_spec(name).resolve(classes, dim, **settings).items()))


def sampling(values: Mapping[str, Any], terms: Sequence[Term], classes: int) -> dict[str, Value]:
    """The sampler and the sizes of its batches. Raises UsageError where they contradict each other."""
    sampler, p, k = (values[name] for name in ("sampler", "classes_per_batch", "samples_per_class"))
    if sampler == "auto":
        balanced = p or k or any(term.spec.sampler == "balanced" for term in terms)
        sampler = "balanced" if balanced else "shuffled"
    if sampler == "shuffled":
        if p or k:
            raise UsageError("--classes-per-batch and --samples-per-class need balanced batches.")
        return {"sampler": sampler}
    p = p or classes
    k = k or max(2, values["batch_size"] // p)
    if p > classes:
        raise UsageError(f"--classes-per-batch {p} is more than the {classes} classes there are.")
    return {"sampler": sampler, "batch_size": p * k, "classes_per_batch": p, "samples_per_class": k}


def feasibility_warnings(config: RunConfig) -> list[str]:
    """A sentence for each setting beyond what C directions in D dimensions can satisfy."""
    return [
        f"{term.name}: {text}"
        for term in config.terms
        for text in term.spec.warnings(dict(term.settings), config.classes, config.feature_dim)
    ]
