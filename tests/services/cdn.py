"""What maps load from a network, out of a folder instead; and a page told to look there."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from tests.services.lab import find_package
from tests.services.processes import MissingServiceError

ADDRESS = "https://cdn.jsdelivr.net"
FOLDER = "CBMCUBE_CDN"
"""Environment variable: a folder laid out as the network's, ``npm/parquet-wasm@…/…``."""

_REDIRECT = """
window.asked = [];
const real = window.fetch;
window.fetch = (what, ...rest) => {
  const url = String(what?.url ?? what);
  if (url.startsWith('FROM/')) {
    window.asked.push(url);
    return real(url.replace('FROM', 'TO'), ...rest);
  }
  return real(what, ...rest);
};
"""


def wanted() -> str:
    """Return the path of the file without which lonboard, as it is installed, draws nothing."""
    bundle = find_package("lonboard") / "static" / "index.js"
    pattern = r'"([0-9][\w.-]*)",[\w$]+=`' + re.escape(ADDRESS) + "/npm/parquet-wasm@"
    version = re.search(pattern, bundle.read_text(encoding="utf-8"))
    if version is None:
        raise RuntimeError("lonboard no longer loads parquet-wasm in the way that is known here")
    return f"npm/parquet-wasm@{version[1]}/esm/parquet_wasm_bg.wasm"


def copy_files(target: Path) -> None:
    """Copy the folder of files to a place from which a server hands them out."""
    source = os.environ.get(FOLDER)
    if source is None or not (Path(source) / wanted()).is_file():
        raise MissingServiceError(f"{wanted()} is not in a folder that {FOLDER} names")
    shutil.copytree(source, target)


def redirect(address: str) -> str:
    """Return the script that makes a page ask an address instead of the network."""
    return _REDIRECT.replace("FROM", ADDRESS).replace("TO", address)


if __name__ == "__main__":  # what to fetch, for those who fill the folder
    print(wanted().split("/")[1])  # noqa: T201
