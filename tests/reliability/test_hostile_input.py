"""Input made to harm: refused with one sentence; it runs nothing, fills no memory, writes nowhere else."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import subprocess
import sys
import zipfile

import pytest
import torch

from lossbench.data._idx import _read, check_file
from lossbench.errors import DataError, Interrupted, LossbenchError, RunError, UsageError
from lossbench.runs.config import FORMAT
from lossbench.runs.store import Store
from lossbench.runs.stored_config import config_from_dict
from lossbench.specs import catalog
from lossbench.training.checkpoint import load_state, state_bytes

from ..data.test_datasets import FILES, write_data_set
from ..helpers.own_code import forget
from ..helpers.runs import Recorder, run, small

CONFIG = small("center", epochs=2, batch_size=50, unseen="2,3,4,5,6,7,8,9")


@pytest.fixture
def begun(tmp_path):
    made = Store(tmp_path / "results").run(CONFIG)
    made.begin()
    return made


# code of others


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A module that says when it is imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "trap_of_others.py").write_text(
        f"open({str(tmp_path / 'sprung')!r}, 'w').close()\nclass Thing: forward = None\n"
    )
    yield tmp_path / "sprung"
    forget("trap_of_others")


@pytest.mark.parametrize(
    "edited",
    [
        {"sampler": "auto"},
        {"terms": [{"name": "trap_of_others:Thing", "weight": 1.0, "settings": {"a.b": 1}}]},
        {"terms": [{"name": "trap_of_others:Thing", "weight": None, "settings": {}}]},
        {"classes_per_batch": 2, "sampler": "auto"},
    ],
    ids=str,
)
def test_no_stored_config_runs_code_merely_by_being_opened(trap, tmp_path, edited):
    terms = [{"name": "trap_of_others:Thing", "weight": 1.0, "settings": {}}]
    data = {**CONFIG.to_dict(), "terms": terms, **edited}
    with pytest.raises(UsageError):
        config_from_dict(data)
    path = tmp_path / "results/runs/trap-of-others-thing-0123456789/config.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"format": FORMAT, **data}))
    found, problems = Store(tmp_path / "results").all()
    assert (found, len(problems)) == ([], 1)
    assert not trap.exists()


def test_the_trap_works(trap):
    with pytest.raises(UsageError):
        catalog.spec("losses", "trap_of_others:Thing")
    assert trap.exists()


# bombs


def in_little_memory(script, megabytes=3000, seconds=60):
    """Run Python with so much address space; its output."""
    limit = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20}, {megabytes << 20}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", limit + script], capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def test_a_packed_resume_state_is_refused_before_it_is_unpacked():
    """A zip bomb: torch would unpack it."""
    content = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(state_bytes({"epoch": 1, "weights": torch.arange(9.0)}))) as whole,
        zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for entry in whole.infolist():
            bomb.writestr(
                entry.filename, whole.read(entry) + bytes(20_000_000) * entry.filename.endswith(".pkl")
            )
    assert len(content.getvalue()) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RunError, match="is packed"):
        load_state(content.getvalue(), "here")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


@pytest.mark.parametrize(
    "changed",
    [
        {"network": {}},
        {"loss": {"losses.1.centers": torch.zeros(3, 3)}},
        {"optimizer": {"state": {}, "param_groups": []}},
        {"epoch": "2"},
        {"epoch": 10**9},
        {"step": -1},
        {"sums": None},
        {"records": [[1, 2]]},
        {"random": torch.zeros(3, dtype=torch.uint8)},
        {"threads": 0},
        {"seconds": []},
    ],
    ids=str,
)
def test_a_resume_state_that_does_not_fit_is_a_sentence(tmp_path, changed):
    with pytest.raises(Interrupted):
        run(CONFIG, tmp_path, Recorder(1))
    path = Store(tmp_path).run(CONFIG).path / "resume.pt"
    path.write_bytes(state_bytes({**load_state(path.read_bytes(), "here"), **changed}))
    with pytest.raises(RunError, match=r"resume\.pt is .*; --force starts over") as caught:
        run(CONFIG, tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_a_gz_bomb_in_the_data_folder_is_refused(tmp_path):
    """10 GB of zeros in 10 MB where torchvision's archive would lie: it is not the published file."""
    raw = tmp_path / "MNIST/raw"
    raw.mkdir(parents=True)
    with gzip.open(raw / "train-images-idx3-ubyte.gz", "wb", 1) as file:
        for _ in range(300):
            file.write(bytes(1_000_000))
    output = in_little_memory(
        "import socket\n"
        "def closed(*_, **__): raise OSError('the network is closed')\n"
        "socket.socket.connect = socket.getaddrinfo = socket.create_connection = closed\n"
        "from pathlib import Path\n"
        "from lossbench.data import load_splits\nfrom lossbench.records import SplitSpec\n"
        "from lossbench.errors import DataError\n"
        f"try:\n    load_splits(SplitSpec('mnist', 5000), Path({str(tmp_path)!r}))\n"
        "except DataError as error:\n    print(error)\n",
        megabytes=6000,
    )
    assert "could not be fetched" in output
    assert output.count("\n") == 1
    assert sum(path.stat().st_size for path in raw.rglob("*")) < 100_000_000


