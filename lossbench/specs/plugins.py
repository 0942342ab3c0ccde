"""What comes from outside: losses, networks and data sets.

    my_package.module:MyLoss     any importable class, or function for data; also in the working directory
    <name>                       offered by an installed package, entry-point group `lossbench.losses` or
                                 `lossbench.networks`
    pml:MultiSimilarityLoss      pytorch-metric-learning's losses (extra `pml`)
    folder, file.npz ...         a data set, see `data/_user_data.py`

Naming such a thing runs its code. Opening a stored run never does: see `config_from_dict` in lossbench/runs.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import dataclasses
import functools
import hashlib
import importlib
import inspect
import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..errors import UsageError, code_of_user, shown
from ._source import sources_of
from .dataset_spec import DatasetSpec
from .hyperparameter import HyperParameter
from .loss_spec import LossSpec
from .variants import NetworkSpec

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

Kind = Literal["losses", "networks"]
_THREAD_TIME = 1.0  # seconds that threads have to end with their process
_NOUN = {"losses": "loss", "networks": "network"}


@functools.lru_cache
def offered_of(kind: Kind) -> Mapping[str, EntryPoint]:
    """The losses or networks that installed packages offer, by name."""
    from importlib.metadata import entry_points  # slow to import, and rarely needed

    return {point.name: point for point in entry_points(group=f"lossbench.{kind}")}


_forbidden = contextvars.ContextVar("_forbidden", default=False)


@contextlib.contextmanager
def without_external_code() -> Iterator[None]:
    """Inside the block external losses are not imported: a stored run may name any module."""
    before = _forbidden.set(True)
    try:
        yield
    finally:
        _forbidden.reset(before)


@functools.lru_cache
def find(name: str, kind: Kind = "losses") -> tuple[Callable[..., Any], Any]:
    """Constructor and SPEC of an external loss or network. Raises UsageError for one that cannot be used."""
    what = f"The {_NOUN[kind]} {name}"
    if _forbidden.get():
        raise UsageError(f"{what} is code from outside, which is not run to read a stored run.")
    if kind == "losses" and name.startswith("pml:"):
        return _from_pml(name.partition(":")[2])
    entry = import_object(what, name, offered_of(kind).get(name))
    if not inspect.isclass(entry) or not hasattr(entry, "forward"):
        raise UsageError(f"{what} is not a torch.nn.Module class.")
    _digests.setdefault(entry, _digest_of(entry))
    spec = getattr(entry, "SPEC", None) or getattr(sys.modules[entry.__module__], "SPEC", None)
    if isinstance(spec, LossSpec if kind == "losses" else NetworkSpec):
        return entry, spec
    return _described(name, entry) if kind == "losses" else (entry, _network_spec(name, entry))


@contextlib.contextmanager
def folder_and_streams_kept() -> Iterator[None]:
    """After the block, which runs code from outside, the working folder and the standard streams are those
    before it, and open: the paths of a command and what it prints depend on them."""
    folder, streams = os.getcwd(), {name: _Stream.of(name) for name in ("stdin", "stdout", "stderr")}
    try:
        yield
    finally:
        if not os.path.exists(".") or os.getcwd() != folder:
            os.chdir(folder)
        for name, stream in streams.items():
            setattr(sys, name, stream.reopened())


class _Stream(NamedTuple):
    """A standard stream, and how to open it again; no descriptor where it has none, as in a notebook."""

    stream: Any
    descriptor: int | None
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, name: str) -> _Stream:
        stream = getattr(sys, name)
        with contextlib.suppress(AttributeError, OSError, ValueError):
            how = {key: getattr(stream, key) for key in ("encoding", "errors")}
            how |= {"mode": stream.mode, "buffering": 1 if stream.line_buffering else -1}
            return cls(stream, stream.fileno(), how)
        return cls(stream, None, {})

    def reopened(self) -> Any:
        if self.descriptor is None or not self.stream.closed:
            return self.stream
        return open(self.descriptor, closefd=False, **self.settings)


def end_with_threads(code: int) -> None:
    """End this process if threads are left that would keep it, such as one that user code started."""
    deadline = time.monotonic() + _THREAD_TIME
    own = (threading.main_thread(), threading.current_thread())
    left = [each for each in threading.enumerate() if each not in own and not each.daemon]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    if any(thread.is_alive() for thread in left):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        atexit._run_exitfuncs()
        os._exit(code)


def import_object(what: str, name: str, point: EntryPoint | None = None) -> Any:
    """What `module:attribute` or an entry point names. Raises UsageError that begins with `what`, also where
    a stored run names it."""
    if _forbidden.get():
        raise UsageError(f"{what} is code from outside, which is not run to read a stored run.")
    module, _, attribute = name.partition(":")
    if not point and (module.endswith(".py") or "/" in module):
        module = Path(module).stem
        raise UsageError(
            f"{what} is named as {module}:{attribute}, without a folder or the ending .py; {module}.py is "
            "looked for in the working folder and where Python finds modules."
        )
    with code_of_user(f"{what} cannot be imported"), folder_and_streams_kept():
        if point:
            return point.load()
        if "" not in sys.path:
            sys.path.append("")  # last: a file there may be named like a module of a library
        return getattr(_import(module), attribute)


def _network_spec(name: str, network_class: type) -> NetworkSpec:
    summary = (network_class.__doc__ or name).strip().splitlines()[0]
    return NetworkSpec(title=network_class.__name__, summary=summary, smallest_batch=2)  # it may normalise


_datasets: dict[str, DatasetSpec] = {}
_places: dict[str, str] = {}  # where the user says that data are, by digest


def remember_dataset(spec: DatasetSpec, *, named: bool = False) -> None:
    """Make a user's data set known by its name in this process. A place that the user `named` replaces the
    one that a stored run has."""
    if named:
        remember_place(spec)
    before = _datasets.get(spec.name)
    if named or before is None or not before.location:
        _datasets[spec.name] = spec


def remember_place(spec: DatasetSpec) -> None:
    """Look for these data, by whatever name runs have stored them, in the place that the user named."""
    _places[spec.digest] = spec.location


def known_dataset(name: str) -> DatasetSpec | None:
    """A user's data set by name, of those that this process has seen."""
    spec = _datasets.get(name)
    place = _places.get(spec.digest) if spec else None
    return dataclasses.replace(spec, location=place) if spec and place else spec


