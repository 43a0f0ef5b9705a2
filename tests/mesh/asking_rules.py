"""Rules for which proxies have to ask: words that a server's list must have, once by a rule that fails closed and once
by one that fails open. With the list's server, and a caller that keeps its connection."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.mesh.harness import Mesh


class Caller:
    """One connection to the proxy of a workload, which goes over one to that of the server."""

    def __init__(self, mesh: Mesh, workload: str, server: str = "echo:8080") -> None:
        proxy = urlsplit(mesh.proxy(workload))
        self._server = server
        self._connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=30)

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, path: str = "/", **headers: str) -> tuple[int, str]:
        """Status and body; `_` in names is a dash."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", f"http://{self._server}{path}", headers=sent)
        answer = self._connection.getresponse()
        return answer.status, answer.read().decode()

    def call(self, path: str) -> tuple[int, str | None, str | None]:
        """As gRPC's clients do: the status, and those that gRPC tells."""
        sent = {"content-type": "application/grpc", "te": "trailers"}
        self._connection.request("POST", f"http://{self._server}{path}", headers=sent)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("grpc-status"), answer.getheader("grpc-message")

    def status(self, path: str = "/", **headers: str) -> int:
        return self.ask(path, **headers)[0]


class Words:
    """A server of one list."""

    def __init__(self, *words: str) -> None:
        said = self
        self.say(*words)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = said.text
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/words"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def say(self, *words: str) -> None:
        """From now on."""
        self.text = "\n".join(words).encode()

    def __enter__(self) -> "Words":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def by_policy(
    url: str,
    *policies: str,
    deadline: str = "500ms",
    refresh: str = "60s",
    caching: str = "300s",
) -> str:
    """Requests below `/closed` and `/open`, or below one of them, need an `x-word` that is on the list at `url`."""
    rules = "".join(
        f"""
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: {policy}, annotations: {{proa.dev/failure-policy: {policy}}}}}
spec:
  match: request.path.startsWith("/{policy}")
  actions:
  - handler: words.listchecker
    instances: [word.listentry]
"""
        for policy in policies or ("closed", "open")
    )
    return f"""
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {{name: words, annotations: {{proa.dev/deadline: {deadline}}}}}
spec: {{providerUrl: "{url}", refreshInterval: {refresh}, ttl: 600s, cachingInterval: {caching}}}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {{name: word}}
spec: {{value: 'request.headers["x-word"] | "none"'}}
{rules}"""


def on_list(
    words: Words,
    policy: str = "closed",
    *,
    match: str = "",
    blacklist: bool = False,
    value: str = 'request.headers["x-word"] | "none"',
    deadline: str = "30s",
) -> str:
    """Who says a word that is not on the list is refused; a server's list is never known to the proxy. The deadline is
    longer than a busy machine takes for anything: what fails was not answered at all."""
    return f"""
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {{name: words, annotations: {{proa.dev/deadline: {deadline}}}}}
spec: {{providerUrl: "{words.url}", blacklist: {str(blacklist).lower()}, refreshInterval: 60s, ttl: 120s}}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {{name: word}}
spec: {{value: '{value}'}}
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: words, annotations: {{proa.dev/failure-policy: {policy}}}}}
spec:
  match: '{match}'
  actions:
  - handler: words.listchecker
    instances: [word.listentry]
"""
