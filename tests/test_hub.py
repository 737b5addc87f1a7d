"""What is given to hubs agrees with the project: pins, recipe, image, citation."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import cbmcube as cbm

yaml = pytest.importorskip("yaml")
requirements = pytest.importorskip("packaging.requirements")

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
BOUNDS = {
    one.name: one.specifier
    for one in map(requirements.Requirement, [*PROJECT["dependencies"], *EXTRAS])
    if one.name != "cbmcube"
}
PINS = dict(
    line.split("==")
    for line in (ROOT / "hub" / "eodc-pins.txt").read_text().splitlines()
    if not line.startswith("#")
)


@pytest.mark.trap("T43")
@pytest.mark.parametrize("name", sorted(set(PINS) & set(BOUNDS)))
def test_the_pins_of_a_hub_are_allowed(name):
    """A lower bound above a pin would push the image's version out."""
    assert BOUNDS[name].contains(PINS[name])


def test_the_pins_cover_what_travels_between_client_and_workers():
    assert {"dask", "distributed", "numpy", "odc-loader", "pandas", "rasterio", "xarray"} <= set(
        PINS
    )


def recipe():
    """Return the recipe as conda sees it, its two placeholders filled."""
    text = (ROOT / "conda" / "recipe" / "meta.yaml").read_text()
    [version] = re.findall(r'^{% set version = "(.*)" %}$', text, flags=re.MULTILINE)
    text = re.sub(r"^{%.*%}$", "", text, flags=re.MULTILINE)
    return yaml.safe_load(text.replace("{{ version }}", version).replace("{{ PYTHON }}", "python"))


def test_the_recipe_asks_for_what_the_project_asks_for():
    """Name and bound of each dependency; conda has no extras, and its dask is the whole of it."""
    stated = recipe()["requirements"]["run"]
    expected = [f"python {PROJECT['requires-python']}"]
    for line in PROJECT["dependencies"]:
        one = requirements.Requirement(line)
        expected.append(f"{one.name} {one.specifier}")
    assert stated == expected


def test_recipe_and_citation_are_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert recipe()["package"] == {"name": "cbmcube", "version": cbm.__version__}
    assert citation["version"] == cbm.__version__
    assert citation["license"] == recipe()["about"]["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert recipe()["build"]["entry_points"] == [
        f"{name} = {target}" for name, target in PROJECT["scripts"].items()
    ]


def installed(text):
    """Return the extras that a text asks for."""
    [extras] = re.findall(r"\[([a-z0-9,]+)\]", text)
    return extras.split(",")


def test_image_and_environment_hold_the_same():
    image = (ROOT / "hub" / "Dockerfile").read_text()
    environment = yaml.safe_load((ROOT / "hub" / "environment.yml").read_text())
    [pip] = [one["pip"] for one in environment["dependencies"] if isinstance(one, dict)]
    [line] = re.findall(r"pip install .*", image)
    assert installed(line) == installed(pip[1])
    assert set(installed(line)) <= set(PROJECT["optional-dependencies"])
    assert pip[0] == "-c eodc-pins.txt"


def test_the_image_copies_files_that_are_there():
    image = (ROOT / "hub" / "Dockerfile").read_text()
    pins = re.findall(r"^ARG PINS=(.*)$", image, flags=re.MULTILINE)
    copied = re.findall(r"^COPY (.*) \S+$", image, flags=re.MULTILINE)
    names = [name for line in copied for name in line.split() if "$" not in name]
    assert pins == ["hub/eodc-pins.txt"]
    assert all((ROOT / name).exists() for name in names + pins)


def test_versions_are_shown(capsys):
    cbm.show_versions()
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("cbmcube", "python", "dask", "odc-loader"))
