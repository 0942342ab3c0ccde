"""The linear schedule: a rise, a peak of one, a fall to zero."""

from __future__ import annotations

import numpy as np
import pytest

from lossbench.schedules.linear import SPEC, factor


def test_the_rate_rises_then_falls_to_zero():
    rates = [factor(step / 1000, warmup=SPEC.warmup) for step in range(1000)]
    top = int(np.argmax(rates))
    assert 190 <= top <= 210
    assert max(rates) == pytest.approx(1, rel=0.01)
    assert all(np.diff(rates[:top]) > 0)
    assert all(np.diff(rates[top + 1 :]) < 0)
    assert 0 < rates[-1] < 2e-3


def test_it_rises_and_falls_along_straight_lines():
    assert factor(0.1, warmup=0.2) == pytest.approx(0.505)
    assert [factor(0.2 + 0.8 * part, warmup=0.2) for part in (0, 0.25, 0.75)] == pytest.approx(
        [1, 0.75, 0.25]
    )


def test_without_warm_up_it_falls_from_the_first_step():
    assert [factor(step / 4, warmup=0) for step in range(4)] == [1, 0.75, 0.5, 0.25]
