"""What two results folders must have in common, and what no file of one may ever be."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from safetensors.torch import load

from lossbench.files import read_arrays
from lossbench.runs.store import Store
from lossbench.training.checkpoint import load_state

TIMES = {"seconds", "images_per_second", "finished"}
"""What a clock says differs from one undisturbed run to the next as well."""


def check_whole(folder: Path) -> None:
    """Every file but the temporary file of a killed writer, and the log, can be read to its end."""
    for path in folder.rglob("*"):
        if path.is_dir() or path.name in (".lock", "log.txt") or path.name.endswith(".tmp"):
            continue
        content = path.read_bytes()
        if path.suffix == ".json":
            json.loads(content)
        elif path.suffix == ".safetensors":
            load(content)
        elif path.suffix == ".pt":
            load_state(content, str(path))
        elif path.suffix == ".npz":
            assert read_arrays(path)
        elif path.suffix == ".png":
            assert content.endswith(b"IEND\xaeB`\x82"), path
        elif path.suffix == ".csv":
            rows = list(csv.reader(io.StringIO(content.decode())))
            assert content.endswith(b"\n") and len({len(row) for row in rows}) == 1, path
        else:
            assert content.endswith(b"\n") or not content, path


def contents(folder: Path) -> dict[str, Any]:
    """All that a folder holds but what a clock said, by file; weights, features and figures as bytes.

    Digests are of files with such times.
    """
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.suffix in (".npz", ".safetensors", ".png"):
            found[name] = path.read_bytes()
        elif path.suffix == ".json":
            found[name] = _timeless(json.loads(path.read_text()))
        elif path.suffix == ".csv":
            rows = list(csv.DictReader(io.StringIO(path.read_text())))
            found[name] = [{key: row[key] for key in row if not _is_time(key)} for row in rows]
    return found


def _timeless(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            key: _timeless(value)
            for key, value in data.items()
            if not _is_time(key) and key not in ("command", "digests")
        }
    return [_timeless(value) for value in data] if isinstance(data, list) else data


def _is_time(key: str) -> bool:
    return any(key.startswith(time) for time in TIMES)


def completed(folder: Path) -> dict[str, tuple[int, int]]:
    """Which results there are, and which writing of the file each is: a run trained again has another."""
    found = {}
    for path in folder.glob("runs/*/result.json"):
        status = path.stat()
        found[path.parent.name] = (status.st_ino, status.st_mtime_ns)
    return found


def check_ended(folder: Path, runs: int) -> None:
    """So many runs, all of them readable, nothing of a killed writer among them."""
    stored, problems = Store(folder).all()
    assert problems == []
    assert len(stored) == runs
    assert all(run.result() for run in stored)
    assert not list(folder.glob("runs/*/.*.tmp"))
