"""Who calls `echo` of the shared mesh, and servers of lists, for tests of what Mixer's rules do there."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.mesh.harness import Mesh


class Caller:
    """One connection to the proxy of a workload, which goes over one to that of `echo`."""

    def __init__(self, mesh: Mesh, workload: str) -> None:
        proxy = urlsplit(mesh.proxy(workload))
        self._connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=30)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, path: str = "/", **headers: str) -> tuple[int, str]:
        """Status and body; `_` in names is a dash."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", f"http://echo:8080{path}", headers=sent)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()

    def call(self, path: str) -> tuple[int, str | None, str | None]:
        """As gRPC's clients do: the status, and those that gRPC tells."""
        sent = {"content-type": "application/grpc", "te": "trailers"}
        self._connection.request("POST", f"http://echo:8080{path}", headers=sent)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("grpc-status"), answer.getheader("grpc-message")

    def status(self, path: str = "/", **headers: str) -> int:
        return self.ask(path, **headers)[0]


class Words:
    """A server of one list."""

    def __init__(self, *words: str) -> None:
        text = "\n".join(words).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/words"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "Words":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
