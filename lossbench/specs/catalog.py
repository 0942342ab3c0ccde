"""Names from file names: what losses, networks, data sets, metrics, figures and so on there are.

A file `losses/l_softmax.py` is the loss `l-softmax`; `networks/lenet_plus_plus.py` is `lenet++`. A file with
a function may hold a family: several entries under names of their own, see `variants`.
Private files start with an underscore. Entries are loaded one at a time, and the SPEC of an entry is
read without importing the entry, because that would import torch and make every listing slow.
"""

from __future__ import annotations  # also for the code that is compiled here: it has no Tensor

import ast
import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import CodeType
from typing import Any, Literal

from ..errors import UnknownName, UsageError, unknown_name
from . import plugins
from .loss_spec import LossSpec

Kind = Literal[
    "losses", "networks", "optimizers", "schedules", "recipes", "data", "metrics", "figures", "reproductions"
]

_PACKAGE = Path(__file__).parent.parent
_FOLDER = {"recipes": "runs/recipes"}  # the others have a package of their name
_added: dict[tuple[Kind, str], Path] = {}  # entries whose file lies outside this package
_NOUN = {
    "losses": "loss",
    "networks": "network",
    "optimizers": "optimizer",
    "schedules": "schedule",
    "recipes": "recipe",
    "data": "data set",
    "metrics": "metric",
    "figures": "figure",
    "reproductions": "reproduction",
}
_FUNCTION = {
    "schedules": "factor",
    "data": "load",
    "metrics": "compute",
    "figures": "draw_figure",
}  # the others are a class each
_SPEC_MODULES = {"specs", "lossbench.specs", "math", "_reproduction", "_checks"}
"""What a SPEC may be made of: nothing that imports torch. The last two are in `reproductions`."""


@functools.lru_cache
def names(kind: Kind) -> tuple[str, ...]:
    """All names of the entries of one kind, sorted: those of this package and those `added`."""
    return tuple(sorted(_files(kind)))


@functools.lru_cache
def _files(kind: Kind) -> dict[str, Path]:
    """The file of each entry of one kind by the name of the entry."""
    public = [file for file in _folder(kind).glob("*.py") if not file.stem.startswith("_")]
    families = [file for file in public if kind in _FUNCTION and b"\nSPECS = " in file.read_bytes()]
    return {
        **{_name(file.stem): file for file in public if file not in families},
        **{name: file for file in families for name in _specs(file, kind)},
        **{name: file for (other, name), file in _added.items() if other == kind},
    }


@contextlib.contextmanager
def added(kind: Kind, file: Path) -> Iterator[str]:
    """Inside the block a file outside this package is an entry too, under the name that is yielded.

    It is read like a file of the package: the SPEC without running it, the rest when it is used.
    """
    caches = (names, _files, _specs, spec, load, by_class_name, _aliases)
    _added[kind, _name(file.stem)] = file
    for cache in caches:
        cache.cache_clear()
    try:
        yield _name(file.stem)
    finally:
        del _added[kind, _name(file.stem)]
        for cache in caches:
            cache.cache_clear()


def canonical(name: str) -> str:
    """The name of a loss from one of its aliases; any other name as it is."""
    return name if name in names("losses") else _aliases().get(name, name)


@functools.lru_cache
def _aliases() -> dict[str, str]:
    return {alias: name for name in names("losses") for alias in spec("losses", name).aliases}


def name_of(entry: type, kind: Literal["losses", "networks"] = "losses") -> str:
    """The name of a loss or network by its class: that of the catalogue, else `module:Class`.

    Raises UsageError for a class that cannot be found by its name, such as one inside of a function.
    """
    listed = by_class_name(kind).get(entry.__name__)
    if listed and entry.__module__.startswith("lossbench."):
        return listed
    name = f"{entry.__module__}:{entry.__qualname__}"
    if getattr(sys.modules.get(entry.__module__), entry.__qualname__, None) is not entry:
        raise UsageError(f"{name} cannot be imported by its name; define the class at the top of a module.")
    refresh(name, kind)
    return name


def refresh(name: str, kind: Literal["losses", "networks"] = "losses") -> None:
    """Forget a class from outside where its module has another one by now, as a notebook may."""
    module, _, attribute = name.partition(":")
    entry = getattr(sys.modules.get(module), attribute, None)
    if isinstance(entry, type) and inspect.unwrap(plugins.find(name, kind)[0]) is not entry:
        for cache in (plugins.find, spec, load):
            cache.cache_clear()


def is_external(name: str, kind: Kind = "losses") -> bool:
    """Whether a loss, network or data set lies outside this package. Reading the SPEC of a loss or network
    then runs its code; a data set has such a name once it was found, and its SPEC is stored with runs."""
    if kind == "data":
        return re.fullmatch(r"[a-z0-9+-]+@[0-9a-f]{10}", name) is not None
    if kind not in ("losses", "networks"):
        return False
    listed = canonical(name) if kind == "losses" else name
    return ":" in name or (listed not in names(kind) and name in plugins.offered_of(kind))


