"""A connection to a Ray cluster, joined or started here; what fits on its nodes; the data, put there once."""

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
from typing import Any

import torch

from .. import __version__
from ..data import Splits, to_arrays
from ..errors import RunError, UsageError, one_line
from ..records import SplitSpec
from ..training.device import cores
from ._messages import MessageQueues
from .options import EngineOptions

_CONNECT_TIMEOUT = 5.0  # seconds until an address that does not answer counts as not reachable

# gRPC speaks HTTP/2: a client begins with this preface and an empty SETTINGS frame, a server with its own
_SETTINGS_FRAME = b"\x04"
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + _SETTINGS_FRAME + bytes(5)


def import_ray() -> Any:
    """Ray, without its telemetry. Raises UsageError where it is not installed."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
    except ImportError:
        raise UsageError("--engine ray needs Ray: pip install 'lossbench[ray]'.") from None
    return ray


def versions() -> dict[str, str]:
    """What must be equal where runs are submitted and where they train; builds of torch may differ."""
    return {
        "lossbench": __version__,
        "torch": torch.__version__.partition("+")[0],
        "Python": ".".join(platform.python_version_tuple()[:2]),
    }


def check_versions(expected: Mapping[str, str]) -> None:
    """Raise RunError where this node has other versions."""
    name, here = socket.gethostname(), versions()
    differences = [
        f"Node {name} has {package} {here[package]}, this process {version}; install the same on all nodes."
        for package, version in expected.items()
        if here[package] != version
    ]
    if differences:
        raise RunError(" ".join(differences))


class Cluster:
    """Ray as this process sees it. A session that was open before is used and left open."""

    def __init__(self, ray: Any, options: EngineOptions) -> None:
        self.ray, self.options = ray, options
        this_node = ray.get_runtime_context().get_node_id()
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(this_node, soft=False)
        actor = ray.remote(MessageQueues).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here)
        self.queues = actor.remote()

    def put(self, splits: Mapping[SplitSpec, Splits]) -> dict[SplitSpec, Any]:
        """References to the splits: a node fetches them once, and its runs share that memory."""
        return {spec: self.ray.put(to_arrays(arrays)) for spec, arrays in splits.items()}

    def slots(self) -> int:
        """How many runs fit at once on the nodes that are alive."""
        return sum(runs_that_fit(self.options, n["Resources"]) for n in self.ray.nodes() if n["Alive"])


def runs_that_fit(options: EngineOptions, resources: Mapping[str, float]) -> int:
    """How many runs fit at once on a node with these resources."""
    by_cpus, gpus = int(resources.get("CPU", 0)) // options.cpus, int(resources.get("GPU", 0))
    if not options.gpus:
        return by_cpus
    if options.gpus < 1:  # a run uses a part of one GPU, never parts of two
        return min(by_cpus, gpus * math.floor(1 / options.gpus + 1e-9))
    return min(by_cpus, gpus // int(options.gpus))


@contextlib.contextmanager
def connected(options: EngineOptions) -> Iterator[Cluster]:
    """Join the cluster at the address of the options, or start one here.

    Raises UsageError without Ray, for something that is not an address and for a run that fits on no node;
    RunError where no cluster answers or it has other versions.
    """
    ray = import_ray()
    opened = not ray.is_initialized()
    if opened:
        _open(ray, options.address)
    try:
        cluster = Cluster(ray, options)
        if not cluster.slots():
            gpus = f" and {options.gpus:g} GPUs" if options.gpus else ""
            raise UsageError(f"No node of the Ray cluster has {options.cpus} CPUs{gpus} for a run.")
        yield cluster
    finally:
        if opened:
            ray.shutdown()


def _open(ray: Any, address: str | None) -> None:
    arguments: dict[str, Any] = {"address": address}
    if address is None:
        arguments = {"address": "local", "num_cpus": cores(), "include_dashboard": False}
    elif (named := os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address) != "auto":
        check_reachable(named)
    with _signal_handlers_kept():
        try:
            ray.init(**arguments, log_to_driver=False, logging_level=logging.ERROR)
            # there is no option for this: messages about nodes that died would go to stdout, between results
            ray._private.worker.print_to_stdstream = lambda *_, **__: None
        except (OSError, RuntimeError, ValueError) as error:
            where = "on this machine" if address in (None, "auto") else f"at {address}"
            reason = one_line(error)
            if "AuthenticationError" in f"{error!r} {error.__cause__}":
                reason = (
                    "it asks for its token: set RAY_AUTH_MODE=token, with the ~/.ray/auth_token of its head."
                )
            raise RunError(f"No Ray cluster can be used {where}: {reason}") from None


def check_reachable(address: str) -> None:
    """Raise RunError quickly where no gRPC server listens: Ray tries for minutes, then ends this process.

    Raises UsageError for an address that is not HOST:PORT.
    """
    match = re.fullmatch(r"\[?([^/\s\]]+)\]?:(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise UsageError(f"--address {address}: write auto or HOST:PORT, for example 10.0.0.1:6379.")
    try:
        with socket.create_connection((match[1], int(match[2])), timeout=_CONNECT_TIMEOUT) as connection:
            if os.environ.get("RAY_USE_TLS", "0") == "0":
                connection.sendall(_HTTP2_PREFACE)
                if connection.recv(4)[3:] != _SETTINGS_FRAME:
                    raise OSError("something else does")
    except (OSError, UnicodeError) as error:  # the latter for what is not the name of a machine
        raise RunError(f"No Ray cluster answers at {address}: {one_line(error)}.") from None


@contextlib.contextmanager
def _signal_handlers_kept() -> Iterator[None]:
    """Keep the handlers that this process has: those of Ray would end it at SIGTERM, with states unsaved."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items() if in_main_thread else ():
            signal.signal(number, handler)
