"""Where requests go by where their client and the endpoints are; and who is warming up, or has stopped answering.

One client in `eu/a/1`. The endpoints are servers of this process, outside of the mesh, told of by WorkloadEntries.
"""

import contextlib
import http.server
import socket
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.mesh.harness import Mesh, until

pytestmark = pytest.mark.mesh

CLIENT = "here"
LOCALITIES = {"near": "eu/a/1", "next": "eu/b", "far": "us/a", "farther": "asia/x"}


class Server:
    """Answers with its name, until it is stopped; then its port refuses, until it is started again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = 0
        self._running: http.server.ThreadingHTTPServer | None = None
        self.start()

    def start(self) -> None:
        answer = self.name.encode()

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *words: object) -> None:
                pass

        self._running = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Answer)
        self._running.daemon_threads = True
        self.port = self._running.server_address[1]
        threading.Thread(target=self._running.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._running is not None:
            self._running.shutdown()
            self._running.server_close()
            self._running = None


Servers = dict[str, Server]


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    started = {name: Server(name) for name in LOCALITIES}
    yield started
    for server in started.values():
        server.stop()


@pytest.fixture(scope="module")
def shop(shared_mesh: Mesh, servers: Servers) -> Iterator[Mesh]:
    """The client, and `shop.example` served from four places; the far one is gold like the client."""
    with shared_mesh.running(CLIENT, ("sleep", "infinity"), "--locality=eu/a/1", "--label=tier=gold"):
        shared_mesh.settle()
        with shared_mesh.applied(SHOP, *(entry(server) for server in servers.values())):
            yield shared_mesh


SHOP = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: shop}
spec:
  hosts: [shop.example]
  resolution: STATIC
  location: MESH_INTERNAL
  ports: [{number: 8080, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: shop}}
"""


def tier_of(name: str) -> str:
    return "gold" if name == "far" else "tin"


def entry(server: Server) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {{name: {server.name}}}
spec:
  address: 127.0.0.1
  ports: {{http: {server.port}}}
  labels: {{app: shop, tier: {tier_of(server.name)}}}
  locality: {LOCALITIES[server.name]}
"""


def inline(name: str, members: dict[int, str], annotations: str = "{}") -> str:
    """An entry with endpoints of its own: by port, what else is said of each."""
    listed = ", ".join(
        f"{{address: 127.0.0.1, ports: {{http: {port}}}, {said}}}" for port, said in members.items()
    )
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, annotations: {annotations}}}
spec:
  hosts: [{name}.example]
  resolution: STATIC
  ports: [{{number: 8080, name: http, protocol: HTTP}}]
  endpoints: [{listed}]
"""


def rule(policy: str, host: str = "shop.example") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: {host}}}
spec: {{host: {host}, trafficPolicy: {policy}}}
"""


EJECT = (
    "outlierDetection: {consecutive5xxErrors: 2, interval: 100ms, baseEjectionTime: 300ms,"
    " maxEjectionPercent: 100}"
)


def placed(setting: str, host: str = "shop.example") -> str:
    return rule(f"{{{EJECT}, loadBalancer: {{localityLbSetting: {setting}}}}}", host)


def fetched(opener: urllib.request.OpenerDirector, url: str, host: str = "") -> str:
    """Who answered, or with which status nobody did."""
    request = urllib.request.Request(url, headers={"host": host} if host else {})
    try:
        with opener.open(request, timeout=20) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        error.close()
        return str(error.code)


def answers(mesh: Mesh, count: int, host: str = "shop.example") -> Counter[str]:
    handler = urllib.request.ProxyHandler({"http": mesh.proxy(CLIENT)})
    opener = urllib.request.build_opener(handler)
    return Counter(fetched(opener, f"http://{host}:8080/") for _ in range(count))


def until_only(mesh: Mesh, name: str) -> None:
    until(lambda: answers(mesh, 5) == {name: 5}, f"all requests go to {name}")


def until_all(mesh: Mesh, host: str) -> None:
    """Each answers sooner or later: they are drawn by lot."""
    seen: set[str] = set()

    def all_have() -> bool:
        seen.update(answers(mesh, 8, host))
        return seen == set(LOCALITIES)

    until(all_have, f"all four answer for {host}")


def test_who_fails_is_left_for_the_next_near_one_until_it_is_back(shop: Mesh, servers: Servers) -> None:
    until_all(shop, "shop.example")  # without a rule nobody is near
    abroad = inline(
        "abroad", {servers[name].port: f"locality: {LOCALITIES[name]}" for name in ("far", "farther")}
    )
    failover = "{failover: [{from: eu, to: asia}]}"
    with shop.applied(placed(failover), abroad, placed(failover, "abroad.example")):
        assert answers(shop, 10, "abroad.example") == {"farther": 10}, "eu fails over to asia"
        assert answers(shop, 20) == {"near": 20}
        servers["near"].stop()
        try:
            until_only(shop, "next")
            assert sum(shop.stats(CLIENT, r"shop\.example.*ejections_enforced_total$").values()) > 0
        finally:
            servers["near"].start()
        until_only(shop, "near")


def test_labels_or_shares_may_count_in_place_of_nearness(shop: Mesh, servers: Servers) -> None:
    members = {
        server.port: f"locality: {LOCALITIES[name]}, labels: {{tier: {tier_of(name)}}}"
        for name, server in servers.items()
    }
    settings = {
        "like-me": "{failoverPriority: [tier]}",
        "tin": "{failoverPriority: [tier=tin, topology.kubernetes.io/region]}",
        "off": "{enabled: false}",
        "shares": "{distribute: [{from: 'eu/*', to: {'eu/a/*': 70, us: 30}}]}",
    }
    rules = [placed(setting, f"{name}.example") for name, setting in settings.items()]
    with shop.applied(*(inline(name, members) for name in settings), *rules):
        assert answers(shop, 20, "like-me.example") == {"far": 20}
        found = answers(shop, 20, "tin.example")
        assert found["near"] + found["next"] == 20, found
        until_all(shop, "off.example")
        found = answers(shop, 200, "shares.example")
        assert found["near"] + found["far"] == 200, found
        assert 110 <= found["near"] <= 170, "seventy of a hundred, by lot"


BY_TIER = """
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: istio, namespace: istio-system}
spec: {localityLbSetting: {failoverPriority: [tier]}}
"""


def test_a_gateway_stands_somewhere_too(shop: Mesh) -> None:
    """By the mesh's own setting: the nearest first where bad ones are ejected, unless a MeshConfig says otherwise."""
    edge = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec:
  hosts: [shop.example]
  gateways: [edge]
  http: [{route: [{destination: {host: shop.example, port: {number: 8080}}}]}]
