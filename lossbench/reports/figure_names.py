"""How the files of figures are named."""

import zlib
from collections.abc import Sequence
from pathlib import Path

from ..files import slug
from ..runs.store import Store
from ..runs.stored_run import StoredRun
from .document import shows_the_same


def figure_path(
    store: Store,
    kind: str,
    runs: Sequence[StoredRun],
    parts: Sequence[str],
    form: str,
    choices: str,
    command: str,
) -> Path:
    """The file of a figure: its kind, losses, data sets and `parts` in words; with a digest of its content
    added where a file of that name shows something else.

    `choices` and `command` are those of its document. The same runs drawn again, or the same command,
    overwrite the file.
    """
    losses = dict.fromkeys(run.config.loss for run in runs)
    shown = "-".join(losses) if len(losses) <= 5 else f"{len(losses)}-losses"
    seeds = {run.seed for run in runs}
    seed = f"seed-{min(seeds)}" if len(seeds) == 1 and seeds != {0} else ""
    datasets = dict.fromkeys(run.config.dataset for run in runs)
    words = ["explore" if kind == "explorer" else kind, shown, *datasets, *parts]
    words += [seed] if seed and not any(seed in part for part in parts) else []
    stem = slug("-".join(filter(None, words)))
    path = store.figures / f"{stem}.{form}"
    if not path.exists() or shows_the_same(store, path, kind, runs, choices, command):
        return path
    content = repr((kind, choices, [run.name for run in runs]))
    return store.figures / f"{stem}-{zlib.crc32(content.encode()):08x}.{form}"
