"""Python environments that lack some packages, as images of clusters do, and wheels of them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

LACKS = ("cbmcube", "xvec")


def write_wheel(folder, name):
    """Write a wheel of an installed package of pure Python."""
    found = importlib.metadata.distribution(name)
    version = found.version
    root = Path(importlib.util.find_spec(name).origin).parent
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for file in sorted(root.rglob("*.py")):
            wheel.write(file, file.relative_to(root.parent))
        wheel.writestr(f"{info}/METADATA", found.read_text("METADATA"))
        tags = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tags)
        wheel.writestr(f"{info}/RECORD", "")
    return path


def make_python(folder):
    """Make an interpreter with all that this one has, but for the packages of `LACKS`."""
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("no ensurepip: install python3-venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        target = packages / entry.name
        if not entry.name.lstrip("_").startswith((*LACKS, "editable")) and not target.exists():
            target.symlink_to(entry)
    return folder / "bin" / "python"
