"""What DestinationRules do to real traffic: who gets a request, how many at once, over which connections.

Two replicas of `web`, one client. Each test applies one rule and looks at answers, access logs and Envoy's counters.
"""

import asyncio
import shutil
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator

import msgspec
import pytest

from proa.testing.http1 import Response
from proa.testing.load import LoadResult, acceptance_plan, offer_load
from tests.mesh.harness import Mesh, app, until

pytestmark = pytest.mark.mesh

URL = "http://web:8080"
CLUSTER = r"cluster\.outbound\|8080\|\|web\."


def rule(policy: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: web}}
spec: {{host: web, trafficPolicy: {policy}}}
"""


def hashed(how: str) -> str:
    return rule(f"{{loadBalancer: {{consistentHash: {how}}}}}")


@pytest.fixture(scope="module")
def web(shared_mesh: Mesh) -> Iterator[Mesh]:
    with (
        shared_mesh.running("web-1", app("echo"), "--service=web", port="8080:auto/http"),
        shared_mesh.running("web-2", app("echo"), "--service=web", port="8080:auto/http"),
    ):
        shared_mesh.settle()
        yield shared_mesh


class Client:
    """Requests through the caller's sidecar, from this process: fast enough for dozens."""

    def __init__(self, mesh: Mesh) -> None:
        handler = urllib.request.ProxyHandler({"http": mesh.proxy("caller")})
        self._opener = urllib.request.build_opener(handler)

    def ask(self, path: str = "/", **headers: str) -> tuple[str, str]:
        """Which replica answered, and the cookie it was given."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with self._opener.open(urllib.request.Request(URL + path, headers=named), timeout=20) as answer:
            return str(msgspec.json.decode(answer.read())["name"]), answer.headers.get("set-cookie", "")


def counted(mesh: Mesh, name: str, workload: str = "caller") -> int:
    return sum(mesh.stats(workload, rf"{CLUSTER}.*\.{name}$").values())


USERS = [f"user-{number}" for number in range(24)]


@pytest.mark.parametrize("algorithm", ["ringHash: {minimumRingSize: 2048}", "maglev: {tableSize: 251}"])
def test_a_header_decides_who_answers(web: Mesh, algorithm: str) -> None:
    client = Client(web)
    with web.applied(hashed(f"{{httpHeaderName: x-user, {algorithm}}}")):
        first = {user: client.ask(x_user=user)[0] for user in USERS}
        assert len(set(first.values())) == 2, "two dozen users do not all hash to one of two"
        for _ in range(3):
            assert {user: client.ask(x_user=user)[0] for user in USERS} == first


def test_a_query_parameter_decides_who_answers(web: Mesh) -> None:
    client = Client(web)
    with web.applied(hashed("{httpQueryParameterName: user}")):
        first = {user: client.ask(f"/?user={user}")[0] for user in USERS}
        assert len(set(first.values())) == 2
        assert {user: client.ask(f"/other?user={user}")[0] for user in USERS} == first


def test_one_address_means_one_replica(web: Mesh) -> None:
    client = Client(web)
    with web.applied(hashed("{useSourceIp: true}")):
        assert len({client.ask()[0] for _ in range(20)}) == 1


def test_a_cookie_is_made_and_decides_who_answers(web: Mesh) -> None:
    client = Client(web)
    cookie = "{name: place, path: /shop, ttl: 60s, attributes: [{name: SameSite, value: Strict}]}"
    with web.applied(hashed(f"{{httpCookie: {cookie}}}")):
        who, made = client.ask()
        assert made.startswith("place=")
        assert {"Max-Age=60", "Path=/shop", "SameSite=Strict"} <= set(made.split("; "))
        mine = made.split(";")[0]
        assert {client.ask(cookie=mine) for _ in range(20)} == {(who, "")}


def flood(mesh: Mesh, path: str) -> LoadResult:
    """Four at once, each of which takes its time."""
    url = f"{URL}{path}"
    stop = asyncio.Event()
    seen: list[int] = []

    def classify(response: Response) -> str:
        seen.append(response.status)
        if len(seen) >= 60:
            stop.set()
        return str(response.status)

    plan = acceptance_plan(url, url, b"{}", seconds=20, proxy=mesh.proxy("caller"))

    async def scene() -> LoadResult:
        return await offer_load(plan, classify=classify, stop=stop)

    return asyncio.run(scene())


def test_more_than_the_pool_holds_is_refused_and_counted(web: Mesh) -> None:
    pool = "{tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}"
    with web.applied(rule(f"{{connectionPool: {pool}}}")):
        before = counted(web, "upstream_rq_pending_overflow")
        result = flood(web, "/slow?s=0.2")
        statuses = Counter(record.label for record in result.records)
        assert statuses["503"] > 0 < statuses["200"], statuses
        assert counted(web, "upstream_rq_pending_overflow") - before >= statuses["503"]
        assert web.logged("caller", flags="UO")["status"] == 503


def test_a_ports_settings_stand_in_for_all_others(web: Mesh) -> None:
    narrow = "{connectionPool: {tcp: {maxConnections: 1}, http: {http1MaxPendingRequests: 1}}"
    with web.applied(
        rule(f"{narrow}, portLevelSettings: [{{port: {{number: 8080}}, loadBalancer: {{simple: RANDOM}}}}]}}")
    ):
        assert {record.label for record in flood(web, "/slow?s=0.05").records if record.label} == {"200"}
        narrowed = web.stats("caller", rf"{CLUSTER}.*remaining_cx$")
        assert all(value > 1 for value in narrowed.values())


def test_http2_to_a_port_of_http(web: Mesh) -> None:
    client = Client(web)
    before = counted(web, "upstream_cx_http2_total")
    client.ask()
    assert counted(web, "upstream_cx_http2_total") == before
    with web.applied(rule("{connectionPool: {http: {h2UpgradePolicy: UPGRADE}}}")):
        client.ask()
        assert counted(web, "upstream_cx_http2_total") > before
    with web.applied(rule("{connectionPool: {http: {useClientProtocol: true}}}")):
        before = counted(web, "upstream_cx_http1_total")
        client.ask()
        assert counted(web, "upstream_cx_http1_total") > before


def test_connections_end_when_they_are_idle_or_old(web: Mesh) -> None:
    client = Client(web)
    with web.applied(rule("{connectionPool: {http: {idleTimeout: 300ms}}}")):
        client.ask()
        until(lambda: counted(web, "upstream_cx_idle_timeout") > 0, "an idle connection is closed")
    with web.applied(rule("{connectionPool: {tcp: {maxConnectionDuration: 300ms}}}")):
        client.ask()
        until(lambda: counted(web, "upstream_cx_max_duration_reached") > 0, "an old connection is closed")


def test_one_who_answers_with_errors_is_left_out_and_comes_back(web: Mesh) -> None:
    """Status 418 counts as an error because the rule says so; `web-2` never says it."""
    client = Client(web)
    ejection = (
        "{consecutive5xxErrors: 2, outlierDetectionHttpErrorCodes: [418], interval: 200ms,"
        " baseEjectionTime: 1s, maxEjectionPercent: 50}"
    )
    with web.applied(rule(f"{{loadBalancer: {{simple: ROUND_ROBIN}}, outlierDetection: {ejection}}}")):

        def one_is_left_out() -> bool:
            """Whoever is asked says 418; at most half may be left out, and by turns four requests reach both."""
            with pytest.raises(urllib.error.HTTPError) as caught:
                client.ask("/reply?status=418&name=x-a&value=b")
            caught.value.close()
            is_out = counted(web, "ejections_active") == 1
            return is_out and len({client.ask()[0] for _ in range(4)}) == 1

        until(one_is_left_out, "one is left out")
        until(lambda: len({client.ask()[0] for _ in range(4)}) == 2, "it is asked again")


def test_retries_have_a_budget(web: Mesh) -> None:
    retried = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec:
  hosts: [web]
  http: [{retries: {attempts: 3, retryOn: 5xx}, route: [{destination: {host: web}}]}]
"""
    failing = "/reply?status=503&name=x-a&value=b"
    client = Client(web)

    def fail() -> None:
        with pytest.raises(urllib.error.HTTPError) as caught:
            client.ask(failing)
        caught.value.close()

    with web.applied(retried, rule("{retryBudget: {percent: 0, minRetryConcurrency: 0}}")):
        before = counted(web, "upstream_rq_retry")
        fail()
        assert counted(web, "upstream_rq_retry_overflow") > 0
        assert counted(web, "upstream_rq_retry") == before
    with web.applied(retried, rule("{retryBudget: {percent: 100}}")):
        before = counted(web, "upstream_rq_retry")
        fail()
        assert counted(web, "upstream_rq_retry") == before + 3


@pytest.mark.skipif(shutil.which("ss") is None, reason="needs the command ss, of iproute2")
def test_connections_are_probed(web: Mesh) -> None:
    client = Client(web)
    ports = [web.inbound(name, 8080)[1] for name in ("web-1", "web-2")]
    listing = ("ss", "-Htno", "state", "established", f"( dport = :{ports[0]} or dport = :{ports[1]} )")
    with web.applied(rule("{connectionPool: {tcp: {tcpKeepalive: {time: 5000s, interval: 5s, probes: 2}}}}")):
        client.ask()
        timers = web.output_of(listing)
        assert "keepalive,83min" in timers or "keepalive,82min" in timers, timers
