"""Shared by all tests: a fixed seed, a wide colourless terminal, and the real MNIST where it lies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("COLUMNS", "200")
os.environ["OMP_NUM_THREADS"] = "1"  # two test processes share the cores
os.environ["_TYPER_FORCE_DISABLE_TERMINAL"] = "1"
os.environ["NO_COLOR"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
import torch

from .helpers.command_server import CommandServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip `mnist` tests only where nobody said that the data is here: a set LOSSBENCH_DATA must work.

    Files of many short tests come last, so that no process is left alone with a long one.
    """
    items.sort(key=lambda item: item.path.parent.name in ("losses", "figures", "metrics"))
    if "LOSSBENCH_DATA" in os.environ:
        return
    skip = pytest.mark.skip(reason="needs MNIST: set LOSSBENCH_DATA to a torchvision data folder")
    for item in items:
        if item.get_closest_marker("mnist"):
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def fixed_seed() -> None:
    """Not by `torch.manual_seed`, which formats the stack for each GPU that is not in use yet: a millisecond."""
    torch.default_generator.manual_seed(0)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    return Path(os.environ["LOSSBENCH_DATA"])


@pytest.fixture(scope="session")
def server() -> Iterator[CommandServer]:
    """Real processes without the seconds in which each would import torch."""
    with CommandServer() as made:
        yield made
