"""The scene in which simulation and Envoy are compared: many rules for few hosts, three proxies, and the words that
requests are made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proa.core.model.names import WorkloadId
from proa.core.pilot.simulate import Connect, Explicit, Gateway
from tests.mesh.agreement import Door, Words
from tests.mesh.harness import FOREVER, Mesh

RULES = Path(__file__).with_suffix(".yaml")

WORDS = Words(
    paths=(
        "/", "/api", "/api/", "/api/v1", "/API/v1", "/apix", "/Api/V1/more", "/static/a.css", "/static", "/items/42",
        "/items/x", "/items/", "/a/../api/v1", "//api/v1", "/%61pi/v1", "/api%2Fv1", "/./items/42", "/empty/1",
        "/missing", "/gone/1", "/old/thing", "/old", "/told/1", "/faulty/1", "/slowly", "/cors", "/strict",
        "/copied/ab/cd/ef", "/copied/1", "/who", "/api/v1;x=1", "/items/42/..", "/static/a%20b", "/%2e%2e/api/v1",
        "/api/%2E/v1", "/api/v%31", "/api\\v1", "/items/4%32", "/api/%2e%2e;x/v1", "/a/..;x/api/v1", "/%2%65%2%65/api",
        "/told/{x}", "/..", "/api/../..//old", "/api/v1/.",
    ),
    queries=(
        "", "", "a=1", "a=2&b=x", "a=&a=1", "A=1", "a=%31", "b=abc&a", "c=xyz", "c=x%26", "a=1&a=2&b=", "b=Q&a=1",
        "x;a=1",
    ),
    headers=(
        ("x-user", "ann"), ("X-User", "bob"), ("x-user", "annabel"), ("x-user", ""), ("x-user", "bbob"),
        ("x-canary", "true"), ("x-canary", "1"), ("X-Canary", "TRUE"), ("accept-language", "de"),
        ("origin", "http://good.example.com"), ("origin", "http://a.fine.com"), ("origin", "http://bad.example.com"),
        ("access-control-request-method", "GET"), ("x-forwarded-proto", "https"),
        ("x-envoy-max-retries", "0"), ("x-request-id", "mine"), ("te", "trailers"),
    ),
)  # fmt: skip

CALLER, VISITOR = WorkloadId("default", "caller"), WorkloadId("shop", "visitor")
EDGE = WorkloadId("istio-system", "ingressgateway")
AT_8080 = (
    "echo:8080", "echo.default:8080", "ECHO.default:8080", "echo.default.svc:8080",
    "echo.default.svc.cluster.local:8080", "echo.default.svc.cluster.local.:8080", "127.1.2.3:8080", "localhost:8080",
)  # fmt: skip
AT_80 = (
    "goods.example.com", "goods.example.com:80", "GOODS.example.com", "stock.example.com", "a.wild.example.com",
    "b.a.wild.example.com:80", "private.example.com", "10.0.0.300", "localhost", "[::1]", "127.0.0.1:80",
)  # fmt: skip
ELSEWHERE = (
    "echo", "echo:80", "echo:9999", "goods.example.com:81", "Goods.Example.COM:81", "stock.example.com:81",
    "invented.example.com", "x.invented.example.com", "invented.example.com:77", "goods.example.com.:81",
    "127.0.0.1:9", "169.254.169.254", "[fe80::1]:90", "echo.default",
)  # fmt: skip
UNKNOWN = ("unknown.example.org", "unknown.example.org:8443", "wild.example.com", "a.invented.example.org:1")
"""Only where nothing unknown is let out: elsewhere it would be asked of DNS."""
AT_EDGE = (
    "goods.example.com", "goods.example.com:8580", "GOODS.example.com:1", "a.wild.example.com",
    "a.wild.example.com:8580", "b.a.wild.example.com:8581", "wild.example.com", "invented.example.com",
    "x.invented.example.com:77", "echo.edge", "moved.example.com", "nothing.org", "nothing.org:8581",
    "goods.example.com.",
)  # fmt: skip


@contextmanager
def agreement_scene(mesh: Mesh) -> Iterator[Mesh]:
    """Beside `caller` and `echo`, which the mesh has: a client that a Sidecar narrows, and a gateway."""
    mesh.gateway("-n", "istio-system", wait=False)
    mesh.run("visitor", FOREVER, "--label=track=red", namespace="shop", wait=False)
    mesh.until_healthy("ingressgateway", "visitor")
    try:
        with mesh.applied(RULES):
            yield mesh
    finally:
        for name in ("ingressgateway", "visitor"):
            mesh.stop(name)


def doors(mesh: Mesh) -> list[Door]:
    """Every way into the three proxies that requests take."""
    found = []
    for workload in (CALLER, VISITOR):
        port = int(mesh.proxy(str(workload)).rpartition(":")[2])
        more = UNKNOWN if workload == VISITOR else ()
        hosts = (*AT_8080, *AT_80, *ELSEWHERE, *more)
        found.append(Door(proxy=workload, port=port, via=Explicit(), hosts=hosts))
        for name, inside in (("echo.default:8080", AT_8080), ("goods.example.com:80", AT_80)):
            via = Connect(authority=name)
            found.append(Door(proxy=workload, port=port, via=via, hosts=(*inside, *more)))
    for number in (8580, 8581, 8582):
        bound = mesh.gateway_port(number)
        found.append(Door(proxy=EDGE, port=bound, via=Gateway(port=number), hosts=AT_EDGE))
    return found
