"""Exit statuses of the command line, and signals that end a command in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import FrameType

from pystac_client.exceptions import APIError

from cbmcube import exceptions

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class ExitStatus(IntEnum):
    """What a command's exit status means.

    A command that a signal ended has 128 plus the signal's number, as shells write it:
    130 after Ctrl-C (SIGINT), 143 after SIGTERM, 129 after SIGHUP.

    Examples
    --------
    >>> from cbmcube.scripting import ExitStatus
    >>> [f"{one.value} {one.name}" for one in ExitStatus]
    ['0 DONE', '1 UNFINISHED', '2 USER_ERROR', '3 FAULT']
    """

    DONE = 0
    """All is done, or whole."""
    UNFINISHED = 1
    """Units failed or are left; or the store is damaged. Running it again may mend it."""
    USER_ERROR = 2
    """The job, an argument or an input cannot be used; running it again changes nothing."""
    FAULT = 3
    """Something broke that the job is not to blame for: a server, a cluster, a disk, or cbmcube.
    Running it again may help."""


_DAMAGE = (exceptions.StoreCorruptError, exceptions.ConflictError)
_USER = (exceptions.EmptySearchError, ImportError)
_FAULTS = (
    exceptions.ClusterError,
    exceptions.StoreFullError,
    exceptions.StoreUnavailableError,
    exceptions.WorkflowError,
)


def error_status(error: Exception) -> ExitStatus:
    """Return the exit status of a command that an error ended.

    Examples
    --------
    >>> from cbmcube.exceptions import OptionError
    >>> error_status(OptionError("no")).name, error_status(ZeroDivisionError()).name
    ('USER_ERROR', 'FAULT')
    """
    if isinstance(error, _DAMAGE):
        return ExitStatus.UNFINISHED
    if isinstance(error, _USER):
        return ExitStatus.USER_ERROR
    # A catalogue that does not answer may do so later; one that is none will not.
    asked = isinstance(error, exceptions.CatalogError)
    if asked and isinstance(error.__cause__, (APIError, OSError)):
        return ExitStatus.FAULT
    known = isinstance(error, exceptions.Error) and not isinstance(error, _FAULTS)
    return ExitStatus.USER_ERROR if known else ExitStatus.FAULT


class Cancelled(KeyboardInterrupt):
    """A signal asked the command to end. What handles Ctrl-C handles it, too."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def signal_status(cancelled: BaseException) -> int:
    """Return the exit status of a command that a signal, or a closed pipe, ended.

    Examples
    --------
    >>> signal_status(KeyboardInterrupt())
    130
    """
    if isinstance(cancelled, BrokenPipeError):
        return 128 + signal.SIGPIPE
    return 128 + int(getattr(cancelled, "number", signal.SIGINT))


class Stop:
    """Whether a signal asked a run to end."""

    def __init__(self) -> None:
        self.number: int | None = None
        """The signal, once it came."""

    def asked(self) -> bool:
        """Return whether it came."""
        return self.number is not None


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """Let the first signal ask for an end, and the second one end the block at once.

    For work that looks at what it is given now and then, and ends in good order by itself.
    """
    stop = Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.number is not None:
            raise Cancelled(number)
        stop.number = number

    with _handled(ask, (signal.SIGINT, *_SIGNALS)):
        yield stop


@contextmanager
def cancellable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block as Ctrl-C does, so that clusters are shut down.

    The second signal ends the process at once.

    Examples
    --------
    >>> from cbmcube.scripting import cancellable
    >>> with cancellable():
    ...     print("a SIGTERM here would end the block as Ctrl-C does")
    a SIGTERM here would end the block as Ctrl-C does
    """

    def cancel(number: int, _frame: FrameType | None) -> None:
        for one in _SIGNALS:
            signal.signal(one, signal.SIG_DFL)
        raise Cancelled(number)

    with _handled(cancel, _SIGNALS):
        yield


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None], signals: Iterable[signal.Signals]
) -> Iterator[None]:
    """Handle signals inside the block; only the main thread of a process can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {one: signal.getsignal(one) for one in signals}
    # nohup has SIGHUP ignored, and means it.
    taken = [one for one in before if before[one] is not signal.SIG_IGN]
    try:
        for one in taken:
            signal.signal(one, handler)
        yield
    finally:
        for one in taken:
            signal.signal(one, before[one] or signal.SIG_DFL)
