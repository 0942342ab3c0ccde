"""Names from file names: what losses, networks, data sets, metrics and figures there are.

A file `losses/l_softmax.py` is the loss `l-softmax`; `networks/lenet_plus_plus.py` is `lenet++`.
Private files start with an underscore. Entries are loaded one at a time, and the SPEC of an entry is
read without importing the entry, because that would import torch and make every listing slow.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
from pathlib import Path
from typing import Any, Literal

from .errors import unknown_name

Kind = Literal["losses", "networks", "datasets", "metrics", "figures"]

_PACKAGE = Path(__file__).parent
_NOUN = {
    "losses": "loss",
    "networks": "network",
    "datasets": "data set",
    "metrics": "metric",
    "figures": "figure",
}
_SPEC_MODULES = {"contracts", "feasibility"}  # what a SPEC may be made of: nothing that imports torch


@functools.lru_cache
def names(kind: Kind) -> tuple[str, ...]:
    """All names of one kind, sorted."""
    files = (_PACKAGE / kind).glob("*.py")
    return tuple(sorted(_name(file.stem) for file in files if not file.stem.startswith("_")))


@functools.lru_cache
def spec(kind: Kind, name: str) -> Any:
    """The SPEC of an entry, read without importing its module. Raises UsageError for an unknown name."""
    tree = ast.parse(_file(kind, name).read_text(encoding="utf-8"))
    wanted = [node for node in tree.body if _is_spec_import(node) or _is_spec(node)]
    scope: dict[str, Any] = {"__name__": f"lossbench.{kind}._spec", "__package__": f"lossbench.{kind}"}
    exec(compile(ast.Module(wanted, []), str(_file(kind, name)), "exec"), scope)
    return scope["SPEC"]


@functools.lru_cache
def load(kind: Kind, name: str) -> Any:
    """The one public class of an entry, or its one public function. Raises UsageError for an unknown name."""
    module = importlib.import_module(f"lossbench.{kind}.{_file(kind, name).stem}")
    public = [
        value
        for key, value in vars(module).items()
        if not key.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and (inspect.isclass(value) or inspect.isfunction(value))
    ]
    if len(public) != 1:
        raise TypeError(f"{module.__name__} must have exactly one public class or function")
    return public[0]


def by_class_name(kind: Kind) -> dict[str, str]:
    """Class name to entry name, e.g. ArcFace to arcface, read without importing the entries."""
    return {_class_name(_file(kind, name)): name for name in names(kind)}


def _file(kind: Kind, name: str) -> Path:
    if name not in names(kind):
        raise unknown_name(_NOUN[kind], name, names(kind))
    stem = name.replace("-", "_").replace("+", "_plus")
    return _PACKAGE / kind / f"{stem}.py"


def _name(stem: str) -> str:
    return stem.replace("_plus", "+").replace("_", "-")


def _is_spec(node: ast.stmt) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "SPEC" for target in targets)


def _is_spec_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module in _SPEC_MODULES


def _class_name(file: Path) -> str:
    classes = (node for node in ast.parse(file.read_text(encoding="utf-8")).body)
    return next(node.name for node in classes if isinstance(node, ast.ClassDef) and node.name[0] != "_")
