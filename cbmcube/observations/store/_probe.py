"""Whether a store keeps two writers apart: asked once for each process, by trying."""

from __future__ import annotations

import uuid
import warnings

from cbmcube.observations.store._address import Address
from cbmcube.observations.store._backend import Backend, NoConditionsError
from cbmcube.observations.store._failpoints import failpoint
from cbmcube.warnings import SingleWriterWarning

_known: dict[Address, bool] = {}


def honours_conditions(backend: Backend, address: Address) -> bool:
    """Return whether an object can be created only if there is none of its name.

    Two conditional requests for one name must give one success and one refusal. There are
    object stores that accept the condition and ignore it, and disks without links.
    """
    if address not in _known:
        _known[address] = _probe(backend)
        if not _known[address]:
            warnings.warn(
                f"{address.url} does not honour conditional writes, so that two runs on this "
                "store at once could overwrite each other unnoticed: let only one run write to it",
                SingleWriterWarning,
                stacklevel=2,
            )
    return _known[address]


def forget_probes() -> None:
    """Ask every store again."""
    _known.clear()


def _probe(backend: Backend) -> bool:
    name = f"probe/{uuid.uuid4().hex}"
    failpoint("probe", "begin")
    try:
        first = backend.create(name, b"1", "probe")
        failpoint("probe", "first")
        second = backend.create(name, b"2", "probe")
        failpoint("probe", "second")
        # A lost answer makes the first look refused, too; what counts is what is there.
        honoured = not second and backend.read(name) == b"1"
    except NoConditionsError:
        return False
    finally:
        backend.delete(name)
    failpoint("probe", "end")
    return honoured or (first and not second)
