"""A config from the stored data of a run, checked as strictly as the input of a user."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any

from ..errors import UnknownName, UsageError
from ..specs import DatasetSpec, plugins
from .config import REQUIRED, RUN_OPTIONS, STORED_DEFAULTS, RunConfig
from .config_builder import make_config


def config_from_dict(data: Mapping[str, Any]) -> RunConfig:
    """A config from the plain data of `RunConfig.to_dict`.

    Raises UsageError for anything that `make_config` would refuse or would have written otherwise;
    UnknownName for a loss, network and so on that is not here.
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
        plugins.remember_dataset(spec)
        known = plugins.known_dataset(spec.name)
        if (spec.digest, spec.to_dict()) != (known and known.digest, data["data"]):
            raise UsageError("These are not the settings of a run: its data set was changed.")


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
        with plugins.without_external_code():
            config = make_config(loss=expression, settings=settings, as_written=True, **options)
    except UnknownName as error:
        hint = "install the package, or the version of lossbench, that has it."
        raise UnknownName(error.what, hint) from None
    except (TypeError, KeyError, ValueError, AttributeError, OverflowError) as error:
        raise UsageError(f"These are not the settings of a run ({error}).") from None
    checked = config.to_dict() | {key: data[key] for key in ("data",) if key in data}  # see `_remember_data`
    if json.dumps(checked, sort_keys=True) != json.dumps(data, sort_keys=True):
        raise UsageError("These are not the settings of a run: a value is missing or of another type.")
    return config
