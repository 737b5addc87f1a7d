"""A job file to begin with, which runs as it is on the demo's country."""

from __future__ import annotations

import os
from pathlib import Path

from cbmcube.exceptions import OptionError

EXAMPLE = """\
# A season of parcel statistics, from the scenes to a store of observations.
#
#   cbmcube plan {name}      what it would read, compute and cost
#   cbmcube run {name}       do it; run it again after whatever stopped it
#   cbmcube status {name}    what is done and what is left
#   cbmcube verify {name}    read all of it again and compare with its hashes
#
# Paths start from the folder of this file. Secrets never stand here: where one is needed, write
# the name of the environment variable that holds it.

[catalog]
path = "country/season.json"            # a frozen catalogue; or of a STAC API:
# url = "https://stac.eodc.eu/api/v1"
# headers = {{ Authorization = "STAC_AUTHORIZATION" }}    # the variable, not its value
period = "2024-03/2024-05"
filter = "platform IN ('sentinel-1a', 'sentinel-1b')"   # CQL2

# [catalog.access]                      # where scenes may be read from
# hosts = ["*.eodc.eu"]
# roots = ["/eodc/products"]

[product]
name = "CARD-BS"                        # CARD-2A, CARD-BS, CARD-COH6 or GFM
bands = ["VV", "VH"]

[parcels]
path = "country/parcels.gpkg"           # or "postgresql://user@host/database" with table = "…"
id = "field_id"
crop = "crop_code"
buffer = -5.0                           # metres; or "half_pixel"
# where = {{ crop = ["wheat", "maize"], area_m2 = {{ min = 5000 }} }}

[recipe]
statistics = ["count", "mean", "std", "min", "max", "p25", "p50", "p75"]

[store]
url = "season"                          # a folder, or s3://bucket/prefix
# endpoint = "https://objects.example.org"
# environment = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]

[cluster]
kind = "threads"                        # or local, address, gateway
# kind = "local"
# workers = 4
# memory_limit = "4GiB"
# kind = "gateway"
# address = "https://dask.example.org"
# workers = [2, 16]                     # at least, at most
# options = {{ worker_cores = 2, image = "registry.example.org/cbmcube:1" }}
# bearer = {{ "data.example.org" = "DATA_TOKEN" }}

[run]
retries = 3

# [prices]                              # for the costs of a plan
# core_hour = 0.04
# gigabyte = 0.01
"""
"""The text; braces are doubled for `str.format`."""


def write_example(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a job file to begin with. It runs on the demo's country in ``country`` beside it.

    Parameters
    ----------
    path
        The file to write, such as ``"job.toml"``.
    overwrite
        Whether a file that is there is replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    OptionError
        There is a file already, or it cannot be written.

    Examples
    --------
    >>> from cbmcube.scripting import read_job, write_example
    >>> file = write_example(getfixture("tmp_path") / "job.toml")
    >>> read_job(file).product.bands
    ('VV', 'VH')
    """
    file = Path(path)
    try:
        with file.open("w" if overwrite else "x", encoding="utf-8") as stream:
            stream.write(EXAMPLE.format(name=file.name))
    except FileExistsError as error:
        raise OptionError(
            "there is a file already", given=str(file), hint="choose another name"
        ) from error
    except OSError as error:
        raise OptionError(
            "the example cannot be written", given=f"{file}: {error.strerror}"
        ) from error
    return file
