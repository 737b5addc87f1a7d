"""A small synthetic country, written as real files, to learn and test with."""

from cbmcube.demo._command import run_demo
from cbmcube.demo._country import Country, make_country, open_country
from cbmcube.demo._job import ProductRun

__all__ = ["Country", "ProductRun", "make_country", "open_country", "run_demo"]
