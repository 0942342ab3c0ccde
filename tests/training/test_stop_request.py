"""The signals on which training stops."""

from __future__ import annotations

import os
import signal

import pytest

from lossbench.training.process import STOP_SIGNALS, StopRequest

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_is_a_request_and_its_handler_is_restored(number: signal.Signals) -> None:
    def handle(*_: object) -> None:
        """Nothing."""

    before = signal.signal(number, handle)  # what started the tests may ignore it
    try:
        with StopRequest().watching() as stop:
            assert not stop()
            os.kill(os.getpid(), number)
            assert stop()
        assert signal.getsignal(number) is handle
    finally:
        signal.signal(number, before)


def test_under_nohup_a_closed_terminal_stops_nothing() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest().watching() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
