"""Names from file names, and specs that are read without importing torch."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

import lossbench
from lossbench.errors import UsageError
from lossbench.reproductions import Check, Reproduction
from lossbench.specs import (
    DatasetSpec,
    FigureSpec,
    LossSpec,
    MetricSpec,
    NetworkSpec,
    OptimizerSpec,
    RecipeSpec,
    ScheduleSpec,
    catalog,
)
from lossbench.specs.catalog import Kind

PACKAGE = Path(lossbench.__file__).parent
SPEC_TYPES = {
    "losses": LossSpec,
    "networks": NetworkSpec,
    "optimizers": OptimizerSpec,
    "schedules": ScheduleSpec,
    "recipes": RecipeSpec,
    "data": DatasetSpec,
    "metrics": MetricSpec,
    "figures": FigureSpec,
    "reproductions": Reproduction,
}
ENTRIES: list[tuple[Kind, str]] = [(kind, name) for kind in get_args(Kind) for name in catalog.names(kind)]


def module_of(kind: str, name: str) -> Any:
    package = "runs.recipes" if kind == "recipes" else kind
    return importlib.import_module(f"lossbench.{package}.{catalog._file(kind, name).stem}")


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_public_file_is_an_entry_and_nothing_else(kind: Kind) -> None:
    files = {
        file.stem
        for file in Path(module_of(kind, catalog.names(kind)[0]).__file__).parent.iterdir()
        if file.suffix == ".py"
    }
    public = {stem for stem in files if not stem.startswith("_")}
    assert {catalog._file(kind, name).stem for name in catalog.names(kind)} == public
    for name in catalog.names(kind):
        stem = catalog._file(kind, name).stem
        own_name = stem.replace("_plus", "+").replace("_", "-")
        assert name in getattr(module_of(kind, name), "SPECS", [own_name])
    assert list(catalog.names(kind)) == sorted(catalog.names(kind))
    assert not any("_" in name for name in catalog.names(kind))


def test_names_are_the_ones_that_people_type() -> None:
    assert {"softmax", "center", "arcface", "l-softmax", "l2-softmax", "n-pair"} <= set(
        catalog.names("losses")
    )
    assert {"lenet", "lenet++"} <= set(catalog.names("networks"))
    assert {"mnist", "emnist-digits", "fashion-mnist", "digits"} <= set(catalog.names("data"))
    assert {"accuracy", "nn-accuracy", "spread-gap"} <= set(catalog.names("metrics"))


@pytest.mark.parametrize(
    ("kind", "name"), [entry for entry in ENTRIES if entry[0] not in ("recipes", "reproductions")]
)
def test_every_entry_loads_as_its_one_class_or_function(kind: Kind, name: str) -> None:
    entry = catalog.load(kind, name)
    function = getattr(entry, "func", entry)  # of a family, with the arguments of this entry
    assert function.__module__ == module_of(kind, name).__name__
    assert inspect.isclass(entry) == (kind in ("losses", "networks", "optimizers"))
    assert callable(entry)
    assert catalog.load(kind, name) is entry


def comparable(value: Any) -> Any:
    """The same structure with callables by the places where they are written, or their import names."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: comparable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: comparable(inner) for key, inner in value.items()}
    if isinstance(value, Check):
        return value._replace(measure=None)
    if isinstance(value, tuple):
        return [comparable(inner) for inner in value]
    if callable(value) and "<" in value.__qualname__:  # a lambda or a closure
        return [value(classes, dim) for classes, dim in ((2, 2), (10, 2), (10, 3), (5, 8))]
    return value


@pytest.mark.parametrize(("kind", "name"), ENTRIES)
def test_the_spec_read_without_import_is_the_one_of_the_module(kind: Kind, name: str) -> None:
    read = catalog.spec(kind, name)
    assert isinstance(read, SPEC_TYPES[kind])
    holder = catalog.load(kind, name) if kind == "losses" else module_of(kind, name)
    assert comparable(read) == comparable(holder.SPECS[name] if hasattr(holder, "SPECS") else holder.SPEC)
    assert read.title
    assert read.question if kind == "reproductions" else read.summary


@pytest.mark.parametrize("name", catalog.names("losses"))
def test_a_loss_spec_agrees_with_the_constructor(name: str) -> None:
    spec = catalog.spec("losses", name)
    parameters = inspect.signature(catalog.load("losses", name)).parameters
    not_settings = ("num_classes", "feature_dim", "counts", "reduction")
    own = {key: value for key, value in parameters.items() if key not in not_settings or key in spec.settings}
    assert list(parameters)[:2] == ["num_classes", "feature_dim"]
    assert set(own) == set(spec.settings)
    for key, parameter in own.items():
        default = spec.settings[key].default
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default == (None if callable(default) else default), key
    assert (spec.weight is not None) == (spec.kind == "auxiliary")


def test_reading_all_specs_imports_no_torch() -> None:
    script = (
        "import sys; from lossbench.specs import catalog\n"
        f"for kind in {get_args(Kind)}:\n"
        "    specs = [catalog.spec(kind, name) for name in catalog.names(kind)]\n"
        "    assert specs, kind\n"
        "catalog.by_class_name('losses')\n"
        "slow = {'torch', 'torchvision', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not slow, slow\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize(
    "name", ["", "nothing-like-it", "__init__", "_weighted_sum", "../errors", "l_softmax", "x.y"]
)
def test_an_unknown_name_is_refused(kind: Kind, name: str) -> None:
    for ask in (catalog.spec, catalog.load):
        with pytest.raises(UsageError, match="^Unknown "):
            ask(kind, name)


def test_an_unknown_name_gets_its_near_matches_or_the_list() -> None:
    with pytest.raises(UsageError, match=r"Unknown loss 'archface'; did you mean arcface"):
        catalog.spec("losses", "archface")
    with pytest.raises(
        UsageError,
        match=r"Unknown data set 'qqq'; no folder or file here has this name, and there are: digits,",
    ):
        catalog.spec("data", "qqq")
    with pytest.raises(UsageError, match=r"Unknown network 'lenet\+'; did you mean lenet"):
        catalog.load("networks", "lenet+")


def test_classes_are_found_by_name_and_importable_from_the_package() -> None:
    found = catalog.by_class_name("losses")
    assert found["ArcFace"] == "arcface"
    assert found["LSoftmax"] == "l-softmax"
    assert sorted(found.values()) == list(catalog.names("losses"))
    losses = importlib.import_module("lossbench.losses")
    for class_name, name in found.items():
        assert getattr(losses, class_name) is catalog.load("losses", name)
        assert class_name in dir(losses)
    with pytest.raises(AttributeError, match="no loss class 'NoSuch'"):
        _ = losses.NoSuch


@pytest.mark.parametrize("name", ["mine:Wide", "my.folder:Wide", "mine:Wide@0123456789"])
def test_what_a_user_wrote_is_called_by_its_class(name):
    assert catalog.title("networks", name) == "Wide"


class Softmax(torch.nn.Module):
    """A class of a user with the name of a loss."""

    def __init__(self, num_classes, feature_dim):
        super().__init__()


def test_a_class_is_named_by_its_module_even_where_a_loss_is_called_the_same():
    assert catalog.name_of(lossbench.losses.Softmax) == "softmax"
    with pytest.raises(UsageError, match="cannot be imported"):
        catalog.name_of(type("Softmax", (), {"__module__": __name__}))
    assert catalog.name_of(Softmax) == f"{__name__}:Softmax"
