"""A connection to Ray, joined or started here; what its nodes can take, and the data put there once."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import platform
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from .. import __version__
from ..data import Splits, to_arrays
from ..errors import RunError, UsageError
from ..records import SplitSpec
from ..training.device import cores
from ._mailbox import Mailbox

_PATIENCE = 5.0  # seconds until an address that does not answer counts as not reachable

_SETTINGS = b"\x04"  # the kind of the frame with which both sides of HTTP/2, and so of gRPC, begin
_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + _SETTINGS + bytes(5)


class Share(NamedTuple):
    """What a run takes of a node: CPUs (its threads) and GPUs, of which one may serve several runs."""

    cpus: int = 1
    gpus: float = 0.0


def imported() -> Any:
    """Ray, without its telemetry. Raises UsageError where it is not installed."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise UsageError("--engine ray needs Ray: pip install 'lossbench[ray]'.") from None
    return ray


def versions() -> dict[str, str]:
    """What must be the same where runs are sent from and where they train; builds of torch may differ."""
    return {
        "lossbench": __version__,
        "torch": torch.__version__.partition("+")[0],
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }


def difference(expected: Mapping[str, str]) -> str:
    """A sentence where this node's versions are others, else nothing."""
    here, name = versions(), socket.gethostname()
    return " ".join(
        f"Node {name} has {part} {here[part]}, this process {expected[part]}; install the same on all nodes."
        for part in expected
        if here[part] != expected[part]
    )


class Cluster:
    """Ray as this process sees it. A session that was open before is used and left open."""

    def __init__(self, ray: Any, share: Share) -> None:
        self.ray, self.share = ray, share
        here = ray.get_runtime_context().get_node_id()
        place = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
        actor = ray.remote(Mailbox).options(num_cpus=0, max_restarts=-1, scheduling_strategy=place)
        self.mailbox = actor.remote()

    def put(self, data: Mapping[SplitSpec, Splits]) -> dict[SplitSpec, Any]:
        """References to the splits by kind: a node fetches them once, and its runs share that memory."""
        return {kind: self.ray.put(to_arrays(splits)) for kind, splits in data.items()}

    def slots(self) -> int:
        """How many runs fit at once on the nodes that live."""
        return sum(fitting(self.share, node["Resources"]) for node in self.ray.nodes() if node["Alive"])


def fitting(share: Share, has: Mapping[str, float]) -> int:
    """How many runs fit at once on a node with these resources."""
    by_cpu, gpus = int(has.get("CPU", 0)) // share.cpus, int(has.get("GPU", 0))
    if not share.gpus:
        return by_cpu
    if share.gpus < 1:  # a part lies on one GPU
        return min(by_cpu, gpus * math.floor(1 / share.gpus + 1e-9))
    return min(by_cpu, gpus // int(share.gpus))


@contextlib.contextmanager
def connected(address: str | None, share: Share) -> Iterator[Cluster]:
    """Join the cluster at `address` (auto: the one on this machine), or start one here for None.

    Raises UsageError without Ray, for an address that is none or a share that no node has; RunError where
    no cluster answers or it has other versions.
    """
    ray = imported()
    opened = not ray.is_initialized()
    if opened:
        _open(ray, address)
    try:
        cluster = Cluster(ray, share)
        if not cluster.slots():
            gpus = f" and {share.gpus:g} GPUs" if share.gpus else ""
            raise UsageError(f"No node of the Ray cluster has {share.cpus} CPUs{gpus} for a run.")
        yield cluster
    finally:
        if opened:
            ray.shutdown()


def _open(ray: Any, address: str | None) -> None:
    place: dict[str, Any] = {"address": address}
    if address is None:
        place = {"address": "local", "num_cpus": cores(), "include_dashboard": False}
    elif (known := os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address) != "auto":
        _knock(known)
    with _own_signals():
        try:
            ray.init(**place, log_to_driver=False, logging_level=logging.ERROR)
            # there is no switch for this: what nodes say of their deaths would go to stdout, between results
            ray._private.worker.print_to_stdstream = lambda *_, **__: None
        except (OSError, RuntimeError, ValueError) as error:
            where = "on this machine" if address in (None, "auto") else f"at {address}"
            reason = " ".join(str(error).split())
            if "AuthenticationError" in f"{error!r} {error.__cause__}":
                reason = (
                    "it asks for its token: set RAY_AUTH_MODE=token, with the ~/.ray/auth_token of its head."
                )
            raise RunError(f"No Ray cluster can be used {where}: {reason}") from None


def _knock(address: str) -> None:
    """Raise quickly where no gRPC server listens: Ray would try for minutes and then end this process."""
    found = re.fullmatch(r"\[?([^/\s\]]+)\]?:(\d{1,5})", address)
    if not found or not 0 < int(found[2]) < 65536:
        raise UsageError(f"--address {address}: write auto or HOST:PORT, for example 10.0.0.1:6379.")
    try:
        with socket.create_connection((found[1], int(found[2])), timeout=_PATIENCE) as line:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                line.sendall(_HELLO)
                if line.recv(4)[3:] != _SETTINGS:
                    raise OSError("something else does")
    except OSError as error:
        raise RunError(f"No Ray cluster answers at {address}: {error.strerror or error}.") from None


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers that this process has: Ray would end it at SIGTERM, with states unsaved."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items() if main else ():
            signal.signal(number, handler)
