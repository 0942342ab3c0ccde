"""The source that a user's class depends on: its own, its parents', and what these use of other modules."""

import ast
import contextlib
import functools
import importlib.util
import inspect
import os
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

_NO_SOURCE = (OSError, TypeError, SyntaxError, tokenize.TokenError)  # the last two: of a file being edited
_LIBRARIES = {"builtins", "typing", "abc", "torch", "lossbench", "pytorch_metric_learning"}


def sources_of(entry: type) -> list[str]:
    """The source of a class and of those it is derived from, libraries left out, then of the functions,
    classes and variables that these use: of their own modules, and of those that lie beside or below them.
    """
    classes = [c for c in entry.__mro__ if c.__module__.partition(".")[0] not in _LIBRARIES]
    sources, used = [], dict[tuple[str, str], str]()
    for base in classes:
        try:
            sources.append(inspect.getsource(base))
        except _NO_SOURCE:  # a class without a file, such as one of a notebook
            for function in filter(inspect.isfunction, vars(base).values()):
                with contextlib.suppress(*_NO_SOURCE):
                    sources.append(inspect.getsource(function))
    for base in classes:
        folder = Path(getattr(sys.modules.get(base.__module__), "__file__", None) or "/nowhere").parent
        _add(base.__module__, base.__name__, folder, used)
    listed = {(base.__module__, base.__name__) for base in classes}
    return sources + [used[key] for key in sorted(used.keys() - listed)]


def _add(module_name: str, name: str, folder: Path, sources: dict[tuple[str, str], str]) -> None:
    """Add what a module defines under a name, and what that uses. A name '' is the whole module."""
    module = sys.modules.get(module_name)
    file = getattr(module, "__file__", None)
    if (module_name, name) in sources or file is None or folder not in Path(file).parents:
        return
    sources[module_name, name] = ""  # a module may import one that imports it
    text, statements = _parsed(file, os.stat(file).st_mtime_ns) if os.path.exists(file) else ("", [])
    for node in statements:
        if name and name not in _defined(node):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            for other, attribute in _imported(node, name, getattr(module, "__package__", None)):
                _add(other, attribute, folder, sources)
            continue
        sources[module_name, name] += ast.get_source_segment(text, node) or ""
        for used in {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}:
            _add(module_name, used, folder, sources)


@functools.lru_cache(maxsize=64)
def _parsed(file: str, changed: int) -> tuple[str, list[ast.stmt]]:  # noqa: ARG001
    """The text of a module and its statements; none for a file that is no Python."""
    try:
        text = Path(file).read_text(encoding="utf-8")
        return text, ast.parse(text).body
    except (OSError, ValueError, SyntaxError):
        return "", []


def _defined(node: ast.stmt) -> set[str]:
    """The names that a statement of a module binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    return {
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    }


def _imported(node: ast.Import | ast.ImportFrom, name: str, package: str | None) -> Iterator[tuple[str, str]]:
    """Modules, and the names in them, for which an import statement binds `name` (each one for '')."""
    for alias in node.names:
        if name and (alias.asname or alias.name.partition(".")[0]) != name:
            continue
        if isinstance(node, ast.Import):
            yield alias.name, ""
            continue
        with contextlib.suppress(ImportError, ValueError):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            submodule = f"{origin}.{alias.name}"
            yield (submodule, "") if submodule in sys.modules else (origin, alias.name)
