"""Rules on all modules: docstrings, imports, and where names of variants may stand."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from lossbench.specs import catalog

PACKAGE = Path(__file__).parent.parent / "lossbench"
MODULES = sorted(PACKAGE.rglob("*.py"))
VARIANTS = ("losses", "networks", "optimizers", "schedules", "data", "figures", "metrics")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("package", VARIANTS)
def test_a_variant_imports_no_other_variant(package):
    """What several variants of a kind share stands in private modules beside them."""
    for path in (PACKAGE / package).glob("[!_]*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                assert (node.module or "").startswith("_"), f"{path.name} imports {node.module}"
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                assert node.module.partition(".")[0] != package, f"{path.name} imports {node.module}"


def test_no_code_outside_its_file_knows_a_variant_by_name():
    """The loop must not know which loss it runs; config.py holds the defaults. Commands and reports name figures."""
    known = {name for kind in VARIANTS for name in catalog.names(kind)} - {"accuracy", "features", "curves"}
    known -= {
        "spread",
        "gap",
        "range",
        "git",
        "ring",
        "angles",
        "regions",
        "training",
        "step",
    }  # English and Python
    files = ["runs/config.py", "benchmarks/metrics.py", "reports/result_tables.py"]
    files += ["experiments/loss_benchmark.py", "benchmarks/gpu.py"]  # a protocol names what is measured
    files += [f"reports/loss_benchmark/{part}.py" for part in ("advice", "figures", "findings", "page")]
    allowed = {PACKAGE / file for file in files}
    figures = set(catalog.names("figures"))
    defaults = {
        "__init__.py: 'softmax'",
        "cli/train.py: 'softmax'",
        "cli/sweep.py: 'center'",
        "cli/bench.py: 'center'",
    }
    for path in MODULES:
        if path in allowed or path.parent.name in (*VARIANTS, "recipes", "reproductions"):
            continue
        names = known - (figures if path.parent.name in ("cli", "reports") else set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names:
                default = f"{path.relative_to(PACKAGE)}: '{node.value}'"
                assert default in defaults, default


def test_every_variant_has_a_test():
    tests = Path(__file__).parent
    for kind in ("losses", "optimizers", "schedules", "figures"):
        for name in catalog.names(kind):
            assert (tests / kind / f"test_{name.replace('-', '_')}.py").exists(), name


def test_the_layers_of_the_linter_and_of_contributing_are_the_packages_there_are():
    root = PACKAGE.parent
    tomllib = pytest.importorskip("tomllib", reason="Python reads TOML from 3.11 on")
    contract = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [set(layer.split(" | ")) for layer in contract["layers"]]
    rows = re.findall(r"^\| \d \| (.*?) \|", (root / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == layers
    entries = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith("_")}
    assert set().union(*layers) == entries - {"py"}
    assert len(layers) <= 10
    assert len(entries) <= 23  # with __init__ and __main__ at most 25


def test_the_command_line_imports_only_what_other_packages_make_public():
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                private = [name for name in names if name.startswith("_") and name != "__version__"]
                assert not private, f"{path.name} imports {private[0]} from {node.module}"


def test_the_command_line_is_checked_without_exceptions_of_its_own():
    for path in (PACKAGE / "cli").glob("*.py"):
        assert "type: ignore" not in path.read_text(encoding="utf-8"), path.name


def test_what_is_handed_over_cannot_be_changed():
    """Every dataclass is frozen but the one that a scheduler keeps of a task."""
    changeable = {
        node.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        for decorator in map(ast.unparse, node.decorator_list)
        if decorator.partition("(")[0] == "dataclass" and "frozen=True" not in decorator
    }
    assert changeable == {"_Submitted"}
