"""Worker processes have the environment and folder of their sweep."""

from __future__ import annotations

import os

from lossbench.runs.result import Status

from ..helpers.runs import small
from .test_scheduler import ENGINES, statuses

LOSS_THAT_NOTES = """
import os, pathlib
from torch import nn

class Noting(nn.Module):
    \"\"\"Writes a variable of the environment to a file.\"\"\"

    def __init__(self, num_classes, feature_dim):
        super().__init__()
        pathlib.Path(os.environ["NOTES"], str(os.getpid())).write_text(os.environ.get("WORD", "nothing"))

    def forward(self, features, labels):
        return features.square().mean()
"""


def test_workers_have_the_environment_and_folder_of_their_sweep(tmp_path, monkeypatch):
    """Not those of the moment in which the server that forks them was started."""
    (tmp_path / "noting_losses.py").write_text(LOSS_THAT_NOTES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for word in ("once", "again", None):
        notes = tmp_path / f"notes-{word}"
        notes.mkdir()
        monkeypatch.setenv("NOTES", str(notes))
        monkeypatch.setenv("WORD", word) if word else monkeypatch.delenv("WORD")
        configs = [small("softmax + noting_losses:Noting", epochs=1, seed=seed) for seed in (0, 1)]
        assert statuses(configs, tmp_path / str(word), ENGINES["processes"]) == [Status.DONE] * 2
        words = {path.name: path.read_text() for path in notes.iterdir() if path.name != str(os.getpid())}
        assert len(words) == 2, "two workers"
        assert set(words.values()) == {word or "nothing"}
