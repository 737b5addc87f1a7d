"""The command line: thin wrappers around the public functions."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from cbmcube import __version__
from cbmcube.catalog import freeze, open_catalog, report, search
from cbmcube.cluster import show_versions
from cbmcube.demo import make_country, open_country, run_demo
from cbmcube.exceptions import Error
from cbmcube.parcels import read_parcels
from cbmcube.products import list_products
from cbmcube.scripting import (
    LEVELS,
    ExitStatus,
    add_commands,
    cancellable,
    error_status,
    logged,
    read_job,
    redact,
    secret_values,
    signal_status,
    write_example,
)

_PRODUCTS = {product.name: product for product in list_products()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status, see `cbmcube.scripting.ExitStatus`."""
    options = _parser().parse_args(arguments)
    secrets = _secrets(options)
    try:
        with cancellable(), logged(options.log, command=options.command, secrets=secrets):
            return int(options.run(options) or ExitStatus.DONE)
    except KeyboardInterrupt as cancelled:
        _say(options, "cancelled; what is committed stays, run it again to go on", secrets)
        return signal_status(cancelled)
    except BrokenPipeError as gone:
        # Who read along has gone, and Python would complain when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return signal_status(gone)
    except (Error, ImportError) as error:
        _say(options, str(error), secrets)
        return error_status(error)
    except Exception as error:  # noqa: BLE001  # the last place where it can be told
        hint = "" if options.debug else "\n  next:    --debug shows where it happened"
        _say(options, f"{type(error).__name__}: {error}{hint}", secrets)
        return error_status(error)


def _say(options: argparse.Namespace, text: str, secrets: Sequence[str]) -> None:
    """Tell what ended a command; with ``--debug`` where, too."""
    if options.debug:
        print(redact(traceback.format_exc(), secrets), file=sys.stderr)
    print(redact(f"cbmcube {options.command}: {text}", secrets), file=sys.stderr)


def _secrets(options: argparse.Namespace) -> tuple[str, ...]:
    """Return what must not be printed: also the values of the variables that a job names."""
    job = str(getattr(options, "job", getattr(options, "target", "")))
    try:
        return secret_values(read_job(job).variables if job.endswith(".toml") else ())
    except Error:
        return secret_values()


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    _add_common(common, default=argparse.SUPPRESS)
    parser = argparse.ArgumentParser(
        prog="cbmcube", description="Per-parcel time series from STAC catalogues."
    )
    parser.add_argument("--version", action="version", version=f"cbmcube {__version__}")
    _add_common(parser, default=None)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_demo(commands, common)
    _add_search(commands, common)
    _add_init(commands, common)
    add_commands(commands, [common])
    versions = commands.add_parser(
        "versions", help="show the versions of everything that matters", parents=[common]
    )
    versions.set_defaults(run=lambda _options: show_versions())
    return parser


def _add_common(parser: argparse.ArgumentParser, *, default: object) -> None:
    parser.add_argument(
        "--debug", action="store_true", default=default, help="show where an error happened"
    )
    parser.add_argument("--log", choices=LEVELS, default=default, help="write a log to stderr")


def _add_demo(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    demo = commands.add_parser(
        "demo", help="run the whole job on a small synthetic country", parents=[common]
    )
    demo.add_argument("--out", default="cbmcube-demo", help="folder for the results")
    demo.add_argument("--size", default="medium", choices=["tiny", "long", "small", "medium"])
    demo.add_argument("--workers", type=int, help="worker processes (default: one per core)")
    demo.add_argument("--keep", action="store_true", help="keep the country's files")
    demo.set_defaults(run=_demo)


def _add_search(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    find = commands.add_parser(
        "search", help="search a STAC API or a frozen catalogue", parents=[common]
    )
    find.add_argument("catalog", help="URL of a STAC API, or a .json or .parquet file")
    find.add_argument("product", choices=sorted(_PRODUCTS))
    find.add_argument("--parcels", help="file of parcels whose extent is searched")
    find.add_argument("--id", help="column of the parcels' ids")
    find.add_argument("--period", help='such as "2024-03/2024-10"')
    find.add_argument("--filter", help="CQL2 text")
    find.add_argument("--out", help="freeze the items as .json or .parquet")
    find.set_defaults(run=_search)


def _add_init(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    init = commands.add_parser(
        "init", help="write a job file to begin with, and the country it runs on", parents=[common]
    )
    init.add_argument("job", help="job file to write (.toml)")
    init.add_argument("--no-country", action="store_true", help="write the job file alone")
    init.set_defaults(run=_init)


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


def _init(options: argparse.Namespace) -> None:
    print(f"Written: {write_example(options.job)}")
    folder = Path(options.job).parent / "country"
    if not options.no_country:
        print(f"Written: {open_country(folder) or make_country(folder, size='tiny')}")


if __name__ == "__main__":
    sys.exit(main())
