"""Gateway API on real proxies: routes of a gateway and of a service's callers, and what their status says.

One service `shop` (also called by a name that routes send elsewhere), `canary`, which gets shares and copies, `seats`
of two endpoints, programs of streams and of gRPC, and a gateway `door`.
"""

import asyncio
import http.client
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import grpc
import msgspec
import pytest
import yaml

from tests.certificates import Authority
from tests.mesh.gateway_api_objects import ADDED, HTTPS, MORE, OPENED, PORT, RULES, TCP, TLS, sealed
from tests.mesh.harness import Mesh, app, until
from tests.mesh.tls_clients import Dial, connect, eventually, line, refused, tls_client

pytestmark = pytest.mark.mesh


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

    def __init__(self, mesh: Mesh, roots: Path) -> None:
        self.mesh = mesh
        self.roots = roots
        self._proxy = urlsplit(mesh.proxy("caller")).netloc
        self._door = f"127.0.0.1:{mesh.gateway_port(PORT, 'door')}"

    def inside(self, path: str, host: str = "shop:8080", **headers: str) -> Answer:
        return self.ask(self._proxy, f"http://{host}{path}", {"Host": host, **headers})

    def outside(
        self, path: str, host: str = "shop.example.com", method: str = "GET", **headers: str
    ) -> Answer:
        return self.ask(self._door, path, {"Host": host, **headers}, method)

    def ask(self, to: str, target: str, headers: dict[str, str], method: str = "GET") -> Answer:
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

    def call(self, method: str, *metadata: tuple[str, str]) -> str:
        """A call of the greeter from outside; the answer, or the name of the error."""
        options = [("grpc.default_authority", "grpc.example.com"), ("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(self._door, options) as channel:
            try:
                calling = channel.unary_unary(f"/proa.test.Greeter/{method}", bytes, bytes)
                return bytes(calling(b"you", timeout=20, metadata=metadata)).decode()
            except grpc.RpcError as error:
                return str(error.code().name)

    def dial(self, authority: str) -> Dial:
        """Opens tunnels through the caller's sidecar."""
        return connect(self.mesh, authority)

    def websocket(self, path: str, host: str, word: str) -> str:
        """What comes back for a word."""

        async def say() -> str:
            async with (
                aiohttp.ClientSession() as session,
                session.ws_connect(f"http://{self._door}{path}", headers={"Host": host}) as socket,
            ):
                await socket.send_str(word)
                return await socket.receive_str(timeout=20)

        return asyncio.run(say())

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


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def client(shared_mesh: Mesh, root: Authority) -> Iterator[Client]:
    echoes = ("shop", "canary", "seat-1", "seat-2")
    names = ("door", *echoes, "secure", "lines", "others", "greeter")
    for name in echoes:
        service = "seats" if name.startswith("seat") else name
        shared_mesh.run(name, app("echo"), f"--service={service}", port="8080:auto/http", wait=False)
    shared_mesh.run("secure", app("secure", "secure"), port="8443:auto/tls", wait=False)
    for name in ("lines", "others"):
        shared_mesh.run(name, app("named_lines"), port="9000:auto/tcp", wait=False)
    shared_mesh.run("greeter", app("greeter", "serve"), port="50051:auto/grpc", wait=False)
    shared_mesh.gateway(name="door", wait=False)
    try:
        shared_mesh.until_healthy(*names)
        pair = root.issue("a.example.com")
        words = ("create", "tls", "door", f"--cert={pair.cert}", f"--key={pair.key}")
        shared_mesh.proa("secret", *words, check=True)
        for namespace in ("istio-system", "default"):  # of the gateway, and of the caller
            roots = ("create", "ca", "roots", f"--ca={root.roots}", "-n", namespace)
            shared_mesh.proa("secret", *roots, check=True)
        # Where the server is that the second names shows when the first's ports are open.
        with (
            shared_mesh.applied(RULES, MORE),
            shared_mesh.applied(sealed(shared_mesh.gateway_port(HTTPS, "door"))),
        ):
            yield Client(shared_mesh, root.roots)
    finally:
        shared_mesh.stop_all(*names)


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
        "web": 6,
        "ended": 2,
        "passed": 1,
        "lines": 1,
        "opened": 2,
    }
    assert status["attachedListenerSets"] == 1
    stored = client.mesh.proa("get", "all", "-o", "yaml", check=True).stdout
    assert "HTTPRoute" in stored
    assert "conditions:" not in stored


COUNTED = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: at-the-door, namespace: istio-system}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: door}]
  metrics: [{overrides: [{match: {metric: REQUEST_COUNT}, tagOverrides: {way: {value: "'in'"}}}]}]
"""


def test_a_telemetry_is_for_the_gateway_that_it_names(client: Client) -> None:
    """And a gateway counts as a caller, of whom nobody is known."""
    mesh = client.mesh
    with mesh.applied(COUNTED):
        assert client.outside("/").status == 200
        client.inside("/")
        facts = {"reporter": "source", "source_workload": "door", "destination_service_name": "shop"}
        until(lambda: mesh.metric("istio_requests_total", way="in") == 1, "one request was counted so")
        assert mesh.metric("istio_requests_total", way="in", **facts) == 1


PATCH = f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: at-the-door, namespace: istio-system}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: door}}]
  configPatches:
  - applyTo: VIRTUAL_HOST
    match: {{context: GATEWAY, routeConfiguration: {{portName: https-{HTTPS}-ended}}}}
    patch:
      operation: MERGE
      value: {{response_headers_to_add: [{{header: {{key: x-patched, value: at the named port}}}}]}}
"""


