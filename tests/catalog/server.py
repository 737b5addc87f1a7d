"""A small STAC API in a process of its own, sound unless its settings say otherwise.

Run as ``python server.py settings.json log.ndjson``; it prints its port and then serves. Every
request goes to the log. The filter is evaluated here in plain Python, for the few operators that
the tests send.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFORMS = [
    "https://api.stacspec.org/v1.0.0/core",
    "https://api.stacspec.org/v1.0.0/item-search",
    "https://api.stacspec.org/v1.0.0/collections",
    "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
]
COMPARE = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "in": lambda a, b: a in b,
    "between": lambda a, b: b[0].strip(".") <= a and b[1] in ("..", max(a, b[1])),
}
SETTINGS: dict = {}


def holds(condition: dict, item: dict) -> bool:
    """Tell whether an item satisfies a condition."""
    op, args = condition["op"], condition["args"]
    if op == "and":
        return all(holds(part, item) for part in args)
    if op == "not":
        return not holds(args[0], item)
    name = args[0]["property"]
    if op == "s_intersects":
        xs, ys = zip(*args[1]["coordinates"][0], strict=True)
        west, south, east, north = item["bbox"]
        return west <= max(xs) and east >= min(xs) and south <= max(ys) and north >= min(ys)
    value = item["collection"] if name == "collection" else item["properties"].get(name)
    if op == "isNull":
        return value is None
    if op == "t_intersects":
        op, args = "between", [None, [end[:19] for end in args[1]["interval"]]]
        value = item["properties"]["datetime"][:19]
    return value is not None and COMPARE[op](value, args[1])


class Handler(BaseHTTPRequestHandler):
    """Answers landing page, collections, queryables and search."""

    posts = 0

    def do_GET(self) -> None:
        self.note(None)
        if self.path == "/collections":
            names = SETTINGS.get("collections")
            if names is None:
                names = sorted({item["collection"] for item in SETTINGS["items"]})
            self.answer({"collections": [self.collection(name) for name in names], "links": []})
        elif self.path == "/queryables":
            names = SETTINGS.get("queryables", [])
            self.answer({"type": "object", "properties": {name: {} for name in names}})
        else:
            self.answer(self.landing())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.note(body)
        number, Handler.posts = Handler.posts, Handler.posts + 1
        script = SETTINGS.get("script", [])
        step = script[number] if number < len(script) else {}
        if step.get("reset"):
            self.connection.close()
        elif "body_bytes" in step:
            self.send(200, {}, b" " * step["body_bytes"])
        elif step:
            self.send(step["status"], step.get("headers", {}), b'{"detail": "not now"}')
        elif SETTINGS.get("refuses", "never") in json.dumps(body):
            self.send(500, {}, b'{"detail": "no such operator"}')
        else:
            self.answer(self.page(body))

    def landing(self) -> dict:
        here = f"http://{self.headers['Host']}"
        links = [{"rel": rel, "href": here} for rel in ("self", "root")]
        search = SETTINGS.get("search_host") or here
        kind = {"type": "application/geo+json", "method": "POST"}
        links.append({"rel": "search", "href": f"{search}/search", **kind})
        links.append({"rel": "data", "href": f"{here}/collections"})
        if "queryables" in SETTINGS:
            rel = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
            links.append({"rel": rel, "href": f"{here}/queryables"})
        return {
            "type": "Catalog",
            "id": "small",
            "stac_version": "1.0.0",
            "description": "A server for tests",
            "conformsTo": CONFORMS,
            "links": links,
        }

    def page(self, body: dict) -> dict:
        condition = None if SETTINGS.get("drops_filter") else body.get("filter")
        found = [item for item in SETTINGS["items"] if condition is None or holds(condition, item)]
        size = min(body["limit"], SETTINGS.get("page_size", 100))
        start = int(body.get("token", 0))
        end = start + size
        if SETTINGS.get("cycle") and end >= len(found):
            end = 0
        links = []
        if end < len(found) and not SETTINGS.get("no_next"):
            # pages overlap where the settings say so, as when items are added during a search
            token = end - SETTINGS.get("overlap", 0) if end else 0
            host = SETTINGS.get("next_host") or f"http://{self.headers['Host']}"
            more = {**body, "token": str(token)}
            link = {"rel": "next", "method": "POST", "href": f"{host}/search", "body": more}
            links.append(link)
        features = found[start : start + size]
        return {"type": "FeatureCollection", "features": features, "links": links}

    def collection(self, name: str) -> dict:
        extent = {"spatial": {"bbox": [[-180, -90, 180, 90]]}}
        extent["temporal"] = {"interval": [[None, None]]}
        facts = {"type": "Collection", "id": name, "stac_version": "1.0.0", "description": name}
        return {**facts, "license": "other", "links": [], "extent": extent}

    def note(self, body: dict | None) -> None:
        record = {"method": self.command, "path": self.path, "time": time.monotonic()}
        record |= {"headers": dict(self.headers), "body": body}
        with Path(sys.argv[2]).open("a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")

    def answer(self, content: dict) -> None:
        self.send(200, {}, json.dumps(content).encode())

    def send(self, status: int, headers: dict, body: bytes) -> None:
        self.send_response(status)
        for name, text in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # a client may stop reading
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    SETTINGS |= json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever(poll_interval=0.05)
