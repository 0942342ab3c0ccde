"""From options to a `RunConfig`: names and values checked, defaults filled in."""

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import UsageError
from ..specs import NO_AUGMENTATION, DatasetSpec, RecipeSpec, Value, catalog, plugins
from ..specs.expressions import parse_sum
from .config import (
    BASE_LOSS,
    DEFAULT_DATASET,
    DEFAULT_FEATURE_NETWORK,
    RECIPE_OPTION,
    RUN_OPTIONS,
    STORED_DEFAULTS,
    RunConfig,
    dataset_spec,
)
from .loss_terms import loss_terms
from .option_values import augmentation_names, milestone_fractions, scale_text, unseen_labels
from .options import with_defaults
from .term import Term


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
        options["dataset"] = dataset_name(os.fspath(place))
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
    values["unseen"] = unseen_labels(values["unseen"], class_names)
    values["milestones"] = milestone_fractions(values["milestones"])
    values["augment"] = augmentation_names(values["augment"])
    values["lr_scale"] = scale_text(values["lr_scale"])
    shape = (len(class_names) - len(values["unseen"]), values["feature_dim"])
    if 0 < values["train_size"] < shape[0]:
        raise UsageError(f"--train-size {values['train_size']} is less than the {shape[0]} classes.")
    if not values["label_noise"]:
        values["noise_kind"] = STORED_DEFAULTS["noise_kind"]  # without noise it is the same run
    terms = loss_terms(loss, lam, settings or {}, shape, training, as_written=as_written)
    values |= sampling(values, terms, shape[0])
    foreign = as_written and catalog.is_external(values["network"], "networks")
    smallest = 1 if foreign else catalog.spec("networks", values["network"]).smallest_batch
    if values["batch_size"] < smallest:
        raise UsageError(
            f"--batch-size {values['batch_size']} is too small; the batch norm of --network "
            f"{values['network']} needs {smallest} samples."
        )
    return RunConfig(terms=terms, **values)


def dataset_name(text: str, *, stored: bool = False) -> str:
    """The name of the data set that a user means by a name or by a place, which is read then; `stored`: to
    select runs, see `find_dataset`.

    Raises InvalidData for a place without data that can be used; what is neither stays as it is.
    """
    if not catalog.is_place_of_data(text):
        return text
    from ..data import find_dataset  # imports torch

    return find_dataset(text, stored=stored).name


def paper_recipe(losses: Sequence[str]) -> RecipeSpec | None:
    """The SPEC of the recipe that `--recipe paper` stands for under these losses."""
    recipes: list[RecipeSpec] = [catalog.spec("recipes", name) for name in catalog.names("recipes")]
    return next((recipe for recipe in recipes if set(losses) <= set(recipe.losses)), None)


def _recipe(name: str, losses: Sequence[str]) -> RecipeSpec:
    """The SPEC of a recipe. Raises UsageError for an unknown one, or where no paper's has all the losses."""
    spec: RecipeSpec = catalog.spec("recipes", RECIPE_OPTION.check(name))
    recipe = paper_recipe(losses) if spec.by_loss else spec
    if recipe is None:
        losses_of = {other: catalog.spec("recipes", other).losses for other in catalog.names("recipes")}
        offered = "; ".join(f"{other} ({', '.join(names)})" for other, names in losses_of.items() if names)
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
    if not isinstance(lam, int | float | None) or isinstance(lam, bool):
        raise UsageError(f"--lambda {lam} is not a number.")
    names = {*RUN_OPTIONS, RECIPE_OPTION.name}
    options: dict[str, Any] = {name: value for name, value in point.items() if name in names}
    settings = {name: value for name, value in point.items() if name not in {*names, "lambda"}}
    return make_config(loss=loss, lam=lam, settings=settings, **options)


def _check_sources(values: Mapping[str, Any], dataset: DatasetSpec) -> None:
    """Raise UsageError for data that cannot be resized or changed, and for a start from no network."""
    if values["image_size"] and (len(dataset.shape) != 3 or not dataset.digest):
        raise UsageError("--image-size is for a folder of image files; these data have a shape of their own.")
    if augmentation_names(values["augment"]) != NO_AUGMENTATION and len(dataset.shape) != 3:
        raise UsageError(f"--augment {values['augment']} is for images; these data are vectors of features.")
    if values["init"] and not re.fullmatch("[a-z0-9+-]+@[0-9a-f]{16}", values["init"]):
        raise UsageError(f"--init {str(values['init'])[:40]} is not a run that is stored here.")


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


def warnings_of(config: RunConfig) -> list[str]:
    """A sentence for each setting beyond what C directions in D dimensions can satisfy, and for each loss or
    network of the user that was edited after this process imported it: Python does not import it again."""
    return [
        f"{term.name}: {text}"
        for term in config.terms
        for text in term.spec.warnings(dict(term.settings), config.classes, config.feature_dim)
    ] + [
        f"{name} has changed since this process imported it; reload its module (importlib.reload) to use the "
        "new code."
        for name, kind in config.own_code.items()
        if plugins.has_changed(name, kind)
    ]