def test_tls_is_ended_or_passed_on_and_streams_go_through(client: Client, root: Authority) -> None:
    ended = eventually(client.mesh.gateway_port(HTTPS, "door"), "a.example.com", root.roots)
    assert "default/canary" in ended.answer
    assert "x-patched" not in ended.answer
    with client.mesh.applied(PATCH):
        patched = tls_client(client.mesh.gateway_port(HTTPS, "door"), "a.example.com", root.roots)
        assert "x-patched: at the named port" in patched.answer
        assert "x-patched" not in client.outside("/old").headers
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


def test_listeners_are_added_by_who_may(client: Client) -> None:
    port = client.mesh.gateway_port(ADDED, "door")
    assert client.ask(f"127.0.0.1:{port}", "/", {"Host": "any.org"}).by == "canary"
    status = client.status("listenerset", "more")
    assert conditions(status)["Programmed"] == ("True", "Programmed")
    added, taken = msgspec.convert(status["listeners"], list[dict[str, object]])
    assert conditions(added)["Conflicted"] == ("False", "NoConflicts")
    assert conditions(taken)["Conflicted"] == ("True", "HostnameConflict")


def test_tls_ends_before_streams(client: Client) -> None:
    """A name's own route comes before one for every name."""
    opened = client.mesh.gateway_port(OPENED, "door")
    assert eventually(opened, "a.example.com", client.roots, alpn=(), say="hello\n").answer == "lines hello\n"
    assert eventually(opened, "b.example.com", alpn=(), say="hello\n").answer == "others hello\n"


def test_callers_of_a_stream_are_sent_elsewhere(client: Client) -> None:
    assert line(client.dial("others:9000")) == "lines hello", "its port has a route, by the port's name"
    assert line(client.dial("secure:8443")) == "others hello", "of two routes the one for this port"


def test_calls_of_grpc_are_told_apart(client: Client) -> None:
    hello = client.call("Hello")
    assert hello == "hello you"
    assert client.call("Hello", ("x-user", "tester")) == "hello you", "the service's own method comes first"
    assert client.call("Count") == "UNIMPLEMENTED"
    late = client.route_conditions("late-calls")
    assert late["Accepted"] == ("False", "HostnameConflict")
    (parent,) = msgspec.convert(client.status("grpcroute", "calls")["parents"], list[dict[str, object]])
    assert conditions(parent)["Programmed"] == ("True", "Programmed")


def test_sessions_stay_at_their_endpoint(client: Client) -> None:
    host = "seats.example.com"

    def ask(path: str, **headers: str) -> Answer:
        return client.outside(path, host, **headers)

    both = {"seat-1", "seat-2"}
    assert {ask("/").by for _ in range(20)} == both
    for path, name in (("/cookie/a", "seat"), ("/kept", "kept")):
        first = ask(path)
        cookie, *attributes = first.headers["set-cookie"].split("; ")
        assert cookie.startswith(f"{name}=")
        assert (f"Path={path.removesuffix('/a')}" in attributes, "Max-Age=90" in attributes) == (
            True,
            name == "kept",
        )
        assert {ask(path, Cookie=cookie).by for _ in range(12)} == {first.by}
        assert {ask("/", Cookie=cookie).by for _ in range(20)} == both, "another rule has no sessions"
    first = ask("/header")
    assert {ask("/header", x_seat=first.headers["x-seat"]).by for _ in range(12)} == {first.by}


def test_redirects_by_method_parameter_and_port(client: Client) -> None:
    def ask(path: str, method: str) -> tuple[int, str]:
        answer = client.outside(path, "more.example.com", method)
        return answer.status, answer.headers["location"]

    assert ask("/moved/a", "POST") == (307, "http://new.example.com:8443/moved/a")
    assert ask("/moved?for=ever", "GET") == (308, "https://more.example.com:443/moved?for=ever")
    status, location = ask("/moved/a", "GET")
    assert (status, urlsplit(location).path) == (303, "/here")


def test_several_copies_by_their_shares(client: Client) -> None:
    assert client.outside("/copied-twice/1", "more.example.com").by == "shop"

    def seen(*names: str) -> int:
        return sum(client.mesh.workloads[name].output.count("seen GET /copied-twice/1") for name in names)

    until(lambda: (seen("canary"), seen("seat-1", "seat-2")) == (1, 1), "both copies have come")
    assert seen("shop") == 1, "none of a share of nothing"


def test_a_websocket_goes_through(client: Client) -> None:
    assert client.websocket("/ws", "more.example.com", "one") == "default/shop: one"


def test_who_calls_a_service_begins_tls_as_its_owner_says(client: Client) -> None:
    def ask(path: str) -> Answer:
        return client.outside(path, "sealed.example.com")

    until(lambda: ask("/fine").status == 200, "the roots have come and the server is trusted")
    assert ask("/fine").by == "canary"
    assert ask("/odd").status == 503, "the server is not the one that is expected"
    assert ask("/public").status == 503, "no public authority vouches for it"
    assert ask("/plain").status != 200, "without a policy nobody begins TLS"
    # The server knows no host of that name, and answers nobody who does not begin TLS.
    until(lambda: client.inside("/", "sealed:8440").status == 404, "callers in the mesh begin TLS too")
    (fine,) = msgspec.convert(client.status("backendtlspolicy", "fine")["ancestors"], list[dict[str, object]])
    assert conditions(fine) == {
        "Accepted": ("True", "Accepted"),
        "ResolvedRefs": ("True", "ResolvedRefs"),
        "Programmed": ("True", "Programmed"),
    }
    (later,) = msgspec.convert(
        client.status("backendtlspolicy", "later")["ancestors"], list[dict[str, object]]
    )
    assert conditions(later)["Accepted"] == ("False", "Conflicted")
