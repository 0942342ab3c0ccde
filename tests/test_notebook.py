"""lossbench in a notebook: a real kernel shows bars, tables and figures, is interrupted, and starts workers."""

from __future__ import annotations

import base64
import io
import os
import re
import textwrap
import warnings
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"
WIDGET = "application/vnd.jupyter.widget-view+json"
SETUP = """
    import os, pathlib, signal, threading, time, torch, lossbench
    options = {"dataset": "digits", "epochs": 2, "batch_size": 100, "device": "cpu"}
"""
OWN = """
    class Own(torch.nn.Module):
        def __init__(self, num_classes, feature_dim):
            super().__init__()
            self.linear = torch.nn.Linear(feature_dim, num_classes)
        def logits(self, features):
            return self.linear(features)
        def forward(self, features, labels):
            return torch.nn.functional.cross_entropy(self.logits(features), labels, label_smoothing=0.1)
"""
INTERRUPTED = """
    def interrupt():  # the whole process group, as Jupyter does
        while not list(pathlib.Path("results/runs").glob("arcface-*/epochs.csv")):
            time.sleep(0.05)
        os.killpg(os.getpgid(0), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    try:
        lossbench.compare(["arcface", "cosface"], **{**options, "epochs": 500}, jobs=JOBS)
    except lossbench.errors.Interrupted as error:
        print(error, len(list(pathlib.Path("results/runs").glob("arcface-*/resume.pt"))))
"""
INTERRUPTED_WORKERS = """
    import filelock, multiprocessing
    folder = pathlib.Path("workers")

    def interrupt():
        while len(list(folder.glob("runs/*/epochs.csv"))) < 2:
            time.sleep(0.05)
        os.killpg(os.getpgid(0), signal.SIGINT)

    def compare():
        return lossbench.compare(["arcface", "cosface"], jobs=2, results=folder, **{**options, "epochs": 30})

    threading.Thread(target=interrupt).start()
    try:
        compare()
    except lossbench.errors.Interrupted as error:
        print(error)
    print("states", len(list(folder.glob("runs/*/resume.pt"))))
    print("workers", len(multiprocessing.active_children()))
    for path in folder.glob("runs/*/.lock"):
        with filelock.FileLock(path, timeout=0):
            print("free")
    print([outcome.result.epochs for outcome in compare().outcomes])
    print("continued", sum("continues in epoch" in path.read_text() for path in folder.glob("runs/*/log.txt")))
"""
SENTENCE = """
    try:
        CALL
    except lossbench.errors.LossbenchError as error:
        print(error)
"""


