"""The command line: thin wrappers around the public functions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cbmcube import CARD_2A, CARD_BS, CARD_COH6, __version__
from cbmcube.catalog import freeze, open_catalog, report, search
from cbmcube.cluster import show_versions
from cbmcube.demo import run_demo
from cbmcube.exceptions import Error
from cbmcube.parcels import read_parcels

_PRODUCTS = {product.name: product for product in (CARD_2A, CARD_BS, CARD_COH6)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status; a user's error is 2."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except Error as error:
        print(f"cbmcube {options.command}: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cbmcube", description="Per-parcel time series from STAC catalogues."
    )
    parser.add_argument("--version", action="version", version=f"cbmcube {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    _add_demo(commands)
    _add_search(commands)
    versions = commands.add_parser("versions", help="show the versions of everything that matters")
    versions.set_defaults(run=lambda _options: show_versions())
    return parser


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="run the whole job on a small synthetic country")
    demo.add_argument("--out", default="cbmcube-demo", help="folder for the results")
    demo.add_argument("--size", default="medium", choices=["tiny", "small", "medium"])
    demo.add_argument("--workers", type=int, help="worker processes (default: one per core)")
    demo.add_argument("--keep", action="store_true", help="keep the country's files")
    demo.set_defaults(run=_demo)


def _add_search(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    find = commands.add_parser("search", help="search a STAC API or a frozen catalogue")
    find.add_argument("catalog", help="URL of a STAC API, or a .json or .parquet file")
    find.add_argument("product", choices=sorted(_PRODUCTS))
    find.add_argument("--parcels", help="file of parcels whose extent is searched")
    find.add_argument("--id", help="column of the parcels' ids")
    find.add_argument("--period", help='such as "2024-03/2024-10"')
    find.add_argument("--filter", help="CQL2 text")
    find.add_argument("--out", help="freeze the items as .json or .parquet")
    find.set_defaults(run=_search)


def _demo(options: argparse.Namespace) -> None:
    run_demo(options.out, size=options.size, workers=options.workers, keep=options.keep)


def _search(options: argparse.Namespace) -> None:
    items = search(
        open_catalog(options.catalog),
        _PRODUCTS[options.product],
        aoi=read_parcels(options.parcels, id=options.id) if options.parcels else None,
        period=options.period,
        filter=options.filter,
    )
    print(report(items))
    if options.out:
        print(f"Frozen: {freeze(items, options.out)}")


if __name__ == "__main__":
    sys.exit(main())
