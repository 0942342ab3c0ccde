"""The folder of a run: the only module that knows the files inside it.

    <loss>-<id>/  config.json · epochs.csv · result.json · model.safetensors · resume.pt · features.npz ·
                  snapshots.npz (if asked for) · metrics.json (what was asked for later) · tensorboard/ ·
                  log.txt · again-N/ (a second training, to add N snapshots)

config.json is written first and result.json last: a run with a result is complete, one without can be
resumed. Every file is written whole or not at all, see `files`.
"""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from filelock import Timeout

from ..errors import Busy, LossbenchError, RunError, UnknownName, UsageError
from ..files import (
    drop_leftovers,
    file_lock,
    npz_bytes,
    read_arrays,
    read_bytes,
    read_json,
    refuse_links,
    remove_file,
    to_json,
    write_atomically,
)
from ..records import Embedding, EpochRecord, Snapshots
from ..specs import plugins
from .config import FORMAT, RunConfig
from .epochs_file import epochs_bytes, parse_epochs
from .result import RunResult, Status
from .stored_config import config_from_dict

_SPLITS = ("train", "val", "test", "unseen")
_FILES = (
    *("result.json", "resume.pt", "epochs.csv", "model.safetensors"),
    *("features.npz", "snapshots.npz", "metrics.json", "log.txt"),
)
_INITIAL = "init.safetensors"  # of a run on another machine: the model that it starts from