"""
    shop.gateway("--locality=us/a", "--namespace=default", name="edge")
    try:
        with shop.applied(edge, rule(f"{{{EJECT}}}")):
            url = f"http://127.0.0.1:{shop.gateway_port(80, 'edge')}/"
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            assert {fetched(direct, url, "shop.example") for _ in range(10)} == {"far"}
            assert answers(shop, 10) == {"near": 10}
            with shop.applied(BY_TIER):
                assert answers(shop, 10) == {"far": 10}
    finally:
        shop.stop("edge")


def test_a_service_may_ask_for_near_ones_and_an_endpoint_for_more(shop: Mesh, servers: Servers) -> None:
    asking = inline(
        "asking",
        {servers[name].port: f"locality: {LOCALITIES[name]}" for name in ("near", "next", "far")},
        "{networking.istio.io/traffic-distribution: PreferSameZone}",
    )
    heavy = inline("heavy", {servers["near"].port: "weight: 4", servers["far"].port: "weight: 1"})
    turns = rule("{loadBalancer: {simple: ROUND_ROBIN}}", "heavy.example")
    with shop.applied(asking, heavy, turns):
        assert answers(shop, 20, "asking.example") == {"near": 20}
        found = answers(shop, 50, "heavy.example")
        assert 34 <= found["near"] <= 46, found


def test_who_is_new_begins_with_less(shop: Mesh, servers: Servers) -> None:
    """The one that is there warms up as well, but has done so for longer: the hour is only to be long. By how much is
    the machine's affair, so another one comes until it got clearly less; the first is older with each."""
    warm = "loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 3600s, minimumPercent: 0}}"
    one, two = (
        inline("warm", {servers[name].port: "weight: 1" for name in names})
        for names in (("near",), ("near", "far"))
    )
    shop.apply(one, rule(f"{{{warm}}}", "warm.example"))
    try:
        assert answers(shop, 10, "warm.example") == {"near": 10}

        def gets_less() -> bool:
            shop.apply(one)
            shop.apply(two)
            found = answers(shop, 40, "warm.example")
            return found["near"] + found["far"] == 40 and found["near"] >= 28

        until(gets_less, "who is new gets less")
        shop.apply(rule("{loadBalancer: {simple: ROUND_ROBIN}}", "warm.example"))
        found = answers(shop, 40, "warm.example")
        assert 14 <= found["far"] <= 26, found
    finally:
        shop.delete(two, rule(f"{{{warm}}}", "warm.example"))


class SilentServer:
    """Speaks just enough HTTP/2 to answer one request of each client, and then says nothing more, also to pings.
    `heard` is what the first client that was answered said until it hung up; nothing before."""

    SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    SETTINGS_ACK = bytes((0, 0, 0, 4, 1, 0, 0, 0, 0))
    ANSWER = bytes((0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88))
    ASKED = tuple(bytes((1, flags, 0, 0, 0, 1)) for flags in (4, 5, 0x24, 0x25))
    PING = bytes((0, 0, 8, 6, 0))

    def __init__(self) -> None:
        self.heard = b""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with self._listening:
            while not self.heard:
                self.heard = self._served()

    def _served(self) -> bytes:
        """What the next client says, if it waits for its answer: a busy machine may ping it and hang up before."""
        connection, _ = self._listening.accept()
        heard, has_answered = b"", False
        with connection, contextlib.suppress(ConnectionError):
            connection.sendall(self.SETTINGS + self.SETTINGS_ACK)
            while chunk := connection.recv(4096):
                heard += chunk
                if not has_answered and any(asked in heard for asked in self.ASKED):
                    connection.sendall(self.ANSWER)
                    has_answered = True
        return heard if has_answered and self.PING in heard else b""


def test_who_answers_no_ping_is_hung_up_on(shop: Mesh) -> None:
    pings = "{h2UpgradePolicy: UPGRADE, http2KeepAlive: {interval: 200ms, timeout: 200ms}}"
    server = SilentServer()
    with shop.applied(
        inline("silent", {server.port: "weight: 1"}),
        rule(f"{{connectionPool: {{http: {pings}}}}}", "silent.example"),
    ):
        until(lambda: answers(shop, 1, "silent.example") == {"": 1}, "a request is answered")
        until(lambda: server.heard, "a connection without answers to pings is closed")
