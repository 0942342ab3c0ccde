"""The signals on which training stops."""

from __future__ import annotations

import os
import signal
import threading

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


def test_the_signals_are_those_of_people_terminals_and_batch_systems() -> None:
    assert set(STOP_SIGNALS) == {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1}


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_second_ctrl_c_does_not_wait_for_the_step(number: signal.Signals) -> None:
    """Any other signal that comes twice is still one request."""
    before = signal.signal(number, signal.SIG_DFL)
    try:
        with StopRequest().watching() as stop:
            os.kill(os.getpid(), number)
            if number == signal.SIGINT:
                with pytest.raises(KeyboardInterrupt):
                    os.kill(os.getpid(), number)
            else:
                os.kill(os.getpid(), number)
            assert stop()
    finally:
        signal.signal(number, before)


def test_in_another_thread_no_signal_is_handled() -> None:
    before, found = signal.getsignal(signal.SIGINT), []

    def watch() -> None:
        with StopRequest().watching() as stop:
            found.append((signal.getsignal(signal.SIGINT), stop()))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert found == [(before, False)]
