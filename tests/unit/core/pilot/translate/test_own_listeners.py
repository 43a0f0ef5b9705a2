"""Sidecars whose egress has listeners of their own: what is behind each, and what is left to proxy variables."""

import pytest

from proa.core.pilot.simulate import OWN_TLS, RAW, Connect, Connection, Own
from proa.core.sidecar.session import GatewayPort, OwnListener
from proa.testing.builders import Mesh, registered_port, registration, simple

PLACE = "127.0.0.1"
OPEN = tuple(
    GatewayPort(server_port=port, bound_port=port, address=PLACE) for port in (9080, 6379, 6380, 443)
)
WEB = "{port: {number: 9080, protocol: HTTP}, %s hosts: [default/reviews.default.svc.cluster.local]}"
REST = "{hosts: [shop/*]}"
ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: out}
spec:
  hosts: [a.example.com, b.example.com]
  resolution: STATIC
  ports: [{number: 443, name: tls, protocol: TLS}]
  endpoints: [{address: 192.0.2.1}]
"""


def mesh(*listeners: str, opened: tuple[GatewayPort, ...] = OPEN) -> Mesh:
    made = Mesh(
        simple("reviews"),
        simple("ratings"),
        simple("redis", number=6379, protocol="TCP"),
        registration("both", registered_port("both", 6380, protocol="TCP"), registered_port("both", 9080)),
        registration("two", registered_port("two", 6380, protocol="TCP"), address="10.0.0.9"),
        registration("client", gateway_ports=opened),
    )
    made.apply(f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: s}}
spec: {{egress: [{", ".join(listeners)}], outboundTrafficPolicy: {{mode: REGISTRY_ONLY}}}}
""")
    return made


def own(port: int, carries: Connection | None = None) -> Own:
    return Own(address=PLACE, port=port, carries=carries or RAW)


def cluster(made: Mesh, port: int, carries: Connection | None = None, url: str = "http://x/") -> str:
    return made.get("client", url, via=own(port, carries)).cluster


def service(port: int, name: str) -> str:
    return f"outbound|{port}||{name}.default.svc.cluster.local"


@pytest.mark.parametrize("authority", ["reviews", "reviews:9080", "reviews.default.svc.cluster.local"])
def test_requests_go_by_their_host_to_what_is_imported_there(authority: str) -> None:
    made = mesh(WEB % "", REST)
    assert cluster(made, 9080, url=f"http://{authority}/") == service(9080, "reviews")
    assert made.get("client", "http://ratings/", via=own(9080)).status == 502
    assert made.get("client", "http://redis:6379/", via=own(9080)).status == 502


@pytest.mark.parametrize(
    ("mode", "listener", "variables"),
    [("", 200, 200), ("captureMode: NONE,", 200, 502), ("captureMode: IPTABLES,", 0, 200)],
)
def test_who_comes_to_a_listener(mode: str, listener: int, variables: int) -> None:
    made = mesh(WEB % mode, REST)
    told = made.get("client", "http://reviews:9080/", via=own(9080))
    assert (told.cluster == service(9080, "reviews")) is bool(listener)
    asked = made.get("client", "http://reviews:9080/")
    assert (asked.cluster == service(9080, "reviews")) is (variables == 200)
    tunnel = made.get("client", "http://reviews:9080/", via=Connect(authority="reviews:9080"))
    assert (tunnel.cluster == service(9080, "reviews")) is (variables == 200)


def test_the_listener_of_a_port_comes_before_the_one_without() -> None:
    made = mesh(WEB % "", "{hosts: ['*/*']}")
    assert made.get("client", "http://ratings:9080/").status == 502, "port 9080 has a list of its own"
    assert made.get("client", "redis:6379", via=Connect(authority="redis:6379", carries=RAW)).cluster
    open_to_all = mesh(WEB % "captureMode: NONE,", "{hosts: ['*/*']}")
    assert open_to_all.get("client", "http://ratings:9080/").cluster == service(9080, "ratings")


def test_rules_of_a_host_hold_at_its_listener() -> None:
    made = mesh(WEB % "captureMode: NONE,")
    made.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: ratings}}]}]}
""")
    assert cluster(made, 9080, url="http://reviews/") == service(9080, "ratings"), "rules send where they say"
    assert made.get("client", "http://ratings/", via=own(9080)).status == 502
    made = mesh((WEB % "captureMode: NONE,").replace("reviews.default.svc.cluster.local", "*"))
    made.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{directResponse: {status: 418}}]}
""")
    assert made.get("client", "http://reviews/", via=own(9080)).status == 418
    made.delete("VirtualService", "reviews")
    assert cluster(made, 9080, url="http://reviews/") == service(9080, "reviews")


def test_a_stream_goes_to_the_one_service_of_the_port() -> None:
    redis = "{port: {number: 6379, protocol: TCP}, captureMode: NONE, hosts: ['*/*']}"
    made = mesh(redis)
    assert cluster(made, 6379) == service(6379, "redis")
    assert made.world.notes() == ()
    undecided = mesh("{port: {number: 6380, protocol: TCP}, captureMode: NONE, hosts: ['*/*']}")
    assert cluster(undecided, 6380) == "BlackHoleCluster"
    (note,) = undecided.world.notes()
    assert note.code == "egress-listener-undecided"
    assert "both.default" in note.message
    assert "two.default" in note.message
    undecided.displace("default/two")
    assert cluster(undecided, 6380) == service(6380, "both"), "a service that went is news to the listener"


def test_tls_goes_by_the_name_that_is_asked_for() -> None:
    made = mesh("{port: {number: 443, protocol: TLS}, captureMode: NONE, hosts: ['*/a.example.com']}")
    made.apply(ENTRY)

    def asking(name: str) -> Connection:
        return Connection(transport="tls", protocols=OWN_TLS.protocols, sni=name)

    assert cluster(made, 443, asking("a.example.com")) == "outbound|443||a.example.com"
    assert cluster(made, 443, asking("b.example.com")) == "", "not imported"


def test_a_place_that_the_agent_has_not_is_no_listener() -> None:
    later = mesh(WEB % "", opened=())
    wanted = later.world.own_listeners_wanted(registration("client").id)
    assert wanted == (OwnListener(PLACE, 9080),)
    assert cluster(later, 9080, url="http://reviews/") == ""
    taken = GatewayPort(server_port=9080, bound_port=9080, address=PLACE, fault="Address already in use")
    closed = mesh(WEB % "", opened=(taken,))
    assert cluster(closed, 9080, url="http://reviews/") == ""
    closed.source("client")
    (note,) = closed.world.notes()
    assert note.code == "egress-listener-closed"
    assert note.message == "default/client has no listener at 127.0.0.1:9080: Address already in use"
