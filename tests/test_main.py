"""The command line wraps the public functions and says what went wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

import cbmcube as cbm
from cbmcube.__main__ import main
from cbmcube.demo import make_country


@pytest.mark.slow
def test_demo_writes_figure_and_tables_and_reuses_its_country(tmp_path, capsys):
    """The newcomer's first command, at its smallest, with two worker processes."""
    out = tmp_path / "demo"
    kept = make_country(out / "country", size="tiny")
    assert main(["demo", "--size", "tiny", "--out", str(out), "--workers", "2"]) == 0
    said = capsys.readouterr().out
    assert "Reusing <Country" in said
    assert not (out / "country").exists()  # not asked to keep it
    assert "of 2 workers; dashboard: http://127.0.0.1:" in said
    for product, bands in (("CARD-2A", 3), ("CARD-BS", 2), ("CARD-COH6", 2)):
        stats = cbm.open_vector_cube(out / f"{product}.zarr")
        table = cbm.read_observations(out / f"{product}.parquet")
        assert len(table) == stats.sizes["time"] * stats.sizes["parcel"] * bands
        assert f"{len(table)}" in said
        assert (out / f"{product}.items.parquet").is_file()
        means = stats[list(stats.band.values)].sel(statistic="mean").to_array()
        assert np.isfinite(means).any(["time", "parcel"]).all()
    assert kept.truth["twin"]["superseded"] in said
    assert f"not found {pd.Timestamp(kept.truth['missing']['datetime']):%Y-%m-%d}" in said
    report = (out / "season-report.html").read_text()
    assert kept.truth["twin"]["superseded"] in report
    assert str(out / "season-report.html") in said
    image = matplotlib.image.imread(out / "profile.png")
    assert image.shape[1] > 1000
    assert image[..., :3].std() > 0.05


def test_search_prints_its_report_and_freezes(country, capsys):
    frozen = country.folder / "frozen.parquet"
    arguments = ["search", str(country.catalogue), "CARD-BS", "--period", "2024-04"]
    arguments += ["--parcels", str(country.parcels), "--id", "field_id", "--out", str(frozen)]
    assert main([*arguments, "--filter", "sat:orbit_state = 'ascending'"]) == 0
    said = capsys.readouterr().out
    assert "items kept" in said
    assert str(frozen) in said
    items = cbm.search(cbm.open_catalog(frozen))
    assert {item.properties["sat:orbit_state"] for item in items} == {"ascending"}
    frozen.unlink()


def test_a_users_error_is_one_message_and_status_2(tmp_path, capsys):
    assert main(["search", str(tmp_path / "absent.json"), "CARD-BS"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("cbmcube search: ")
    assert "absent.json" in said
    assert "Traceback" not in said


def test_versions_names_what_matters(capsys):
    assert main(["versions"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("cbmcube", "odc-loader", "dask", "GDAL"))


def test_an_unknown_product_is_refused_by_the_parser(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["search", "x.json", "CARD-XYZ"])
    assert stop.value.code == 2
    assert "CARD-2A" in capsys.readouterr().err


def test_what_nobody_foresaw_is_one_line_and_status_3(monkeypatch, capsys):
    def fail(*_arguments, **_options):
        raise RuntimeError("GET https://me:pw@h.example.org/a?sig=1 broke")

    monkeypatch.setattr("cbmcube.__main__.open_catalog", fail)
    assert main(["search", "x.json", "CARD-BS"]) == 3
    said = capsys.readouterr().err
    assert said == (
        "cbmcube search: RuntimeError: GET https://h.example.org/a broke\n"
        "  next:    --debug shows where it happened\n"
    )
    assert main(["search", "x.json", "CARD-BS", "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_any_command_in_good_order(monkeypatch, capsys, number):
    monkeypatch.setattr("cbmcube.__main__.open_catalog", lambda _href: signal.raise_signal(number))
    assert main(["search", "x.json", "CARD-BS"]) == 128 + number
    assert "cbmcube search: cancelled" in capsys.readouterr().err


def test_who_reads_along_may_go_away():
    """As in ``cbmcube versions | head -1``; the pipe is closed before anything is written."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "cbmcube", "versions"]
        ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert ended.returncode == 141
    assert ended.stderr == b""
