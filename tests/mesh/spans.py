"""What tests/mesh/apps/http_collector.py was told: reports, and Zipkin's spans in them. `Zipkin` is the same outside of
any mesh.
"""

import json
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

from tests.mesh.harness import Program


class Report(msgspec.Struct, frozen=True):
    path: str
    headers: dict[str, str]
    body: bytes


class Span(msgspec.Struct, frozen=True, rename="camel"):
    """One of Zipkin's, version 2, as far as tests look."""

    trace_id: str
    id: str
    parent_id: str = ""
    kind: str = ""
    name: str = ""
    tags: dict[str, str] = {}
    local_endpoint: dict[str, Any] = {}

    @property
    def url(self) -> str:
        return self.tags.get("http.url", "")

    @property
    def service(self) -> str:
        return str(self.local_endpoint.get("serviceName", ""))


def reports(collector: Program) -> list[Report]:
    found = []
    for line in collector.output.splitlines():
        if line.startswith("{") and line.endswith("}"):
            told = json.loads(line)
            found.append(Report(told["path"], told["headers"], bytes.fromhex(told["hex"])))
    return found


def report(collector: Program, path: str, words: bytes = b"") -> Report | None:
    """The first of those at a path that have these words in them."""
    return next((each for each in reports(collector) if each.path == path and words in each.body), None)


def spans(collector: Program, path: str = "/api/v2/spans") -> list[Span]:
    told = [each.body for each in reports(collector) if each.path == path]
    return [span for body in told for span in msgspec.json.decode(body, type=list[Span])]


def hops(known: Sequence[Span], url: str) -> list[tuple[Span, Span]]:
    """The caller's and the server's span of each request whose URL has `url` in it, as the parent's id joins them."""
    ours = [span for span in known if url in span.url]
    calls = {(span.trace_id, span.id): span for span in ours if span.kind == "CLIENT"}
    served = ((calls.get((span.trace_id, span.parent_id)), span) for span in ours if span.kind == "SERVER")
    return [(client, server) for client, server in served if client is not None]


class Zipkin:
    """Takes spans at `url` while it is entered."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        taken = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                taken.extend(msgspec.json.decode(body, type=list[Span]))
                self.send_response(202)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/v2/spans"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "Zipkin":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
