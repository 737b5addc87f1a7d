"""How Sphinx builds the documentation: no network, every public name, examples that run."""

from __future__ import annotations

import importlib
import os
import re
import shutil
from pathlib import Path
from types import ModuleType

import cbmcube

project = "cbmcube"
author = "The cbmcube developers"
copyright = author
release = cbmcube.__version__
version = release

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
]
exclude_patterns = ["_build", "jupyter_execute", "decisions/README.md"]
templates_path = ["_templates"]
html_static_path = ["_static"]
html_theme = "furo"
html_title = f"cbmcube {release}"
default_role = "py:obj"  # single backticks in docstrings name functions and classes

# Pages with code cells and notebooks are run at every build; one that fails fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 240
nb_execution_in_temp = True
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The kernel's debugger warns about frozen modules, which is noise in a page.
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")

autosummary_generate = True
autosummary_imported_members = True
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
numpydoc_show_class_members = False

# --- the reference: pages are made from __all__, so that no public name can be missing -----------

HERE = Path(__file__).parent
LISTED = re.compile(r"^   (cbmcube\S*)$", re.MULTILINE)
MODULES = LISTED.findall((HERE / "reference.md").read_text(encoding="utf-8"))
TITLES = {
    "products": "Products",
    "catalog": "Search",
    "parcels": "Parcels",
    "cube": "Cubes",
    "zonal": "Statistics of parcels",
    "observations": "Tables and files",
    "series": "Time series",
    "agreement": "Comparison",
    "reporting": "Reports",
    "cluster": "Clusters and versions",
}


def _home(member: object) -> str:
    """Return the folder that a public object comes from."""
    defined = member if hasattr(member, "__module__") else type(member)
    parts = str(getattr(defined, "__module__", "")).split(".")
    return parts[1] if parts[0] == "cbmcube" and len(parts) > 1 else ""


def _groups(name: str) -> list[tuple[str, list[str]]]:
    """Return the public names of a module under headings."""
    module = importlib.import_module(name)
    public = {n: getattr(module, n) for n in module.__all__ if not n.startswith("__")}
    members = {n: m for n, m in public.items() if not isinstance(m, ModuleType)}
    if name != "cbmcube":
        # What users call is described once, under the name they call it by.
        top = [getattr(cbmcube, n) for n in cbmcube.__all__]
        return [("", sorted(n for n in members if not any(members[n] is one for one in top)))]
    known = {
        title: sorted(n for n in members if _home(members[n]) == home)
        for home, title in TITLES.items()
    }
    rest = sorted(set(members) - {n for names in known.values() for n in names})
    return [(title, names) for title, names in [*known.items(), ("More", rest)] if names]


# The notebook is a page too; Sphinx reads only what lies beside this file.
shutil.copyfile(HERE.parent / "notebooks" / "01-five-minute-tour.ipynb", HERE / "tour.ipynb")
autosummary_context = {"groups": {name: _groups(name) for name in MODULES}}
