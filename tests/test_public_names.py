"""Every public name has a docstring, and everything that is called or made has an example."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import cbmcube as cbm

ROOT = Path(__file__).parents[1]
# The reference lists the public packages, and its pages are made from their __all__.
PACKAGES = re.findall(
    r"^   (cbmcube\S*)$", (ROOT / "docs" / "reference.md").read_text(), flags=re.MULTILINE
)


def public_objects():
    """Return the object behind every public name, once, by the first name it has."""
    found: dict[int, tuple[str, object]] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            member = getattr(module, name)
            if not isinstance(member, ModuleType):
                found.setdefault(id(member), (f"{package}.{name}", member))
    return dict(found.values())


OBJECTS = public_objects()
CALLED = {
    name: member
    for name, member in OBJECTS.items()
    if inspect.isroutine(member) or inspect.isclass(member) or hasattr(member, "cache_info")
}


def signatures():
    """Return what public functions, methods and properties say that they return."""
    for member in CALLED.values():
        for part in [member, *vars(member).values()] if inspect.isclass(member) else [member]:
            function = getattr(part, "fget", None) or getattr(part, "__func__", part)
            yield str(getattr(function, "__annotations__", {}).get("return", ""))


RETURNED = set(re.findall(r"\w+", " ".join(signatures())))


def is_result(member):
    """Whether users are handed this record and never make it: the maker's example shows it."""
    if not dataclasses.is_dataclass(member) or any(member is getattr(cbm, n) for n in cbm.__all__):
        return False  # what users make stands at the top
    return member.__name__ in RETURNED | FIELDS


def fields():
    """Return the words in the types of the fields of records that functions return."""
    for member in CALLED.values():
        if dataclasses.is_dataclass(member) and member.__name__ in RETURNED:
            types = " ".join(str(field.type) for field in dataclasses.fields(member))
            yield from re.findall(r"\w+", types)


FIELDS = set(fields())


def needs_example(member):
    """Exceptions, warnings, protocols and results are named by what raises, takes, returns them."""
    if not inspect.isclass(member):
        return True
    return not (
        issubclass(member, BaseException)
        or getattr(member, "_is_protocol", False)
        or is_result(member)
    )


EXAMPLES = {name: member for name, member in CALLED.items() if needs_example(member)}


@pytest.mark.parametrize("name", sorted(CALLED))
def test_a_public_name_says_what_it_is(name):
    text = inspect.getdoc(CALLED[name]) or ""
    first = text.split("\n\n")[0]
    assert first.endswith((".", "…")), f"{name} has no first sentence: {first!r}"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_what_is_called_has_an_example(name):
    """The examples themselves run as doctests of their modules."""
    assert ">>> " in (EXAMPLES[name].__doc__ or ""), f"{name} shows no example"


def test_the_reference_has_every_package_that_is_reached_from_the_top():
    reached = {f"cbmcube.{n}" for n in cbm.__all__ if isinstance(getattr(cbm, n), ModuleType)}
    assert reached <= set(PACKAGES)


def test_an_exemption_is_one():
    """Records that users make are asked for an example, records they are handed are not."""
    assert "cbmcube.Band" in EXAMPLES
    assert "cbmcube.cluster.ClusterReport" not in EXAMPLES
    assert not any(issubclass(m, Exception) for m in EXAMPLES.values() if inspect.isclass(m))
