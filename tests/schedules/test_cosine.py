"""The cosine schedule compared with torch's, and its warm-up."""

from __future__ import annotations

import pytest
import torch

from lossbench.schedules.cosine import factor


def test_without_warm_up_it_is_torchs():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
    for step in range(40):
        assert factor(step / 40, warmup=0) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_it_rises_during_the_warm_up_and_starts_to_fall_after_it():
    assert factor(0.1, warmup=0.2) == pytest.approx(0.505)
    assert factor(0.2, warmup=0.2) == 1
    assert factor(0.6, warmup=0.2) == pytest.approx(0.5)
