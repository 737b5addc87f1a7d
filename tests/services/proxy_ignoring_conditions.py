"""A proxy before an object store, in a process of its own, that drops ``If-None-Match``.

Stores that accept the header and ignore it exist. The signature covers it, so the store behind
must be one that does not check signatures.
"""

from __future__ import annotations

import http.client
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

END_TO_END = {"connection", "transfer-encoding", "if-none-match", "expect"}


class Handler(BaseHTTPRequestHandler):
    """Pass everything on but the condition."""

    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(sys.argv[2], timeout=30)
        headers = {n: v for n, v in self.headers.items() if n.lower() not in END_TO_END}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        data = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in END_TO_END and (name.lower() != "content-length" or not data):
                self.send_header(name, value)
        if data:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        upstream.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815  # as HTTP spells them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