@pytest.mark.parametrize("content", [b"\0\0\x08\0", b"\0\0\x0e\0", b"\0\0\x08\x01\0\0\0\0"])
def test_an_idx_header_without_dimensions_or_items_is_refused(tmp_path, content):
    path = write_data_set(tmp_path, "KMNIST") / FILES["KMNIST"][1]
    path.write_bytes(content)
    for images in (True, False):
        with pytest.raises(DataError, match=path.name):
            check_file(path)
            _read(path, images=images)


# out of the folder


@pytest.mark.parametrize(
    "name", ["../../outside-0123456789", "/etc/passwd", "..", "a/../../b", "~", "\0", "%2e%2e"]
)
def test_a_path_is_no_run(begun, name):
    with pytest.raises(UsageError):
        Store(begun.path.parents[1]).find(name)


def test_a_link_among_the_runs_is_not_followed(begun, tmp_path):
    outside = tmp_path / "outside"
    begun.path.rename(outside)
    os.symlink(outside, begun.path)
    store = Store(tmp_path / "results")
    assert store.all() == ([], [])
    with pytest.raises(UsageError):
        store.find(begun.name)


def test_a_run_whose_folder_is_a_link_writes_nothing_outside(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    runs = tmp_path / "results/runs"
    runs.mkdir(parents=True)
    os.symlink(outside, runs / CONFIG.run_name)
    with pytest.raises(RunError, match="is a link"):
        run(CONFIG, tmp_path / "results")
    assert list(outside.iterdir()) == []


# cut at every byte


def test_every_text_file_cut_at_every_byte_is_refused_or_complete(tmp_path, count):
    """A CSV that ends between two lines is one of fewer epochs, as an interrupted run has it. Metrics are
    measured again."""
    run(CONFIG, tmp_path)
    folder = Store(tmp_path).run(CONFIG)
    folder.write_metrics({"roc-auc": 0.5, "eer": None})
    reads = {
        "config.json": lambda: Store(tmp_path).find(folder.name),
        "result.json": folder.result,
        "metrics.json": folder.metrics,
        "epochs.csv": folder.epochs,
    }
    for name, read in reads.items():
        whole = (folder.path / name).read_bytes()
        found, complete = read(), whole.rstrip(b"\n")
        for end in range(len(whole)):
            (folder.path / name).write_bytes(whole[:end])
            if name == "epochs.csv" and whole[:end].endswith(b"\n"):
                assert read() == found[: whole[:end].count(b"\n") - 1]
            elif name == "metrics.json":
                assert read() == (found if whole[:end] == complete else {})
            elif name == "epochs.csv" or whole[:end] != complete:
                with pytest.raises(LossbenchError) as caught:
                    read()
                assert "\n" not in str(caught.value)
            count("files cut short and refused")
        (folder.path / name).write_bytes(whole)
