"""Metrics of a run, from its stored features."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..errors import RunError
from ..metrics import measure
from ..records import Embedding, Measured
from .config import RunConfig
from .store import RunFolder


def measured(embeddings: Mapping[str, Embedding], config: RunConfig, split: str) -> Measured:
    """What metrics see of a run: one split, with the training split as reference.

    Unseen classes are seen alone: nothing of training helps to tell them apart.
    """
    train, apart = embeddings["train"], split == "unseen"
    return Measured(
        tested=embeddings[split]._replace(scores=None) if apart else embeddings[split],
        reference=Embedding(*(array[:0] for array in train[:3])) if apart else train,
        classes=len(config.unseen) if apart else config.classes,
        cosine=config.cosine,
        probabilities=config.probabilities,
    )


def measure_stored(run: RunFolder, names: Sequence[str], *, unseen: bool = False) -> dict[str, float | None]:
    """The named metrics of a finished run, from its stored features; measured once, then remembered.

    None where a metric is not defined for the run. Raises RunError for features that cannot be read.
    """
    split, before = ("unseen", "unseen-") if unseen else (run.config.eval_split, "")
    known = run.metrics()
    if missing := [name for name in names if before + name not in known]:
        embeddings, _ = run.features()
        if split not in embeddings:
            raise RunError(f"{run.path / 'features.npz'} has no {split} features.")
        fresh = measure(measured(embeddings, run.config, split), missing)
        for name in missing:
            value = fresh.get(name, math.nan)
            known[before + name] = value if math.isfinite(value) else None
        run.write_metrics(known)
    return {name: known[before + name] for name in names}