def is_place_of_data(text: str) -> bool:
    """Whether a user means a data set by where it lies, not by its name."""
    if text in names("data") or is_external(text, "data"):
        return False
    return os.path.exists(text) or any(character in text for character in (os.sep, ".", ":", "~"))


def title(kind: Kind, name: str) -> str:
    """What people call an entry; of one from outside what its name says, so that no code is run."""
    if not is_external(name, kind):
        text: str = spec(kind, name).title
        return text
    dataset = plugins.known_dataset(name) if kind == "data" else None
    return dataset.title if dataset else name.partition("@")[0].rpartition(":")[2]


@functools.lru_cache
def spec(kind: Kind, name: str) -> Any:
    """The SPEC of an entry, read without importing its module. Raises UsageError for an unknown name."""
    if kind == "losses" and canonical(name) != name:
        return spec(kind, canonical(name))
    if kind in ("losses", "networks") and is_external(name, kind):
        return plugins.find(name, kind)[1]
    if kind == "data" and (dataset := plugins.known_dataset(name)):
        return dataset
    return _specs(_file(kind, name), kind)[name]


@functools.lru_cache
def _specs(file: Path, kind: Kind) -> Mapping[str, Any]:
    """The SPEC of each entry of a file by the name of the entry."""
    imports, declaration = _declaration(file)
    package = f"lossbench.{_FOLDER.get(kind, kind).replace('/', '.')}"
    globals_: dict[str, Any] = {"__name__": f"{package}._spec", "__package__": package}
    namespace: dict[str, Any] = {}
    exec(imports, globals_)
    exec(declaration, globals_, namespace)  # with two dictionaries it runs as a class body does
    if "SPECS" in namespace:
        family: Mapping[str, Any] = namespace["SPECS"]
        return family
    declared = namespace["SPEC"]
    if isinstance(declared, LossSpec):
        declared = declared.with_settings(namespace)
    return {_name(file.stem): declared}


@functools.lru_cache
def load(kind: Kind, name: str) -> Any:
    """The class or function that an entry is. Raises UsageError for an unknown name."""
    if kind == "losses" and canonical(name) != name:
        return load(kind, canonical(name))
    if kind in ("losses", "networks") and is_external(name, kind):
        return plugins.find(name, kind)[0]
    file = _file(kind, name)
    path = f"lossbench.{kind}.{file.stem}"
    if (kind, name) in _added:
        location = importlib.util.spec_from_file_location(path, file)
        assert location
        assert location.loader
        module = importlib.util.module_from_spec(location)
        location.loader.exec_module(module)
    else:
        module = importlib.import_module(path)
    entry = getattr(module, _FUNCTION.get(kind) or _class_name(file))
    arguments = getattr(spec(kind, name), "arguments", {})
    return functools.partial(entry, **arguments) if arguments else entry


@functools.lru_cache
def by_class_name(kind: Kind) -> dict[str, str]:
    """Class name to entry name, e.g. ArcFace to arcface, read without importing the entries."""
    return {_class_name(_file(kind, name)): name for name in names(kind)}


def _file(kind: Kind, name: str) -> Path:
    if name not in names(kind):
        offered = plugins.offered_of(kind) if kind in ("losses", "networks") else ()
        aliases = _aliases() if kind == "losses" else ()
        error = unknown_name(_NOUN[kind], name, [*names(kind), *offered], aliases)
        if kind == "data" and not error.hint.startswith("did you mean"):
            raise UnknownName(error.what, f"no folder or file here has this name, and {error.hint}")
        raise error
    return _files(kind)[name]


def _folder(kind: Kind) -> Path:
    return _PACKAGE / _FOLDER.get(kind, kind)


def _name(stem: str) -> str:
    return stem.replace("_plus", "+").replace("_", "-")


def _declaration(file: Path) -> tuple[CodeType, CodeType]:
    """The imports that a SPEC may use, and the SPEC; for a loss, whose class holds it, with the annotated
    fields below it, which are the hyper-parameters."""
    statements = ast.parse(file.read_text(encoding="utf-8")).body
    imports: list[ast.stmt] = [node for node in statements if _is_spec_import(node)]
    for node in statements:
        if isinstance(node, ast.ClassDef) and any(map(_is_spec, node.body)):
            statements = [each for each in node.body if _is_spec(each) or _is_field(each)]
            break
    else:
        statements = [each for each in statements if _is_spec(each)]
    first, second = (compile(ast.Module(part, []), str(file), "exec") for part in (imports, statements))
    return first, second


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and node.value is not None


def _is_spec(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id in ("SPEC", "SPECS") for target in targets)


def _is_spec_import(node: ast.stmt) -> bool:
    if isinstance(node, ast.Import):
        return all(alias.name in _SPEC_MODULES for alias in node.names)
    return isinstance(node, ast.ImportFrom) and node.module in _SPEC_MODULES


def _class_name(file: Path) -> str:
    nodes = ast.parse(file.read_text(encoding="utf-8")).body
    classes = [node.name for node in nodes if isinstance(node, ast.ClassDef) and node.name[0] != "_"]
    if len(classes) != 1:
        raise TypeError(f"{file} must have exactly one public class")
    return classes[0]
