"""Gateway API on real proxies: routes of a gateway and of a service's callers, and what their status says.

One service `shop` (also called by a name that routes send elsewhere), `canary`, which gets shares and copies, and a
gateway `door`.
"""

import http.client
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import pytest
import yaml

from tests.certificates import Authority
from tests.mesh.harness import Mesh, app, until
from tests.mesh.tls_clients import eventually, line, refused

pytestmark = pytest.mark.mesh

PORT, HTTPS, TLS, TCP = range(18480, 18484)
"""Of the Gateway's listeners."""


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    def told(self, name: str) -> object:
        """What the server says it got."""
        found: dict[str, object] = msgspec.json.decode(self.body)
        return found[name]

    @property
    def by(self) -> str:
        """Who answered."""
        return str(self.told("name")).removeprefix("default/")


class Client:
    """Requests to a service through the caller's sidecar, and from outside to the gateway."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._proxy = urlsplit(mesh.proxy("caller")).netloc
        self._door = f"127.0.0.1:{mesh.gateway_port(PORT, 'door')}"

    def inside(self, path: str, host: str = "shop:8080", **headers: str) -> Answer:
        return self._ask(self._proxy, f"http://{host}{path}", {"Host": host, **headers})

    def outside(
        self, path: str, host: str = "shop.example.com", method: str = "GET", **headers: str
    ) -> Answer:
        return self._ask(self._door, path, {"Host": host, **headers}, method)

    def _ask(self, to: str, target: str, headers: dict[str, str], method: str = "GET") -> Answer:
        connection = http.client.HTTPConnection(to, timeout=20)
        try:
            connection.request(
                method, target, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=found, body=response.read())
        finally:
            connection.close()

    def status(self, kind: str, name: str) -> dict[str, object]:
        """As a user sees it."""
        done = self.mesh.proa("get", kind, name, "-o", "yaml", check=True)
        found: dict[str, object] = yaml.safe_load(done.stdout)["status"]
        return found

    def route_conditions(self, name: str) -> dict[str, tuple[str, str]]:
        """Of an HTTPRoute at its only parent: status and reason of each."""
        (parent,) = msgspec.convert(self.status("httproute", name)["parents"], list[dict[str, object]])
        return conditions(parent)


def conditions(owner: dict[str, object]) -> dict[str, tuple[str, str]]:
    found = msgspec.convert(owner["conditions"], list[dict[str, object]])
    return {str(each["type"]): (str(each["status"]), str(each["reason"])) for each in found}


RULES = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: door}}
spec:
  gatewayClassName: proa
  listeners:
  - {{name: web, port: {PORT}, protocol: HTTP, hostname: "*.example.com"}}
  - name: ended
    port: {HTTPS}
    protocol: HTTPS
    hostname: "*.example.com"
    tls: {{certificateRefs: [{{name: door}}]}}
  - {{name: passed, port: {TLS}, protocol: TLS, tls: {{mode: Passthrough}}}}
  - {{name: lines, port: {TCP}, protocol: TCP}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: ended}}
spec:
  parentRefs: [{{name: door, sectionName: ended}}]
  hostnames: [a.example.com]
  rules: [{{backendRefs: [{{name: canary, port: 8080}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: {{name: passed}}
spec:
  parentRefs: [{{name: door, sectionName: passed}}]
  hostnames: [secure.example.com]
  rules: [{{backendRefs: [{{name: secure, port: 8443}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {{name: lines}}
spec:
  parentRefs: [{{name: door, sectionName: lines}}]
  rules: [{{backendRefs: [{{name: lines, port: 9000}}, {{name: nobody, port: 9000, weight: 0}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: wide}}
spec:
  parentRefs: [{{name: door, sectionName: web}}]
  hostnames: [shop.example.com]
  rules:
  - name: all
    filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {{set: [{{name: x-route, value: wide 100%}}]}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /api}}, headers: [{{name: x-user, value: tester}}]}}]
    backendRefs: [{{name: canary, port: 8080}}]
  - matches: [{{path: {{value: /gone}}}}]
    backendRefs: [{{name: nobody, port: 8080}}]
  - matches: [{{path: {{value: /stolen}}}}]
    backendRefs: [{{name: shop, namespace: elsewhere, port: 8080}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: narrow}}
spec:
  parentRefs: [{{name: door}}]
  hostnames: [shop.example.com]
  rules:
  - matches: [{{path: {{value: /api}}}}]
    filters:
    - type: URLRewrite
      urlRewrite: {{hostname: told.example, path: {{type: ReplacePrefixMatch, replacePrefixMatch: /v2}}}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /old}}}}]
    filters:
    - type: RequestRedirect
      requestRedirect:
        scheme: https
        statusCode: 301
        path: {{type: ReplacePrefixMatch, replacePrefixMatch: /new}}
  - matches: [{{path: {{type: Exact, value: /pages}}}}]
    filters:
    - type: CORS
      cors: {{allowOrigins: ["https://*.shop.example"], allowMethods: [PUT], maxAge: 60}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{type: Exact, value: /slow}}}}]
    timeouts: {{request: 200ms}}
    backendRefs: [{{name: shop, port: 8080}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: callers}}
spec:
  parentRefs: [{{group: "", kind: Service, name: shop, port: 8080}}]
  rules:
  - backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /half}}}}]
    backendRefs:
    - {{name: shop, port: 8080, weight: 1}}
    - name: canary
      port: 8080
      weight: 1
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier: {{set: [{{name: x-share, value: canary}}]}}
  - matches: [{{path: {{value: /broken-half}}}}]
    backendRefs: [{{name: shop, port: 8080}}, {{name: nobody, port: 8080}}]
  - matches: [{{path: {{value: /nothing}}}}]
    backendRefs: [{{name: shop, port: 8080, weight: 0}}]
  - matches: [{{path: {{value: /copied}}}}]
    filters:
    - {{type: RequestMirror, requestMirror: {{backendRef: {{name: canary, port: 8080}}}}}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /reply}}}}]
    retry: {{codes: [503], attempts: 2, backoff: 5ms}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /api}}, queryParams: [{{name: v, value: "2"}}]}}]
    backendRefs: [{{name: canary, port: 8080}}]
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def client(shared_mesh: Mesh, root: Authority) -> Iterator[Client]:
    with (
        shared_mesh.running("shop", app("echo"), port="8080:auto/http"),
        shared_mesh.running("canary", app("echo"), port="8080:auto/http"),
    ):
        shared_mesh.run("secure", app("secure", "secure"), port="8443:auto/tls", wait=False)
        shared_mesh.run("lines", app("named_lines"), port="9000:auto/tcp", wait=False)
        shared_mesh.gateway(name="door", wait=False)
        try:
            shared_mesh.until_healthy("secure", "lines", "door")
            pair = root.issue("a.example.com")
            words = ("create", "tls", "door", f"--cert={pair.cert}", f"--key={pair.key}")
            shared_mesh.proa("secret", *words, check=True)
            with shared_mesh.applied(RULES):
                yield Client(shared_mesh)
        finally:
            for name in ("door", "secure", "lines"):
                shared_mesh.stop(name)


def test_the_most_specific_match_of_all_routes_counts(client: Client) -> None:
    answer = client.outside("/")
    assert (answer.by, answer.headers["x-route"]) == ("shop", "wide 100%")
    assert client.outside("/api/a", x_user="tester").by == "canary"
    assert client.outside("/api/a").told("path") == "/v2/a"
    assert client.outside("/apis").told("path") == "/apis", "a prefix is one of whole segments"
    assert client.outside("/", host="other.example.com").status == 404


def test_paths_and_hosts_are_rewritten(client: Client) -> None:
    assert client.outside("/api?q=1").told("path") == "/v2?q=1"
    headers = msgspec.convert(client.outside("/api/").told("headers"), dict[str, str])
    assert headers["host"] == "told.example"


def test_redirects_name_the_schemes_own_port(client: Client) -> None:
    answer = client.outside("/old/a?q=1", host="shop.example.com:8000")
    assert answer.status == 301
    assert answer.headers["location"] == "https://shop.example.com:443/new/a?q=1"
    assert client.outside("/old").headers["location"] == "https://shop.example.com:443/new"


def test_pages_of_other_origins_are_let_in_by_name(client: Client) -> None:
    asked = {"Access-Control-Request-Method": "PUT"}
    allowed = client.outside("/pages", method="OPTIONS", Origin="https://a.shop.example", **asked)
    assert allowed.headers["access-control-allow-origin"] == "https://a.shop.example"
    assert (allowed.headers["access-control-allow-methods"], allowed.headers["access-control-max-age"]) == (
        "PUT",
        "60",
    )
    other = client.outside("/pages", method="OPTIONS", Origin="https://shop.example.evil", **asked)
    assert "access-control-allow-origin" not in other.headers


def test_a_request_has_its_time(client: Client) -> None:
    assert client.outside("/slow?s=20").status == 504


def test_backends_that_are_not_there_answer_500(client: Client) -> None:
    assert client.outside("/gone").status == 500
    assert client.outside("/stolen").status == 500, "no grant lets the route name it"
    assert client.inside("/nothing").status == 500, "weight 0 is nowhere"
    found = Counter(client.inside("/broken-half").status for _ in range(60))
    assert set(found) == {200, 500}, found


def test_callers_are_split_and_matched(client: Client) -> None:
    found = [client.inside("/half") for _ in range(60)]
    names = Counter(each.by for each in found)
    assert set(names) == {"shop", "canary"}, names
    for each in found:
        headers = msgspec.convert(each.told("headers"), dict[str, str])
        assert headers.get("x-share") == ("canary" if each.by == "canary" else None)
    assert client.inside("/api?v=2").by == "canary"
    assert client.inside("/api?v=3").by == "shop"


def test_copies_are_made(client: Client) -> None:
    assert client.inside("/copied/1").by == "shop"
    canary = client.mesh.workloads["canary"]
    until(lambda: "seen GET /copied/1" in canary.output, "the copy has come")


def test_failed_tries_are_repeated(client: Client) -> None:
    before = client.mesh.workloads["shop"].output.count("seen GET /reply")
    assert client.inside("/reply?status=503&name=x-a&value=b").status == 503
    output = client.mesh.workloads["shop"]
    until(lambda: output.output.count("seen GET /reply") == before + 3, "one try and two more were seen")


def test_status_tells_how_routes_stand(client: Client) -> None:
    programmed = ("True", "Programmed")
    assert client.route_conditions("narrow") == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Programmed": programmed,
    }
    assert client.route_conditions("wide")["ResolvedRefs"] == ("False", "RefNotPermitted")
    callers = client.route_conditions("callers")
    assert (callers["ResolvedRefs"], callers["Programmed"]) == (("False", "BackendNotFound"), programmed)
    status = client.status("gateway.gateway.networking.k8s.io", "door")
    assert conditions(status)["Programmed"] == programmed
    listeners = msgspec.convert(status["listeners"], list[dict[str, object]])
    assert {each["name"]: each["attachedRoutes"] for each in listeners} == {
        "web": 2,
        "ended": 2,
        "passed": 1,
        "lines": 1,
    }
    stored = client.mesh.proa("get", "all", "-o", "yaml", check=True).stdout
    assert "HTTPRoute" in stored
    assert "conditions:" not in stored


def test_tls_is_ended_or_passed_on_and_streams_go_through(client: Client, root: Authority) -> None:
    ended = eventually(client.mesh.gateway_port(HTTPS, "door"), "a.example.com", root.roots)
    assert "default/canary" in ended.answer
    passed = client.mesh.gateway_port(TLS, "door")
    assert eventually(passed, "secure.example.com").served != ended.served
    assert refused(passed, "elsewhere.example.com")
    assert line(client.mesh.gateway_port(TCP, "door")) == "lines hello"
    (parent,) = msgspec.convert(client.status("tcproute", "lines")["parents"], list[dict[str, object]])
    assert conditions(parent)["Programmed"] == ("True", "Programmed")


def test_derived_objects_name_their_routes(client: Client) -> None:
    told = client.mesh.proa("get", "vs", "shop-gateway-api", check=True).stdout
    assert "HTTPRoute/default/callers" in told
    refused = client.mesh.proa("delete", "vs", "shop-gateway-api")
    assert refused.returncode == 1
    assert "HTTPRoute/default/callers" in refused.stderr