class RunFolder:
    """One run on disk, by its config; the folder need not exist yet."""

    def __init__(self, path: Path, config: RunConfig) -> None:
        self.path, self.config = path, config

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep every other process out of this run. Raises Busy when one is in it, RunError for a link.

        The operating system holds the lock and frees it when its owner dies, however it dies: there is
        no stale lock to recognise, and no clock is involved.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            refuse_links(self.path)
            lock = file_lock(self.path / ".lock", timeout=0)
            lock.acquire()
        except Timeout:
            raise Busy(f"Another process is training {self.name} right now.") from None
        except OSError as error:
            raise RunError(f"{self.path} cannot be written: {error.strerror or error}.") from None
        try:
            drop_leftovers(self.path)
            yield
        finally:
            lock.release()

    def begin(self) -> None:
        """Write config.json: from now on the folder is a run."""
        code, dataset = self.code_digests(), self.config.data
        data = {"format": FORMAT, **self.config.to_dict()} | ({"code": code} if code else {})
        data |= {"location": dataset.location} if dataset else {}
        write_atomically(self.path / "config.json", to_json(data).encode())

    def check_code(self, *, loss: bool = True, network: bool = True) -> None:
        """Raises RunError where the code of a user's loss or network has changed since the training."""
        code = self.code_digests(loss=loss, network=network)
        stored = (read_json(self.path / "config.json") or {}).get("code", {}) if code else {}
        if changed := differing(code, stored):
            raise RunError(
                f"The code of {', '.join(changed)} has changed since {self.name} was trained; --force trains "
                "it again."
            )

    def code_digests(self, *, loss: bool = True, network: bool = True) -> dict[str, str]:
        """Digests of the code of the user's losses and network, by their names."""
        wanted = {"losses": loss, "networks": network}
        return {
            name: plugins.digest(name, kind) for name, kind in self.config.own_code.items() if wanted[kind]
        }

    def clear(self) -> None:
        """Remove the files of an earlier training, the result first: a result needs its files."""
        for name in _FILES:
            remove_file(self.path / name)
        shutil.rmtree(self.path / "tensorboard", ignore_errors=True)
        self.drop_retraining()

    def retraining(self, snapshots: int) -> Path:
        """The results folder inside this run in which it is trained again with more snapshots."""
        return self.path / f"again-{snapshots}"

    def drop_retraining(self) -> None:
        """Remove the folders of `retraining`."""
        for folder in self.path.glob("again-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def result(self) -> RunResult | None:
        """The stored result, None while the run is not complete. Raises RunError for a broken file."""
        try:
            data = read_json(self.path / "result.json")
        except RunError as error:
            raise RunError(f"{str(error).removesuffix('.')}; --force trains it again.") from None
        if data is None:
            return None
        try:
            result = RunResult.from_dict(data)
            if result.run == self.name:
                return result
        except (ValueError, KeyError, TypeError, AttributeError):
            pass
        raise RunError(f"{self.path / 'result.json'} is not the result of this run; --force trains it again.")

    def done_result(self) -> RunResult | None:
        """The stored result of a run that is done, None for any other. Raises RunError for a broken file."""
        result = self.result()
        return result if result is not None and result.status is Status.DONE else None

    def write_result(self, result: RunResult) -> None:
        """Write result.json, the last file of a run, and drop the resume state that it makes useless."""
        self.write_bytes("result.json", to_json(result.to_dict()).encode())

    def pack(self) -> dict[str, bytes]:
        """The content of the files of the run by name, to continue or store it elsewhere. Raises RunError."""
        return {name: content for name in _FILES if (content := self.read_bytes(name)) is not None}

    def initial_model(self) -> bytes | None:
        """The stored model of the run whose network this one starts from; None where it starts from random
        weights. Raises RunError where that run is gone."""
        name = self.config.init.partition("@")[0]
        if not name:
            return None
        if (content := self.read_bytes(_INITIAL)) is None:
            content = RunFolder(self.path.parent / name, self.config).read_bytes("model.safetensors")
        if content is None:
            raise RunError(f"{name}, whose network {self.name} starts from, is not in {self.path.parent}.")
        return content

    def pack_initial(self) -> dict[str, bytes]:
        """The further files that a run needs to begin elsewhere. Raises RunError."""
        content = self.initial_model()
        return {} if content is None else {_INITIAL: content}

    def unpack(self, files: Mapping[str, bytes]) -> None:
        """Write the files that `pack` returned elsewhere, the result last. Raises RunError."""
        if files:
            self.begin()
        for name in (_INITIAL, *reversed(_FILES)):  # and no other: a name from elsewhere could lead anywhere
            if name in files:
                self.write_bytes(name, files[name])

    def write_epochs(self, records: Sequence[EpochRecord]) -> None:
        """Write epochs.csv, one line per finished epoch."""
        self.write_bytes("epochs.csv", epochs_bytes(records))

    def write_features(
        self, embeddings: Mapping[str, Embedding], directions: Mapping[str, np.ndarray | None]
    ) -> None:
        """Write features.npz: features, labels and predictions of each split, and weight, bias, centers."""
        arrays = {
            f"{split}_{field}": array
            for split, embedding in embeddings.items()
            for field, array in embedding._asdict().items()
            if array is not None
        }
        arrays |= {name: array for name, array in directions.items() if array is not None}
        self.write_bytes("features.npz", npz_bytes(arrays))

    def features(self) -> tuple[dict[str, Embedding], dict[str, np.ndarray]]:
        """Embeddings by split, and weight, bias and centers where they exist. Raises RunError."""
        arrays = read_arrays(self.path / "features.npz")
        try:
            splits = {
                split: Embedding(
                    arrays.pop(f"{split}_features"),
                    arrays.pop(f"{split}_labels"),
                    arrays.pop(f"{split}_predictions"),
                    arrays.pop(f"{split}_scores", None),
                )
                for split in _SPLITS
                if f"{split}_features" in arrays
            }
        except KeyError as error:
            raise RunError(f"{self.path / 'features.npz'} has no {error}; --force trains it again.") from None
        return splits, arrays

    def epochs(self) -> list[EpochRecord]:
        """The records of the finished epochs, empty before the first. Raises RunError."""
        content = self.read_bytes("epochs.csv")
        try:
            return [] if content is None else parse_epochs(content)
        except ValueError:
            raise RunError(f"{self.path / 'epochs.csv'} cannot be read; --force trains it again.") from None

    def write_snapshots(self, snapshots: Snapshots | None) -> None:
        """Write snapshots.npz, or nothing for None."""
        if snapshots is not None:
            arrays = {**snapshots._asdict(), **snapshots.directions}
            del arrays["directions"]
            self.write_bytes("snapshots.npz", npz_bytes(arrays))

    @property
    def has_snapshots(self) -> bool:
        """Whether there are snapshots of the features."""
        return (self.path / "snapshots.npz").exists()

    @property
    def lacks_snapshots(self) -> bool:
        """Whether the run is done and has no snapshots."""
        with contextlib.suppress(LossbenchError):
            return self.done_result() is not None and not self.has_snapshots
        return False

    def snapshots(self) -> Snapshots | None:
        """The snapshots of the features, None when there are none. Raises RunError."""
        if not self.has_snapshots:
            return None
        arrays = read_arrays(self.path / "snapshots.npz", *Snapshots._fields[:-1])
        fields = {name: arrays.pop(name) for name in Snapshots._fields[:-1]}
        return Snapshots(**fields, directions=arrays)

    def metrics(self) -> dict[str, float | None]:
        """Metrics that were asked for after training, by name (None: not defined here). A file that is cut
        short has none: they are measured again."""
        try:
            data = read_json(self.path / "metrics.json")
        except RunError:
            return {}
        values = data.items() if isinstance(data, dict) else ()
        return {name: value for name, value in values if value is None or isinstance(value, int | float)}

    def write_metrics(self, metrics: Mapping[str, float | None]) -> None:
        """Write metrics.json."""
        self.write_bytes("metrics.json", to_json(metrics).encode())

    def read_bytes(self, name: str) -> bytes | None:
        """A file of this run, None when there is none. Raises RunError when it cannot be read."""
        return read_bytes(self.path / name)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file of this run whole. Raises RunError, also when the run has been taken away."""
        if not (self.path / "config.json").exists():  # else what is written here would be no run
            raise RunError(f"{self.path} is no longer a run; it was moved or deleted meanwhile.")
        write_atomically(self.path / name, content)
        if name == "result.json":
            with contextlib.suppress(OSError):
                (self.path / "resume.pt").unlink()

    def log(self, text: str) -> None:
        """Append a dated line to log.txt; a full disk or a lost folder must not hide its reason."""
        with contextlib.suppress(OSError):
            moment = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
            # a link is not followed, so that nothing outside is written to
            how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
            with os.fdopen(os.open(self.path / "log.txt", how, 0o644), "a", encoding="utf-8") as file:
                file.write(f"{moment} {text.rstrip()}\n")


def differing(code: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The names of `code` that have another digest in `other`."""
    return [name for name, digest in code.items() if other.get(name, digest) != digest]


def open_run(path: Path) -> RunFolder:
    """The run in a folder. Raises RunError where there is no run, one that was changed by hand, or one of
    something unknown."""
    data = read_json(path / "config.json")
    if not isinstance(data, dict):
        raise RunError(f"{path} has no config.json; it is no run, or its training never began.")
    data = dict(data)
    data.pop("code", None)
    location = data.pop("location", "")
    if data.pop("format", None) != FORMAT:
        raise RunError(f"{path / 'config.json'} has another format than this version reads ({FORMAT}).")
    try:
        config = config_from_dict(data)
    except UnknownName as error:
        raise RunError(f"{path} cannot be read. {error}") from None
    except UsageError as error:
        raise RunError(
            f"{path / 'config.json'} was changed by hand, or is of another version: {error}"
        ) from None
    if (name := config.name_with(data)) != path.name:  # with the title that its data had then
        raise RunError(
            f"{path} holds the run {name}: the folder was renamed, or its config.json changed by hand."
        )
    if config.data and isinstance(location, str):
        plugins.remember_dataset(dataclasses.replace(config.data, location=location))
    return RunFolder(path, config)
