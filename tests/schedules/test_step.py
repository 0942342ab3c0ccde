"""The step schedule compared with torch's MultiStepLR."""

from __future__ import annotations

import pytest
import torch

from lossbench.schedules.step import factor


def test_it_is_torchs_multi_step_schedule():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[20, 32], gamma=0.8)
    for step in range(40):
        ours = factor(step / 40, warmup=0, milestones=(0.5, 0.8), decay=0.8)
        assert ours == pytest.approx(theirs.get_last_lr()[0])
        optimizer.step()
        theirs.step()


def test_a_warm_up_comes_before_the_milestones():
    assert factor(0.05, warmup=0.1, milestones=(0.5,), decay=0.1) == pytest.approx(0.51)
    assert factor(0.5, warmup=0.1, milestones=(0.5,), decay=0.1) == pytest.approx(0.1)
