"""Write the page of a season: look everything up, draw it, write it whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from cbmcube._canvas import require_matplotlib
from cbmcube.exceptions import OptionError
from cbmcube.observations import Observations, write_whole
from cbmcube.observations.reading import Coverage
from cbmcube.reporting import _figures, _map, _profiles, _tables
from cbmcube.reporting._page import Content, render
from cbmcube.reporting._provenance import provenance
from cbmcube.reporting._scenes import Scenes, find_scenes
from cbmcube.reporting._work import Work, find_work


def season_report(
    obs: Observations,
    path: str | os.PathLike[str] = "season-report.html",
    *,
    title: str | None = None,
    worst: int = 5_000,
    parcels: Iterable[object] | str | None = None,
    slowest: int = 50,
) -> Path:
    """Write one page of HTML that shows what a season saw, and what it did not.

    The page has acquisitions by orbit and date, gaps, items left out, coverage of parcels as map,
    histogram and by month, a table of the worst covered parcels that sorts and filters, profiles
    of three parcels, slow and failed units, and how the numbers were made. It is one file that
    needs no network and can be sent by mail; its colours follow the reader's light or dark.

    One column of the rows is read, piece by piece, and the outlines of parcels group by group;
    memory does not grow with the number of acquisitions, and by some 100 bytes for each parcel.

    Parameters
    ----------
    obs
        The season, as `open_observations` returns it.
    path
        Where to; an existing file is replaced.
    title
        Heading of the page; by default the product and the period.
    worst
        Most rows of the table of parcels: those with the fewest usable acquisitions.
    parcels
        Ids of parcels whose profiles are drawn, at most 12; by default the best covered, a
        typical and the worst covered one.
    slowest
        Most rows of the table of slow units.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    OptionError
        If `obs` is not an observation store's, or a number of rows is below 1.
    UnknownParcelError
        If the store does not have one of the parcels.
    ImportError
        If matplotlib is not installed.

    Examples
    --------
    >>> import cbmcube as cbm
    >>> folder = getfixture("tmp_path")
    >>> parcels = cbm.read_parcels(country.parcels, id="field_id").head(20)
    >>> season = cbm.plan(
    ...     cbm.open_catalog(country.catalogue),
    ...     cbm.CARD_BS,
    ...     parcels,
    ...     period="2024-03",
    ...     store=folder / "bs",
    ... )
    >>> season.run(progress=False).ok
    True
    >>> page = cbm.season_report(cbm.open_observations(folder / "bs"), folder / "report.html")
    >>> page.name
    'report.html'
    """
    require_matplotlib("season reports")
    _require_sense(obs, worst, slowest)
    samples = None if parcels is None else _profiles.named(parcels)
    coverage, places = obs.coverage(), obs.places()
    scenes, work = find_scenes(obs), find_work(obs, most=slowest)
    heading, about = _heading(obs, scenes, title)
    content = Content(
        title=heading,
        about=about,
        scenes=scenes,
        coverage=coverage,
        work=work,
        records=len(obs),
        drawings=_draw(obs, scenes, coverage, places)
        | _list(scenes, coverage, places, work, worst=worst),
        profiles=_profiles.draw(obs, _profiles.choose(coverage) if samples is None else samples),
        provenance=provenance(obs),
    )
    page = render(content)
    return write_whole(path, lambda target: Path(target).write_text(page, encoding="utf-8"))


def _draw(
    obs: Observations, scenes: Scenes, coverage: Coverage, places: pd.DataFrame
) -> dict[str, str]:
    few = len(coverage.ids) <= _map.FEW
    outlines = obs.parcels().to_crs(4326) if few and len(coverage.ids) else None
    return {
        "scenes": _figures.scene_calendar(scenes),
        "map": _map.coverage_map(coverage, places, outlines),
        "histogram": _figures.histogram(coverage),
        "months": _figures.months(coverage),
    }


def _list(
    scenes: Scenes, coverage: Coverage, places: pd.DataFrame, work: Work, *, worst: int
) -> dict[str, str]:
    return {
        "acquisitions": _tables.acquisition_table(scenes, coverage),
        "gaps": _tables.gap_table(scenes),
        "left out": _tables.left_out_table(scenes),
        "parcels": _tables.parcel_table(coverage, places, worst=worst),
        "failed": _tables.failed_table(work),
        "slow": _tables.slow_table(work),
    }


def _heading(obs: Observations, scenes: Scenes, title: str | None) -> tuple[str, str]:
    times = scenes.acquisitions["time"]
    period = ""
    if len(times):
        first, last = (f"{pd.Timestamp(one):%Y-%m-%d}" for one in (times.min(), times.max()))
        period = first if first == last else f"{first} to {last}"
    product = str(obs.recipe.get("product", "season"))
    about = f"{obs.store.url}, snapshot {obs.snapshot.number}, published {obs.snapshot.created}"
    if title is not None:
        return title, f"{product}, {period}; {about}" if period else f"{product}; {about}"
    return " ".join(filter(None, [product, period])), about


def _require_sense(obs: Observations, worst: int, slowest: int) -> None:
    if not isinstance(obs, Observations):
        raise OptionError(
            "a report is of the observations of a store",
            given=type(obs).__name__,
            allowed="what open_observations returns",
            hint="cbmcube.season_report(cbmcube.open_observations(store))",
        )
    if worst < 1 or slowest < 1:
        raise OptionError(
            "worst= and slowest= count rows",
            given=f"worst={worst}, slowest={slowest}",
            allowed="1 or more",
        )
