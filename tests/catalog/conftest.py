"""Items and a small STAC server for the tests of the catalogue."""

from __future__ import annotations

import contextlib
import copy
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

FILTER_CLASSES = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
]


def box(west: float, south: float, east: float, north: float) -> dict:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


def build_item(
    name: str,
    moment: str | None = "2024-03-05T10:10:21Z",
    *,
    collection: str = "CARD-2A",
    bounds: tuple[float, float, float, float] = (11.0, 48.0, 12.0, 49.0),
    assets: tuple[str, ...] = ("B04", "SCL"),
    href: str = "https://data.example.com/{id}/{key}.tif",
    **facts: object,
) -> dict:
    """One item; facts write ``__`` for the colon of a prefix."""
    properties = {key.replace("__", ":"): value for key, value in facts.items()}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": name,
        "collection": collection,
        "geometry": box(*bounds),
        "bbox": list(bounds),
        "links": [],
        "properties": {"datetime": moment, **properties},
        "assets": {
            key: {"href": href.format(id=name, key=key), "roles": ["data"]} for key in assets
        },
    }


def build_scene(day: datetime, *, baseline: str = "05.10", made: datetime | None = None) -> dict:
    """One Sentinel-2 scene as the ``card`` profile spells it."""
    made = made or day + timedelta(hours=4)
    number = baseline.replace(".", "")
    text, stamp = f"{day:%Y%m%dT%H%M%S}", f"{made:%Y%m%dT%H%M%S}"
    return build_item(
        f"S2A_{text}_N{number}",
        f"{day:%Y-%m-%dT%H:%M:%SZ}",
        platform="sentinel-2a",
        constellation="sentinel-2",
        eo__cloud_cover=round((day.day * 7.3) % 100, 2),
        sat__relative_orbit=22,
        sat__orbit_state="descending",
        grid__code="MGRS-32UPC",
        s2__processing_baseline=baseline,
        s2__datatake_id=f"GS2A_{text}_045678_N{baseline}",
        s2__datastrip_id=f"S2A_OPER_MSI_L2A_DS_2APS_{stamp}_S{text}_N{baseline}",
        s2__generation_time=f"{made:%Y-%m-%dT%H:%M:%SZ}",
    )


@pytest.fixture(scope="session")
def make_item() -> Callable[..., dict]:
    return build_item


@pytest.fixture(scope="session")
def make_scene() -> Callable[..., dict]:
    return build_scene


@pytest.fixture
def season() -> list[dict]:
    """Ten scenes, ten days apart, from 5 March 2024; the fourth (4 April) is missing."""
    first = datetime(2024, 3, 5, 10, 10, 21, tzinfo=UTC)
    return [build_scene(first + timedelta(days=10 * n)) for n in range(10) if n != 3]


@pytest.fixture
def write(tmp_path):
    """Write items as a GeoJSON item collection."""

    def write_items(items: list[dict], name: str = "season.json", **extra: object):
        path = tmp_path / name
        path.write_text(json.dumps({"type": "FeatureCollection", "features": items, **extra}))
        return path

    return write_items


class StubApi:
    """A STAC API that answers every search with the pages it was given."""

    def __init__(self, pages: list[list[dict]]) -> None:
        self.pages = pages
        self.requests: list[dict] = []
        self.conforms = FILTER_CLASSES
        self.url = ""
        self.next_host: str | None = None
        self.next_links = True
        self.loops = False
        self.matched: int | None = None
        self.resets = 0
        self.status = 200
        self.body: bytes | None = None

    def landing(self) -> dict:
        links = [{"rel": rel, "href": self.url} for rel in ("self", "root")]
        links.append({"rel": "search", "href": f"{self.url}/search", "method": "POST"})
        links.append({"rel": "data", "href": f"{self.url}/collections"})
        return {
            "type": "Catalog",
            "id": "stub",
            "title": "Stub",
            "stac_version": "1.0.0",
            "description": "A server for tests",
            "conformsTo": self.conforms,
            "links": links,
        }

    def page(self, body: dict) -> dict:
        number = int(body.get("token", 0))
        page = {"type": "FeatureCollection", "features": copy.deepcopy(self.pages[number])}
        following = number + 1
        if self.loops:
            following %= len(self.pages)
        if self.matched is not None:
            page["numberMatched"] = self.matched
        page["links"] = []
        if self.next_links and following < len(self.pages):
            page["links"] = [
                {
                    "rel": "next",
                    "method": "POST",
                    "href": f"{self.next_host or self.url}/search",
                    "body": {**body, "token": following},
                }
            ]
        return page


def handler_for(stub: StubApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.startswith("/collections"):
                names = sorted({item["collection"] for page in stub.pages for item in page})
                self.answer({"collections": [collection(name) for name in names], "links": []})
            else:
                self.answer(stub.landing())

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.requests.append(body)
            if stub.resets:
                stub.resets -= 1
                self.connection.close()  # before any answer: the client sees an aborted request
                return
            self.answer(stub.page(body), stub.body)

        def answer(self, content: dict, raw: bytes | None = None) -> None:
            text = json.dumps(content).encode() if raw is None else raw
            self.send_response(stub.status if self.command == "POST" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def collection(name: str) -> dict:
    return {
        "type": "Collection",
        "id": name,
        "stac_version": "1.0.0",
        "description": name,
        "license": "other",
        "links": [],
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [[None, None]]},
        },
    }


@contextlib.contextmanager
def serve_stub(stub: StubApi) -> Iterator[StubApi]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(stub))
    server.handle_error = lambda *_: None  # closed connections are part of the tests
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def stub_api() -> Iterator[Callable[..., StubApi]]:
    """Start servers that send what they are told, whatever they are asked."""
    with contextlib.ExitStack() as stack:
        yield lambda *pages: stack.enter_context(serve_stub(StubApi(list(pages))))


@dataclass(frozen=True)
class Server:
    """A STAC API in a process of its own, and what it was asked."""

    url: str
    log: Path

    def asked(self, method: str = "POST") -> list[dict]:
        """Requests in order."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [one for one in map(json.loads, lines) if one["method"] == method]


@contextlib.contextmanager
def run_server(folder: Path, settings: dict) -> Iterator[Server]:
    folder.mkdir()
    paths = folder / "settings.json", folder / "log.ndjson"
    paths[0].write_text(json.dumps(settings), encoding="utf-8")
    script = Path(__file__).with_name("server.py")
    command = [sys.executable, "-I", str(script), *map(str, paths)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            yield Server(f"http://127.0.0.1:{port}", paths[1])
        finally:
            process.terminate()
            process.wait(timeout=20)


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Server]]:
    """Start STAC APIs, each with its items and its faults."""
    with contextlib.ExitStack() as stack:
        numbers = itertools.count()

        def start(items: list[dict], **settings: object) -> Server:
            folder = tmp_path / f"server-{next(numbers)}"
            return stack.enter_context(run_server(folder, {"items": items, **settings}))

        yield start
