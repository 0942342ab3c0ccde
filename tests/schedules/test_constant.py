"""The constant schedule: the peak rate, after the warm-up."""

from __future__ import annotations

import pytest

from lossbench.schedules.constant import factor


def test_the_rate_is_the_peak_after_the_warm_up():
    assert [factor(step / 10, warmup=0) for step in range(10)] == [1] * 10
    assert factor(0.1, warmup=0.4) == pytest.approx(0.2525)
    assert factor(0.4, warmup=0.4) == 1