_digests = weakref.WeakKeyDictionary[type, str]()
"""Of classes from outside as they were when they were found: this process runs them as they were then."""


def digest(name: str, kind: Kind = "losses") -> str:
    """A digest of the source that a loss or network from outside depends on, see `sources_of`, as it was when
    this process imported it; may be ''."""
    return _digests.get(inspect.unwrap(find(name, kind)[0]), "")


def has_changed(name: str, kind: Kind = "losses") -> bool:
    """Whether the source of a loss or network has changed since this process imported it."""
    entry = inspect.unwrap(find(name, kind)[0])
    return entry in _digests and _digests[entry] != _digest_of(entry)


def _digest_of(entry: type) -> str:
    sources = sources_of(entry)
    return hashlib.sha256("".join(sources).encode()).hexdigest()[:16] if sources else ""


def _import(name: str) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.partition(".")[0]):  # what the module imports
            raise
        places = "in the working folder or where Python finds modules"
        raise ModuleNotFoundError(f"no module {error.name} {places}") from None
    local, used = Path(f"{name}.py"), getattr(module, "__file__", None) or "built in"
    if local.exists() and not (Path(used).exists() and local.samefile(used)):
        raise ImportError(f"{local} has the name of a module of Python or of a library ({used}); rename it")
    return module


_CLASSES = {"num_classes", "n_classes", "num_class", "class_num", "classes", "out_features"}
_DIMENSIONS = {
    "feature_dim", "feat_dim", "feature_size", "embedding_size", "embedding_dim", "emb_size", "in_features",
}  # fmt: skip
"""What constructors call the number of classes C and the feature dimension D."""


def _described(name: str, loss_class: type) -> tuple[Callable[..., Any], LossSpec]:
    """Constructor (C, D, **settings) and SPEC from a class whose constructor takes C, D and settings with
    defaults. Raises UsageError where that is not clear."""
    parameters = inspect.signature(loss_class).parameters
    shape = [[each for each in parameters if each in known] for known in (_CLASSES, _DIMENSIONS)]
    if max(map(len, shape)) > 1 or not any(shape):
        raise UsageError(
            f"The constructor of {name} must take the number of classes as num_classes and the feature "
            "dimension as feature_dim."
        )
    settings = [p for key, p in parameters.items() if [key] not in shape]
    for p in settings:
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise UsageError(f"The argument '{p.name}' of the constructor of {name} has no default value.")
        if isinstance(p.default, int | float) and not -sys.float_info.max <= p.default <= sys.float_info.max:
            raise UsageError(
                f"The default of the argument '{p.name}' of the constructor of {name} is "
                f"{shown(p.default)}; a finite number, a text or None is needed."
            )

    @functools.wraps(loss_class, updated=())
    def construct(num_classes: int, feature_dim: int, **values: Any) -> Any:
        sizes = zip(shape, (num_classes, feature_dim), strict=True)
        return loss_class(**{key: size for keys, size in sizes for key in keys}, **values)

    return construct, LossSpec(
        title=loss_class.__name__,
        summary=(loss_class.__doc__ or name).strip().splitlines()[0],
        paper=name,
        equation="see its source",
        kind="classifier" if hasattr(loss_class, "logits") else "pairs",
        settings=settings_of(settings),
    )


def settings_of(parameters: list[inspect.Parameter]) -> dict[str, HyperParameter]:
    """A hyper-parameter for each parameter whose default is a number, a bool or a string."""
    return {
        p.name: HyperParameter(default=p.default, help="see its source")
        for p in parameters
        if isinstance(p.default, bool | int | float | str)
    }


def _from_pml(name: str) -> tuple[Callable[..., Any], LossSpec]:
    try:
        pml = importlib.import_module("lossbench.losses._pml")
    except ImportError:
        raise UsageError(
            "pml: losses need pytorch-metric-learning; pip install 'lossbench[pml]' brings it."
        ) from None
    loss: tuple[Callable[..., Any], LossSpec] = pml.find(name)
    return loss
