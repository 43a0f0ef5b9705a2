"""What VirtualServices do to real requests beyond choosing where they go: headers, copies, other origins' pages,
redirects, rewrites, faults, retries.

One server `web`, which tells what it got, and `copy`, which gets copies.
"""

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.mesh.harness import Mesh, app, until

pytestmark = pytest.mark.mesh

URL = "http://web:8080"


class Answer(msgspec.Struct, frozen=True):
    """`headers` in lower case; of several of one name all values."""

    status: int
    headers: dict[str, str]
    body: bytes

    def told(self) -> dict[str, object]:
        """What the server says it got."""
        found: dict[str, object] = msgspec.json.decode(self.body)
        return found

    def got(self, header: str) -> object:
        headers = self.told()["headers"]
        assert isinstance(headers, dict)
        return headers.get(header)


class Client:
    """Requests through the caller's sidecar, from this process."""

    def __init__(self, mesh: Mesh) -> None:
        self._proxy = urlsplit(mesh.proxy("caller")).netloc

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        connection = http.client.HTTPConnection(self._proxy, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, URL + path, headers={"Host": "web:8080", **named})
            response = connection.getresponse()
            found: dict[str, str] = {}
            for name, value in response.getheaders():
                found[name.lower()] = f"{found[name.lower()]},{value}" if name.lower() in found else value
            return Answer(status=response.status, headers=found, body=response.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def web(shared_mesh: Mesh) -> Iterator[Mesh]:
    with (
        shared_mesh.running("web", app("echo"), port="8080:auto/http"),
        shared_mesh.running("copy", app("echo"), port="8080:auto/http"),
        shared_mesh.applied(RULES),
    ):
        yield shared_mesh


@pytest.fixture
def client(web: Mesh) -> Client:
    return Client(web)


TO_WEB = "route: [{destination: {host: web}}]"
RULES = f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: web}}
spec:
  hosts: [web]
  http:
  - match: [{{uri: {{prefix: /headers}}}}]
    headers:
      request:
        set: {{x-set: new, x-protocol: "%PROTOCOL% 100%%"}}
        add: {{x-added: second}}
        remove: [x-gone]
      response: {{set: {{x-answer: from-the-rule}}, remove: [server]}}
    route:
    - destination: {{host: web}}
      headers: {{request: {{set: {{x-destination: here}}}}, response: {{add: {{x-answer: from-the-destination}}}}}}
  - match: [{{uri: {{prefix: /host}}}}]
    headers: {{request: {{set: {{Host: told.example}}}}}}
    {TO_WEB}
  - match: [{{uri: {{prefix: /mirrored}}}}]
    mirrors: [{{destination: {{host: copy}}}}]
    {TO_WEB}
  - match: [{{uri: {{prefix: /unmirrored}}}}]
    mirror: {{host: copy}}
    mirrorPercentage: {{value: 0}}
    {TO_WEB}
  - match: [{{uri: {{prefix: /pages}}}}]
    corsPolicy:
      allowOrigins: [{{exact: "https://shop.example"}}]
      allowMethods: [GET, PUT]
      allowHeaders: [x-a]
      exposeHeaders: [x-b]
      maxAge: 90s
      allowCredentials: true
      unmatchedPreflights: IGNORE
    {TO_WEB}
  - match: [{{uri: {{prefix: /old}}}}]
    redirect: {{prefixRewrite: /new, scheme: https, authority: shop.example, port: 8443, redirectCode: 308}}
  - match: [{{uri: {{prefix: /same-port}}}}]
    redirect: {{uri: /here, authority: shop.example, derivePort: FROM_REQUEST_PORT}}
  - match: [{{uri: {{prefix: /bytes}}}}]
    directResponse: {{status: 202, body: {{bytes: /wD+}}}}
  - match: [{{uri: {{prefix: /users/}}}}]
    rewrite: {{uriRegexRewrite: {{match: "/users/([^/]+)/(.*)", rewrite: '/\\2/of/\\1'}}}}
    {TO_WEB}
  - match: [{{uri: {{prefix: /grpc}}}}]
    fault: {{abort: {{grpcStatus: RESOURCE_EXHAUSTED, percentage: {{value: 100}}}}}}
    {TO_WEB}
  - match: [{{uri: {{prefix: /counted}}, statPrefix: of-the-rule}}]
    {TO_WEB}
  - match: [{{uri: {{prefix: /reply}}}}]
    retries: {{attempts: 2, retryOn: "503", backoff: 700ms, retryIgnorePreviousHosts: false}}
    {TO_WEB}
  - match: [{{uri: {{prefix: /handed/}}}}]
    delegate: {{name: teams, namespace: shop}}
    headers: {{request: {{set: {{x-root: "yes"}}}}}}
