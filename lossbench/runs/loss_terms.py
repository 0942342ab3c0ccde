"""The terms of a loss: from names, weights and settings as a user writes them to `Term`s."""

from collections.abc import Mapping, Sequence

from ..errors import UsageError
from ..specs import RecipeSpec, Value, catalog
from ..specs.expressions import parse_sum
from .config import BASE_LOSS, loss_spec
from .term import Term


def loss_terms(
    loss: str,
    lam: float | None,
    settings: Mapping[str, Value],
    shape: tuple[int, int],
    recipe: RecipeSpec,
    *,
    as_written: bool,
) -> tuple[Term, ...]:
    """The terms of a weighted sum of losses for (C, D), with the settings of all; those of the recipe where
    none are given. See `make_config`."""
    weights, target = _weights(loss, lam, shape, as_written, recipe.weights)
    of_recipe = {k: v for k, v in recipe.settings.items() if k.partition(".")[0] in weights}
    by_term, given = (_settings_by_term(list(weights), each) for each in (of_recipe, settings))
    return tuple(
        Term(
            name=name,
            weight=weight,
            by_lambda=name == target,
            settings=_settings(name, by_term[name] | given[name], shape, as_written),
        )
        for name, weight in weights.items()
    )


def term_names(loss: str) -> list[str]:
    """The names of the terms of a loss: an auxiliary one that is named alone joins softmax."""
    names = [name for name, _ in parse_sum(loss)]
    alone = len(names) == 1 and loss_spec(names[0]).kind == "auxiliary"
    return [BASE_LOSS, *names] if alone else names


def lambda_target(parsed: Sequence[tuple[str, float | None]]) -> str | None:
    """The term whose weight --lambda sets: the only auxiliary one without a written weight, else the only
    term after the first without one; None where that is not one term.
    """
    unweighted = [name for name, weight in parsed if weight is None]
    auxiliary = [name for name in unweighted if loss_spec(name).weight is not None]
    candidates = auxiliary or unweighted[1:]
    return candidates[0] if len(candidates) == 1 else None


def _weights(
    loss: str, lam: float | None, shape: tuple[int, int], as_written: bool, of_recipe: Mapping[str, float]
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
    alone = not as_written and term_names(loss) != names
    weights = {BASE_LOSS: 1.0} if alone else {}
    for name, weight in parsed:
        if name == target:
            weight = lam
        if weight is None:
            setting = loss_spec(name).weight if alone else None
            default = float(setting.default_for(*shape)) if setting else 1.0
            weight = of_recipe.get(name, default) if alone else default
        if not 0 <= weight < 1.7e308:  # also an int beyond any float
            raise UsageError(
                f"The weight of {name} is {str(weight)[:20]}; a weight (lambda) is finite and at least 0."
            )
        weights[name] = float(weight)
    return weights, target


def _settings_by_term(names: list[str], settings: Mapping[str, Value]) -> dict[str, dict[str, Value]]:
    """Settings such as `alpha` or `center.alpha`, by the term that they belong to. Raises UsageError for a
    setting under both names."""
    by_term: dict[str, dict[str, Value]] = {name: {} for name in names}
    for key, value in settings.items():
        term, _, setting = key.rpartition(".")
        term = catalog.canonical(term)
        owners = [term] if term else [name for name in names if setting in loss_spec(name).settings]
        if len(owners) > 1:
            choices = " or ".join(f"{name}.{setting}" for name in owners)
            raise UsageError(f"Several terms have a setting '{setting}'; say {choices}.")
        if not owners or owners[0] not in by_term:
            available = ", ".join(f"{name}.{each}" for name in names for each in loss_spec(name).settings)
            raise UsageError(f"{' + '.join(names)} has no setting '{key}'; it has: {available or 'none'}.")
        if setting in by_term[owners[0]]:
            raise UsageError(f"{setting} and {owners[0]}.{setting} are the same setting; give one of them.")
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
