"""Ray clusters on this machine, and a folder of orders for the loss that harms its process."""

from __future__ import annotations

import os

import pytest

from ..helpers.faulty_losses import FAULTS

LEAN = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}


@pytest.fixture(scope="session")
def orders_folder(tmp_path_factory):
    """The same for the whole session: workers on Ray have the environment of their cluster's start."""
    folder = tmp_path_factory.mktemp("orders")
    os.environ[FAULTS] = str(folder)
    return folder


@pytest.fixture
def orders(orders_folder):
    yield orders_folder
    for order in orders_folder.iterdir():
        order.unlink()


@pytest.fixture(scope="module")
def cluster(orders_folder):
    """A head with one CPU, and a session with it: runs use it and leave it open."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    started = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **LEAN})
    ray.init(address=started.address, log_to_driver=False, logging_level="ERROR")
    yield started
    ray.shutdown()
    started.shutdown()