"""
DELEGATE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: teams, namespace: shop}
spec:
  http:
  - match: [{uri: {prefix: /handed/far}}]
    headers: {request: {set: {x-delegate: "yes"}}}
    rewrite: {uri: /rewritten}
    route: [{destination: {host: web.default.svc.cluster.local}}]
  - match: [{uri: {prefix: /elsewhere}}]
    directResponse: {status: 418}
"""


def test_headers_are_set_added_and_removed(client: Client) -> None:
    answer = client.ask("/headers", x_set="old", x_added="first", x_gone="1")
    assert answer.got("x-set") == "new"
    assert answer.got("x-protocol") == "HTTP/1.1 100%"
    assert "second" in str(answer.got("x-added"))
    assert answer.got("x-gone") is None
    assert answer.got("x-destination") == "here"
    assert {each.strip() for each in answer.headers["x-answer"].split(",")} == {
        "from-the-rule",
        "from-the-destination",
    }
    assert "server" not in answer.headers


def test_another_host_is_told(client: Client) -> None:
    assert client.ask("/host").got("host") == "told.example"


def test_copies_go_to_another_service_and_their_answers_nowhere(web: Mesh, client: Client) -> None:
    copied = web.workloads["copy"]
    client.ask("/unmirrored")
    answer = client.ask("/mirrored", x_mark="1")
    assert str(answer.told()["name"]).endswith("web")
    until(lambda: "seen GET /mirrored" in copied.output, "the copy arrives")
    assert web.logged("copy", path="/mirrored")["authority"] == "web:8080"
    assert "/unmirrored" not in copied.output


def test_a_browser_is_told_which_pages_may_call(web: Mesh, client: Client) -> None:
    asked = {"access_control_request_method": "PUT"}
    allowed = client.ask("/pages", "OPTIONS", origin="https://shop.example", **asked)
    assert allowed.status == 200
    assert allowed.headers["access-control-allow-origin"] == "https://shop.example"
    assert allowed.headers["access-control-allow-methods"] == "GET,PUT"
    assert allowed.headers["access-control-allow-headers"] == "x-a"
    assert allowed.headers["access-control-max-age"] == "90"
    assert allowed.headers["access-control-allow-credentials"] == "true"
    foreign = client.ask("/pages", "OPTIONS", origin="https://evil.example", **asked)
    assert "access-control-allow-origin" not in foreign.headers
    assert "OPTIONS /pages" not in web.workloads["web"].output, "the proxy answers preflights"
    got = client.ask("/pages", origin="https://shop.example")
    assert (got.status, got.headers["access-control-expose-headers"]) == (200, "x-b")


def test_rules_that_another_object_has(web: Mesh, client: Client) -> None:
    assert client.ask("/handed/far").status == 404, "there is nobody to hand on to"
    with web.applied(DELEGATE):
        answer = client.ask("/handed/far/away")
        assert answer.told()["path"] == "/rewritten/away"
        assert (answer.got("x-delegate"), answer.got("x-root")) == ("yes", None), "its own headers count"
        assert client.ask("/handed/near").status == 404
        assert client.ask("/elsewhere").status == 404, "a delegate takes what it is handed and no more"
    assert client.ask("/handed/far").status == 404


def test_redirects(client: Client) -> None:
    moved = client.ask("/old/book?page=2")
    assert (moved.status, moved.headers["location"]) == (308, "https://shop.example:8443/new/book?page=2")
    same = client.ask("/same-port")
    assert (same.status, same.headers["location"]) == (301, "http://shop.example:8080/here")


def test_an_answer_of_bytes(client: Client) -> None:
    answer = client.ask("/bytes")
    assert (answer.status, answer.body) == (202, b"\xff\x00\xfe")


def test_a_path_is_rewritten_by_its_parts(client: Client) -> None:
    assert client.ask("/users/7/orders?open=1").told()["path"] == "/orders/of/7?open=1"


def test_a_fault_in_grpcs_words(client: Client) -> None:
    answer = client.ask("/grpc", content_type="application/grpc")
    assert (answer.status, answer.headers["grpc-status"]) == (200, "8")


def test_a_rules_own_counters(web: Mesh, client: Client) -> None:
    client.ask("/counted")
    found = web.stats("caller", r"route\.of-the-rule\.upstream_rq_200")
    assert sum(found.values()) == 1


def test_retries_wait_and_may_go_to_the_same_host(web: Mesh, client: Client) -> None:
    answer = client.ask("/reply?status=503&name=x-a&value=b")
    assert answer.status == 503
    assert web.workloads["web"].output.count("seen GET /reply") == 3
    line = web.logged("caller", path="/reply?status=503&name=x-a&value=b")
    assert line["flags"] == "URX"
