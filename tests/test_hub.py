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
TOML = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT, BUILD = TOML["project"], TOML["build-system"]
EXTRAS = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
BOUNDS = {
    one.name: one.specifier
    for one in map(requirements.Requirement, [*PROJECT["dependencies"], *EXTRAS])
    if one.name != "cbmcube"
}
PINS = dict(
    line.split("==")
    for line in (ROOT / "hub" / "eodc-pins.txt").read_text().splitlines()
    if "==" in line
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


RECIPE = ROOT / "conda" / "recipe" / "recipe.yaml"


def filled(text, names):
    return re.sub(r"\$\{\{ (\w+) \}\}", lambda found: names.get(found[1], found[1]), text)


def recipe():
    """Return the recipe as conda sees it, with what stands for names filled in."""
    text = RECIPE.read_text()
    return yaml.safe_load(filled(text, yaml.safe_load(text)["context"]))


def expected_run():
    """Name and bound of each dependency; conda has no extras, and its dask is the whole of it."""
    needed = map(requirements.Requirement, PROJECT["dependencies"])
    return [
        f"python {PROJECT['requires-python']}",
        *(f"{one.name} {one.specifier}" for one in needed),
    ]


def test_the_recipe_asks_for_what_the_project_asks_for():
    assert recipe()["requirements"]["run"] == expected_run()
    [builder] = BUILD["requires"]
    assert builder in [one.replace(" ", "") for one in recipe()["requirements"]["host"]]


def test_the_recipe_is_rendered_by_the_tool_that_builds_it():
    """Without a channel: what is rendered is not built."""
    rattler = pytest.importorskip("rattler_build")
    [variant] = rattler.Stage0Recipe.from_file(str(RECIPE)).render()
    made = variant.recipe.to_dict()
    assert made["package"] == {"name": "cbmcube", "version": cbm.__version__}
    assert made["requirements"]["run"] == expected_run()
    assert made["build"]["noarch"] == "python"
    contents = [one["package_contents"] for one in made["tests"] if "package_contents" in one]
    assert all((ROOT / name).exists() for name in contents[0]["site_packages"])
    assert all((ROOT / name).exists() for name in made["about"]["license_file"])


def test_recipe_and_citation_are_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert recipe()["package"] == {"name": "cbmcube", "version": cbm.__version__}
    assert citation["version"] == cbm.__version__
    assert citation["license"] == recipe()["about"]["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert recipe()["build"]["python"]["entry_points"] == [
        f"{name} = {target}" for name, target in PROJECT["scripts"].items()
    ]


def installed(text):
    """Return the extras that a text asks for."""
    [extras] = re.findall(r"\[([a-z0-9,]+)\]", text)
    return extras.split(",")


IMAGE = ROOT / "hub" / "Dockerfile"


def steps(word):
    """Return what follows a word of the Dockerfile, each line whole."""
    lines = [line for line in IMAGE.read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    return [" ".join(one.split()) for one in re.findall(rf"^{word} (.*)$", text, re.MULTILINE)]


def test_image_and_environment_hold_the_same():
    environment = yaml.safe_load((ROOT / "hub" / "environment.yml").read_text())
    [pip] = [one["pip"] for one in environment["dependencies"] if isinstance(one, dict)]
    [line] = [one for one in steps("RUN") if "pip install -c" in one]
    assert installed(line) == installed(pip[1])
    assert set(installed(line)) <= set(PROJECT["optional-dependencies"])
    assert pip[0] == "-c eodc-pins.txt"


def test_the_image_copies_files_that_are_there_and_not_ignored():
    [pins] = [one.removeprefix("PINS=") for one in steps("ARG") if one.startswith("PINS=")]
    copied = [name for one in steps("COPY") for name in one.split()[:-1] if "$" not in name]
    allowed = [
        line.removeprefix("!")
        for line in (IMAGE.parent / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    ]
    for name in [*copied, pins]:
        path = Path(name)
        assert (ROOT / name).exists()
        assert any(path.match(one) or Path(one) in path.parents for one in allowed), name


def test_the_image_ends_as_a_user_who_may_not_write_to_it():
    """And yet keeps what was compiled, in a folder of its own."""
    assert steps("USER") == ["0", "${RUN_AS}"]
    [environment] = steps("ENV")
    folder = dict(one.split("=") for one in environment.split())["NUMBA_CACHE_DIR"]
    assert folder.startswith("/")
    assert steps("RUN")[-1].endswith('chmod -R a+rwX "${NUMBA_CACHE_DIR}"')


def test_versions_are_shown(capsys):
    cbm.show_versions()
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("cbmcube", "python", "dask", "odc-loader"))
