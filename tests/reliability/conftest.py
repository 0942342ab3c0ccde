"""Counts what the tests of this folder survived; a full run with UPDATE_RELIABILITY=1 writes it down.

UPDATE_RELIABILITY=1 python -m pytest -m 'slow or not slow' tests/reliability
"""

from __future__ import annotations

import collections
import os
import platform
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

REPORT = Path(__file__).parents[2] / "results" / "published" / "reliability.md"
COUNTS = pytest.StashKey[collections.Counter]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[COUNTS] = collections.Counter()


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Adds to a line of the report."""

    def add(what: str, number: int = 1) -> None:
        request.config.stash[COUNTS][what] += number

    return add


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Under xdist the tests count in processes of their own."""
    node.config.stash[COUNTS].update(getattr(node, "workeroutput", {}).get("reliability", {}))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    counts = session.config.stash[COUNTS]
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["reliability"] = dict(counts)
    elif os.environ.get("UPDATE_RELIABILITY") and counts and exitstatus == 0:
        REPORT.write_text(_report(counts), encoding="utf-8")


def _report(counts: collections.Counter) -> str:
    import torch

    from lossbench import __version__

    lines = [f"| {what} | {number:,} |" for what, number in sorted(counts.items())]
    return "\n".join(
        [
            "# Reliability, as the tests measured it",
            "",
            "After every kill and every fault the same command was given again, and what it left was compared",
            "bit for bit with an undisturbed run: weights, features, numbers, tables, figures. A run would be lost",
            "if it were missing, damaged or different then. All tests passed; a count of one that failed would not",
            "stand here.",
            "",
            "| what | number |",
            "|---|---|",
            *lines,
            "| runs lost | 0 |",
            "| runs trained twice | 0 |",
            "",
            f"{datetime.now(timezone.utc):%Y-%m-%d} · lossbench {__version__} · torch {torch.__version__} · Python "
            f"{platform.python_version()} · {platform.system()} · {os.cpu_count()} cores · written by",
            "`UPDATE_RELIABILITY=1 python -m pytest -m 'slow or not slow' tests/reliability`",
            "",
        ]
    )
