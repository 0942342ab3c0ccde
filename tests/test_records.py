"""What packages hand to one another."""

from __future__ import annotations

import numpy as np

from lossbench.records import Embedding


def test_an_emptied_embedding_keeps_its_shapes():
    full = Embedding(np.ones((4, 2)), np.arange(4), np.arange(4), np.ones((4, 10)))
    empty = full.emptied()
    assert empty.features.shape == (0, 2)
    assert empty.labels.shape == empty.predictions.shape == (0,)
    assert empty.scores is None
