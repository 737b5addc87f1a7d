"""Signals end a command in good order, and exit statuses say how it ended."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager

import pytest
from pystac_client.exceptions import APIError

from cbmcube import exceptions
from cbmcube.scripting import Cancelled, ExitStatus, cancellable, error_status, signal_status
from cbmcube.scripting._exit import stopped_by_signals

BOTH = (signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_ends_the_block_as_ctrl_c_does(number):
    before = [signal.getsignal(one) for one in BOTH]
    tidied = []
    with (
        pytest.raises(KeyboardInterrupt) as caught,
        cancellable(),
        # The second one would end the process at once.
        closing(lambda: tidied.extend(signal.getsignal(one) for one in BOTH)),
    ):
        signal.raise_signal(number)
    assert tidied == [signal.SIG_DFL, signal.SIG_DFL]
    assert signal_status(caught.value) == 128 + number
    assert str(caught.value) == signal.Signals(number).name
    assert [signal.getsignal(one) for one in BOTH] == before


@contextmanager
def closing(function):
    try:
        yield
    finally:
        function()


def test_ctrl_c_itself():
    with pytest.raises(KeyboardInterrupt) as caught, cancellable():
        signal.raise_signal(signal.SIGINT)
    assert signal_status(caught.value) == 130


def test_what_is_ignored_stays_ignored():
    """As nohup has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with cancellable(), stopped_by_signals() as stop:
            signal.raise_signal(signal.SIGHUP)
        assert stop.number is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, *BOTH])
def test_the_first_signal_asks_and_the_second_ends(number):
    before = signal.getsignal(number)
    with stopped_by_signals() as stop:
        assert not stop.asked()
        signal.raise_signal(number)
        assert stop.asked()
        assert stop.number == number
        with pytest.raises(Cancelled):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(number) == before


def test_other_threads_leave_signals_alone():
    found = []

    def work():
        with cancellable(), stopped_by_signals() as stop:
            found.append(stop.asked())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def because(error, cause):
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (exceptions.OptionError("x"), 2),
        (exceptions.JobFileError("x"), 2),
        (exceptions.ParcelsError("x"), 2),
        (exceptions.EmptySearchError("x"), 2),
        (exceptions.UnknownCollectionError("x"), 2),
        (exceptions.StoreExistsError("x"), 2),
        (exceptions.StoreNotFoundError("x"), 2),
        (ImportError("x"), 2),
        (exceptions.StoreCorruptError("x"), 1),
        (exceptions.ConflictError("x"), 1),
        (exceptions.CatalogError("x"), 2),
        (because(exceptions.CatalogError("x"), ValueError("no JSON")), 2),
        (because(exceptions.CatalogError("x"), APIError("HTTP 503")), 3),
        (because(exceptions.CatalogError("x"), TimeoutError()), 3),
        (exceptions.ClusterError("x"), 3),
        (exceptions.StoreUnavailableError("x"), 3),
        (exceptions.StoreFullError("x"), 3),
        (exceptions.WorkflowError("x"), 3),
        (OSError("x"), 3),
        (MemoryError(), 3),
    ],
)
def test_statuses_of_errors(error, status):
    assert error_status(error) == status


def test_the_statuses_are_those_of_shells():
    assert [int(one) for one in ExitStatus] == [0, 1, 2, 3]
    assert signal_status(BrokenPipeError()) == 141
    assert os.waitstatus_to_exitcode(signal_status(Cancelled(15)) << 8) == 143
