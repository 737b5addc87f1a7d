from __future__ import annotations

import importlib.metadata
from io import StringIO

import numpy as np
import rasterio

from cbmcube import __version__
from cbmcube.cluster import _versions, show_versions, versions


def test_the_versions_are_those_of_the_modules():
    found = versions()
    assert found["cbmcube"] == __version__
    assert found["numpy"] == np.__version__
    assert found["rasterio"] == rasterio.__version__
    assert found["GDAL"] == rasterio.__gdal_version__


def test_what_is_absent_is_said(monkeypatch):
    monkeypatch.setattr(_versions, "PACKAGES", ("numpy", "no-such-package-anywhere"))
    assert versions()["no-such-package-anywhere"] == "not installed"
    assert _versions._gdal("no_such_package_anywhere") == "not installed"


def test_every_package_named_is_a_dependency_or_comes_with_one():
    requirements = importlib.metadata.requires("cbmcube")
    named = {text.split(">")[0].split("[")[0].strip() for text in requirements}
    assert set(_versions.PACKAGES) - named <= {"pyogrio"}


def test_shown_as_a_table(capsys):
    text = StringIO()
    show_versions(text)
    assert capsys.readouterr().out == ""
    show_versions()
    assert capsys.readouterr().out == text.getvalue()
    rows = dict(
        line.split(maxsplit=1) for line in text.getvalue().splitlines() if "GDAL" not in line
    )
    assert rows["numpy"] == np.__version__
