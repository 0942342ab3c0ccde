"""The rules of the house that a machine can check: sizes, docstrings, and who may know whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from lossbench import catalog

PACKAGE = Path(__file__).parent.parent / "lossbench"
MODULES = sorted(PACKAGE.rglob("*.py"))
VARIANTS = ("losses", "networks", "datasets", "figures", "metrics")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_is_and_fits_in_a_head(path):
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    lines = len(source.splitlines())
    assert lines <= (150 if path.parent.name in VARIANTS else 300)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            length = node.end_lineno - node.lineno + 1
            assert length <= 50, f"{node.name} has {length} lines"


def test_no_code_outside_its_file_knows_a_variant_by_name():
    """The loop must not know which loss it runs; config.py holds the defaults."""
    known = {name for kind in VARIANTS for name in catalog.names(kind)} - {"accuracy", "features", "curves"}
    known -= {"spread", "gap", "range", "git", "ring", "angles", "regions", "training"}  # English and Python
    allowed = {PACKAGE / "config.py", PACKAGE / "rendering.py", PACKAGE / "reporting.py"}
    allowed |= {PACKAGE / "benchmarks" / "metrics.py"}  # which of them scikit-learn has as well
    defaults = {"cli/train.py: 'softmax'", "cli/sweep.py: 'center'", "cli/bench.py: 'center'"}
    for path in MODULES:
        if path in allowed or path.parent.name in VARIANTS:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in known:
                default = f"{path.relative_to(PACKAGE)}: '{node.value}'"
                assert default in defaults, default


def test_every_variant_has_a_test():
    tests = Path(__file__).parent
    for name in catalog.names("losses"):
        stem = name.replace("-", "_")
        assert (tests / "losses" / f"test_{stem}.py").exists(), name
    for name in catalog.names("figures"):
        assert (tests / "figures" / f"test_{name.replace('-', '_')}.py").exists(), name
