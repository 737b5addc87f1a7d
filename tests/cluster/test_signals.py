from __future__ import annotations

import os
import signal
import threading

import pytest

from cbmcube.cluster._signals import ended_by_signals, held_back

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _handlers_stay():
    # Who runs the tests may ignore SIGHUP, as nohup does.
    usual = (signal.default_int_handler, signal.SIG_DFL, signal.SIG_DFL)
    before = {
        number: signal.signal(number, handler) for number, handler in zip(ALL, usual, strict=True)
    }
    yield
    left = tuple(signal.signal(number, handler) for number, handler in before.items())
    assert left == usual


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_an_ending_signal_leaves_the_block_with_the_status_of_a_shell(number):
    with pytest.raises(SystemExit) as caught, ended_by_signals():
        send(number)
    assert caught.value.code == 128 + number


def test_what_somebody_chose_stays():
    came = []
    before = signal.signal(signal.SIGTERM, lambda *_: came.append("own"))
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ended_by_signals():
            send(signal.SIGTERM)
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGHUP, ignored)
    assert came == ["own"]


def test_a_handler_that_was_set_inside_stays():
    def handler(*_):
        pass

    try:
        with ended_by_signals():
            signal.signal(signal.SIGTERM, handler)
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        ([signal.SIGINT], KeyboardInterrupt),
        ([signal.SIGTERM, signal.SIGINT], SystemExit),  # the first counts
        ([signal.SIGINT, signal.SIGINT, signal.SIGTERM], KeyboardInterrupt),
    ],
)
def test_signals_wait_for_the_end_of_what_must_be_finished(numbers, error):
    done = []

    def finish():
        with held_back():
            for number in numbers:
                send(number)
            done.append("all")
        done.append("never")

    with ended_by_signals(), pytest.raises(error):
        finish()
    assert done == ["all"]


def test_nothing_came_nothing_happens():
    with held_back():
        pass


def test_an_error_inside_comes_out():
    with pytest.raises(KeyError, match="mine"), ended_by_signals(), held_back():
        raise KeyError("mine")


def test_another_thread_leaves_signals_alone():
    found = []

    def look():
        with ended_by_signals(), held_back():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]