def execute(notebook: Any, folder: Path) -> Any:
    resources = {"metadata": {"path": str(folder)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ports and event loops, by the libraries of Jupyter
        NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    return notebook


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The outputs of some cells, by name: (all data by type, all text)."""
    code = {
        "setup": SETUP,
        "train": 'run = lossbench.train("center", **options)\nrun',
        "quiet": 'lossbench.train("center", progress=False, **options)',
        "plot": 'lossbench.plot("features", run)',
        "compare": 'lossbench.compare(["softmax", "center"], jobs=2, **options)',
        "interrupted": INTERRUPTED.replace("JOBS", "1"),
        "own": OWN + "\n    run = lossbench.train(Own, **options)\n    print(run.config.loss)",
        "workers": SENTENCE.replace(
            "CALL", "lossbench.compare([Own, 'softmax'], jobs=2, seeds=3, **options)"
        ),
        "changed": OWN.replace("0.1", "0.2") + SENTENCE.replace("CALL", "lossbench.train(Own, **options)"),
    }
    return outputs_of(code, tmp_path_factory.mktemp("notebook"))


def outputs_of(code: dict[str, str], folder: Path) -> dict[str, dict[str, str]]:
    """Run cells, and return what each shows by type of data."""
    sources = [nbformat.v4.new_code_cell(textwrap.dedent(text).strip()) for text in code.values()]
    notebook = execute(nbformat.v4.new_notebook(cells=sources), folder)
    shown = {}
    for name, cell in zip(code, notebook.cells, strict=True):
        data: dict[str, str] = {}
        for output in cell.outputs:
            for kind, text in output.get("data", {"text/plain": output.get("text", "")}).items():
                data[kind] = data.get(kind, "") + str(text)
        shown[name] = data
    return shown


def test_progress_is_a_bar_of_the_notebook(cells):
    assert WIDGET in cells["train"]
    assert "epoch 1/2" not in cells["train"]["text/plain"]
    assert "<Run center-" in cells["train"]["text/plain"]
    assert set(cells["quiet"]) == {"text/plain"}


def test_figures_and_tables_show_inline(cells):
    assert cells["plot"]["image/png"].startswith("iVBORw0KGgo")
    assert "| Softmax |" in cells["compare"]["text/markdown"]


def test_workers_train_beside_a_notebook(cells):
    assert "1 of 2 runs are stored, 1 to train" in cells["compare"]["text/plain"]


def test_an_interrupted_cell_saves(cells):
    text = cells["interrupted"]["text/plain"]
    assert "Interrupted with 2 of 2 runs to go" in text
    assert text.rstrip().endswith("the same command continues. 1")


@pytest.mark.slow  # 40 s on a busy machine: workers start twice
def test_interrupted_workers_save_and_end_and_the_same_call_continues(tmp_path):
    code = {"setup": SETUP, "interrupted": INTERRUPTED_WORKERS}
    text = outputs_of(code, tmp_path)["interrupted"]["text/plain"]
    assert "Interrupted with 2 of 2 runs to go" in text
    assert "states 2\nworkers 0\nfree\nfree\n" in text
    assert "[30, 30]\ncontinued 2" in text


def test_a_class_of_a_cell_trains_and_is_known_by_its_code(cells):
    assert "__main__:Own" in cells["own"]["text/plain"]
    assert "into a module of its own" in cells["workers"]["text/plain"]
    assert "The code of __main__:Own has changed" in cells["changed"]["text/plain"]


# The notebook of the documentation


def kinds(cell: Any) -> list[str]:
    """What a cell shows, without bars."""
    types = [set(output.get("data", {"text/plain": ""})) for output in cell.get("outputs", [])]
    return sorted({each for kinds in types if WIDGET not in kinds for each in kinds})


@pytest.mark.slow  # 40 s: it trains for its figures
def test_the_notebook_runs_and_shows_what_is_stored(tmp_path):
    """UPDATE_DOCS=1 writes what it shows into the file."""
    notebook = execute(nbformat.read(NOTEBOOK, as_version=4), tmp_path)
    if os.environ.get("UPDATE_DOCS"):
        for cell in notebook.cells:
            cell.metadata = {}
            if cell.cell_type == "code":
                cell.outputs = [each for each in cell.outputs if is_kept(each)]
                for each in cell.outputs:
                    if image := each.get("data", {}).get("image/png"):
                        each.data["image/png"] = with_few_colors(image)
        notebook.metadata.pop("widgets", None)
        nbformat.write(notebook, NOTEBOOK)
    stored = nbformat.read(NOTEBOOK, as_version=4)
    assert [kinds(cell) for cell in notebook.cells] == [kinds(cell) for cell in stored.cells]


def with_few_colors(image: str) -> str:
    """A PNG in base 64, a third as large."""
    content = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(image))).convert("RGB").quantize(64).save(
        content, "PNG", optimize=True
    )
    return base64.b64encode(content.getvalue()).decode()


def is_kept(output: Any) -> bool:
    """Not bars, and not the empty box that rich leaves after one."""
    data = output.get("data", {"text/plain": output.get("text")})
    return WIDGET not in data and bool(str(data.get("text/plain", "")).strip())


def test_the_notebook_is_small_and_names_no_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < 300_000
    for word in ("/home/", "/root/", "/tmp/", "Traceback", "warning:"):
        assert word not in text
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        for target in re.findall(r"\]\(([^)]+)\)", cell.source if cell.cell_type == "markdown" else ""):
            assert (NOTEBOOK.parent / target).exists(), target
