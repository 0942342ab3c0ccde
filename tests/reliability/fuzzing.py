"""The parsers under a fuzzer: `python -m tests.reliability.fuzzing PARSER -runs=N` (extra `fuzz`).

Each takes arbitrary bytes; whatever is raised besides the sentence for a user ends the fuzzer with an error.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    import atheris

    coverage: contextlib.AbstractContextManager = atheris.instrument_imports(include=["lossbench"])
else:
    coverage = contextlib.nullcontext()
with coverage:  # the fuzzer sees which lines an input reaches
    from lossbench.data._idx import _read, check_file
    from lossbench.errors import DataError, RunError, UsageError
    from lossbench.experiments.grid import MAX_RUNS, parse_seeds, parse_values
    from lossbench.files import npz_bytes
    from lossbench.runs.config_builder import make_config
    from lossbench.runs.store import Store
    from lossbench.runs.stored_config import config_from_dict

FOLDER = Path(tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None))
CONFIG = make_config(loss="center", dataset="digits")


def config(content: bytes) -> None:
    """A config from JSON, whole or with one value of a good one replaced."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        return
    places = CONFIG.to_dict()
    key = sorted(places)[len(content) % len(places)]
    for given in (data, {**places, key: data}):
        try:
            assert config_from_dict(given).to_dict() == given
        except UsageError:
            pass


def loss(content: bytes) -> None:
    """A loss expression; none names a class of the user's, whose code would run."""
    text = content.decode("utf-8", "replace").replace(":", "")
    try:
        assert make_config(loss=text, dataset="digits").terms
    except UsageError as error:
        assert str(error)


def ranges(content: bytes) -> None:
    """Lists and ranges of values and of seeds."""
    text = content.decode("utf-8", "replace")
    for read in (parse_seeds, lambda text: parse_values("--x", text)):
        try:
            assert 1 <= len(read(text)) <= MAX_RUNS
        except UsageError:
            pass


def idx(content: bytes) -> None:
    """An IDX file of images or of labels."""
    path = FOLDER / "file"
    path.write_bytes(content)
    for images in (True, False):
        try:
            check_file(path)
            assert len(_read(path, images=images))
        except DataError:
            pass


def store(content: bytes) -> None:
    """The files of a run, one of them any bytes, read in every way there is."""
    run = Store(FOLDER / "results").run(CONFIG)
    names = ("config.json", "result.json", "epochs.csv", "metrics.json", "features.npz", "snapshots.npz")
    if not run.path.exists():
        run.begin()
    kind, content = (content[0] % len(names), content[1:]) if content else (0, b"")
    read: Callable[[], object] = (
        lambda: Store(FOLDER / "results").find(run.name).config == CONFIG,
        lambda: run.result().run == run.name,
        lambda: all(type(record.epoch) is int for record in run.epochs()),
        lambda: isinstance(run.metrics(), dict),
        lambda: all(part.features is not None for part in run.features()[0].values()),
        lambda: run.snapshots().features is not None,
    )[kind]
    path = run.path / names[kind]
    before = path.read_bytes() if kind == 0 else None
    path.write_bytes(content)
    try:
        assert read(), names[kind]
    except RunError as error:
        assert names[kind] in str(error)
    finally:
        path.unlink() if before is None else path.write_bytes(before)


PARSERS: dict[str, Callable[[bytes], None]] = {
    "config": config,
    "loss": loss,
    "ranges": ranges,
    "idx": idx,
    "store": store,
}


def seeds(parser: str, folder: Path) -> None:
    """Good inputs to start from."""
    pixels = bytes(28 * 28)
    text = json.dumps(CONFIG.to_dict())
    given = {
        "config": [text, "5", '"softmax"', '{"name": "center", "weight": 0.1, "settings": {"alpha": 0.5}}'],
        "loss": ["softmax + 0.003*center", "arcface", "1e-3*ring + triplet"],
        "ranges": ["0,0.1", "1e-4:1e-1:log:7", "0-4,7", "hard,all", "0:1:lin:3"],
        "idx": [
            b"\0\0\x08\x03" + struct.pack(">3I", 1, 28, 28) + pixels,
            b"\0\0\x08\x01" + struct.pack(">I", 3) + b"\1\2\3",
        ],
        "store": [
            b"\0" + json.dumps({"format": 1, **CONFIG.to_dict()}).encode(),
            b"\1" + json.dumps({"run": CONFIG.run_name, "status": "done"}).encode(),
            b"\2epoch,learning_rate,loss,softmax,center,val_accuracy,seconds\n1,0.1,0.5,0.4,0.1,0.9,2\n",
            b'\3{"eer": 0.5}',
            b"\4" + _arrays("test_features", "test_labels", "test_predictions"),
            b"\5" + _arrays("epochs", "places", "labels", "features", "scores"),
        ],
    }[parser]
    for number, content in enumerate(given):
        (folder / str(number)).write_bytes(content.encode() if isinstance(content, str) else content)


def _arrays(*names: str) -> bytes:
    return npz_bytes({name: np.zeros(2) for name in names})


def _fuzz() -> None:
    parser, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as corpus:
        seeds(parser, Path(corpus))
        atheris.Setup([sys.argv[0], *options, corpus], lambda content: PARSERS[parser](bytes(content)))
        try:
            atheris.Fuzz()
        finally:
            shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    _fuzz()
