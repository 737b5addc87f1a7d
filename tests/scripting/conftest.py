"""Job files to begin with."""

from __future__ import annotations

import json
import warnings

import pytest

from cbmcube.__main__ import main
from cbmcube.warnings import RepairedParcelsWarning

MINIMAL = """
[catalog]
url = "https://stac.example.org/api"
[product]
name = "CARD-BS"
[parcels]
path = "parcels.gpkg"
[store]
url = "season"
"""

FULL = """
[catalog]
url = "https://stac.example.org/api"
period = 2024-03-01
filter = "sat:relative_orbit = 22"
headers = { Authorization = "STAC_AUTHORIZATION" }
[catalog.access]
hosts = ["*.example.org"]
roots = ["scenes"]
prefer = "auto"
[product]
name = "CARD-2A"
bands = ["B04", "SCL"]
indices = ["NDVI"]
mask = false
offset = -0.1
[parcels]
path = "postgresql://reader@db.example.org/lpis"
table = "gsaa.fields"
id = ["year", "number"]
password = "LPIS_PASSWORD"
where = { crop = ["wheat", "rye"], area_m2 = { min = 5000 } }
buffer = "half_pixel"
resolutions = [20]
[recipe]
statistics = ["mean", "p2.5"]
pixels = "centre"
percentiles = "exactextract"
[store]
url = "s3://bucket/season"
endpoint = "https://objects.example.org"
region = "eu"
environment = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
records_per_unit = 9000
[cluster]
kind = "gateway"
address = "https://dask.example.org"
proxy = "tls://proxy.example.org:8786"
install = true
workers = [2, 8]
options = { worker_cores = 2, image = "registry.example.org/cbmcube:1" }
auth = "basic"
username = "me"
password = "DASK_PASSWORD"
timeout = 90
env = { GDAL_HTTP_TIMEOUT = "60" }
bearer = { "data.example.org" = "DATA_TOKEN" }
[[cluster.s3]]
bucket = "eodata"
key = "EODATA_KEY"
secret = "EODATA_SECRET"
[run]
retries = 5
timeout = 600
[prices]
core_hour = 0.04
gigabyte = 1
"""


@pytest.fixture
def write(tmp_path):
    """Write a job file and return its path."""

    def write_job(text, name="job.toml"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write_job


@pytest.fixture(scope="session")
def season_text(country):
    """A job that takes few seconds on the demo's country: 2 grids, some 20 units."""
    return f"""
[catalog]
path = "{country.catalogue}"
period = "2024-03"
filter = "platform IN ('sentinel-1a', 'sentinel-1b')"
[product]
name = "CARD-BS"
bands = ["VV"]
[parcels]
path = "{country.parcels}"
id = "field_id"
crop = "crop_code"
[recipe]
statistics = ["count", "mean", "p50"]
[store]
url = "season"
"""


@pytest.fixture(scope="session")
def done(season_text, tmp_path_factory):
    """A job that was planned and run from the command line, and what that said."""
    folder = tmp_path_factory.mktemp("season")
    file = folder / "job.toml"
    file.write_text(season_text)
    progress = folder / "progress.jsonl"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RepairedParcelsWarning)
        status = main(["run", str(file), "--no-progress", "--json-progress", str(progress)])
    return file, status, [json.loads(line) for line in progress.read_text().splitlines()]
