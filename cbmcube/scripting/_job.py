"""A job file: one TOML file that says all of a run, read and checked at once."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbmcube.exceptions import JobFileError
from cbmcube.scripting._agree import disagreements
from cbmcube.scripting._problems import refuse, shown
from cbmcube.scripting._reader import Reader
from cbmcube.scripting._secrets import redact
from cbmcube.scripting._tables import (
    TABLES,
    CatalogTable,
    ClusterTable,
    ParcelsTable,
    PricesTable,
    ProductTable,
    RecipeTable,
    RunTable,
    StoreTable,
)

_LARGEST = 256 * 1024
"""Bytes of a job file: many times what its keys can fill, and what a workflow can carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a job file says. It holds names of environment variables, never their values.

    Paths are absolute. `read_job` makes it.
    """

    file: Path
    """The job file."""
    catalog: CatalogTable
    """Where scenes are searched."""
    product: ProductTable
    """What is measured."""
    parcels: ParcelsTable
    """Where is measured."""
    recipe: RecipeTable
    """How pixels become numbers."""
    store: StoreTable
    """Where results are kept."""
    cluster: ClusterTable
    """What computes."""
    run: RunTable
    """How it is run."""
    prices: PricesTable
    """What a plan's costs are computed from."""
    text: str = field(repr=False)
    """The file as it was read."""

    @property
    def variables(self) -> tuple[str, ...]:
        """Names of all environment variables that the job refers to, sorted."""
        return tuple(sorted(set(self._variables())))

    def _variables(self) -> Iterator[str]:
        yield from (name for _, name in (*self.catalog.headers, *self.cluster.bearer))
        yield from self.store.environment
        for one in self.cluster.s3:
            yield from filter(None, (one.key, one.secret, one.token))
        yield from filter(None, (self.parcels.password, self.cluster.password))


def read_job(path: str | os.PathLike[str]) -> Job:
    """Read and check a job file.

    Parameters
    ----------
    path
        A TOML file; `write_example` writes one to begin with. Relative paths in it start from
        its folder.

    Returns
    -------
    Job
        What it says, with defaults filled in.

    Raises
    ------
    JobFileError
        The file is missing, is no TOML, or says what cannot be. All problems are told at once,
        each with its place, what is allowed and the next step. No message repeats what looks
        like a secret.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from cbmcube.scripting import read_job
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "job.toml")
    ...     _ = file.write_text('''
    ...     catalog.url = "https://stac.eodc.eu/api/v1"
    ...     product.name = "CARD-BS"
    ...     parcels.path = "parcels.gpkg"
    ...     store.url = "season"
    ...     ''')
    ...     read_job(file).run.retries
    3
    """
    # Not resolved: a job file that is a link lies where its link lies.
    file = Path(path).absolute()
    return parse_job(_read(file), file)


def parse_job(text: str, file: Path) -> Job:
    """Return what the text of a job file says, if it lay at `file`."""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        reason = "tables are nested too deep" if isinstance(error, RecursionError) else str(error)
        raise JobFileError(
            "the job file is no TOML",
            given=f"{file.name}: {redact(shown(reason))}",
            hint="texts stand in quotes, tables begin with [name]; see https://toml.io",
        ) from None
    reader = Reader(file.parent)
    tables = reader.tables(data)
    refuse(file.name, [*reader.problems, *disagreements(tables)])
    return Job(file=file, text=text, **tables)


def job_paths(job: Job) -> Iterator[tuple[str, Path]]:
    """Yield the place and the path of each local file or folder that a job names."""
    roots = job.catalog.access.roots if job.catalog.access else ()
    named: list[tuple[str, str | Path | None]] = [
        ("[catalog] path", job.catalog.path),
        *(("[catalog.access] roots", root) for root in roots),
        ("[parcels] path", job.parcels.path),
        ("[store] url", job.store.url),
    ]
    for place, path in named:
        if path is not None and "://" not in str(path):
            yield place, Path(path)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise JobFileError(
            "the job file cannot be read",
            given=f"{file}: {reason}",
            hint="write one to begin with: cbmcube init job.toml",
        ) from error
    if len(content) > _LARGEST:
        raise JobFileError(
            "the job file is too large", given=str(file), allowed=f"{_LARGEST // 1024} KiB"
        )
    try:
        # TOML allows both line ends; a workflow that carries the text allows one.
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise JobFileError("the job file is not UTF-8", given=str(file)) from error


def list_keys() -> list[tuple[str, str, str, str, str]]:
    """Return the reference of the job file: table, key, kind, default and meaning of each key.

    Examples
    --------
    >>> from cbmcube.scripting import list_keys
    >>> [row[:4] for row in list_keys() if row[0] == "prices"][0]
    ('prices', 'core_hour', 'number', '0')
    """
    return [row for name, cls in TABLES.items() for row in _rows(name, cls)]


def _rows(name: str, cls: type) -> Iterator[tuple[str, str, str, str, str]]:
    nested: list[tuple[str, str, str, str, str]] = []
    for one in dataclasses.fields(cls):
        kind = one.metadata["kind"]
        if isinstance(kind, type):
            nested += _rows(f"{name}.{one.name}", kind)
            continue
        yield name, one.name, kind.name, _default(one.default), one.metadata["meaning"]
    yield from nested


def _default(value: Any) -> str:
    if value is dataclasses.MISSING:
        return "required"
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_default, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"
