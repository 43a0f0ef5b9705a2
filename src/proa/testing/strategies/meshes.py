"""Hypothesis strategies for whole meshes: workloads, rules, and changes of both.

The names are few on purpose: rules must hit services, hosts must collide, and one host must have several sources.
A fact is one source's word, put or withdrawn; changes are made of facts.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from hypothesis import strategies as st

from proa.core.config import Config, Json
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.settings import AccessLog, Handling, MeshSettings
from proa.core.model.snapshot import Change, Contribution
from proa.core.pilot.registry.registration import workload_source
from proa.core.sidecar.session import GatewayPort, RegisteredPort, Registration
from proa.testing.builders import change_of, config, contribution, registered_port, registration

NAMESPACES: Final = ("default", "shop")
SERVICES: Final = ("a", "b")
PORTS: Final = ((80, "HTTP"), (9080, "HTTP"), (9080, "AUTO"), (7000, "GRPC"), (6379, "TCP"), (443, "TLS"))
GATEWAY: Final = WorkloadId("istio-system", "ingress")
HOSTS: Final = (
    "a",
    "b",
    "a.shop.svc.cluster.local",
    "x.example.com",
    "y.example.com",
    "*.example.com",
    "*.shop.svc.cluster.local",
    "a.shop",
)
SUBSETS: Final = ("", "v1", "v2")

Fact = Config | Contribution | ObjectRef | MeshSettings
"""What is put (Config, Contribution of a workload, settings) or withdrawn (by name)."""


def _maybe(strategy: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    return st.none() | strategy


def _said(**fields: Json) -> dict[str, Json]:
    return {key: value for key, value in fields.items() if value is not None}


@st.composite
def registered_ports(draw: st.DrawFn, service: str) -> tuple[RegisteredPort, ...]:
    chosen = draw(st.lists(st.sampled_from(PORTS), min_size=1, max_size=2, unique_by=lambda each: each[0]))
    return tuple(
        registered_port(
            service,
            number,
            protocol=protocol,
            health=draw(st.sampled_from(("HEALTHY", "HEALTHY", "UNHEALTHY", "STARTING"))),
            sidecar_port=20_000 + index,
        )
        for index, (number, protocol) in enumerate(chosen)
    )


@st.composite
def registrations(draw: st.DrawFn) -> Registration:
    """A replica of a service, or the gateway."""
    if draw(st.integers(0, 5)) == 0:
        ports = tuple(GatewayPort(server_port=port, bound_port=port + 8000) for port in draw(_gateway_ports))
        labels = {"istio": "ingressgateway"}
        return registration(str(GATEWAY), kind="gateway", labels=labels, gateway_ports=ports)
    namespace, service = draw(st.sampled_from(NAMESPACES)), draw(st.sampled_from(SERVICES))
    replica = draw(st.integers(1, 2))
    return registration(
        f"{namespace}/{service}-{replica}",
        *draw(registered_ports(service)),
        address=f"10.0.{len(namespace)}.{replica}",
        labels={"app": service, "version": draw(st.sampled_from(("v1", "v2")))},
        locality=draw(st.sampled_from(("", "eu/a", "eu/b/1", "us/a"))),
    )


_gateway_ports = st.sets(st.sampled_from((80, 8080)))
_export_to: st.SearchStrategy[Json] = st.sampled_from(
    [None, ["."], ["*"], ["shop"], ["default", "elsewhere"]]
)


def _weights(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(1, 3), min_size=count, max_size=count)


@st.composite
def http_routes(draw: st.DrawFn) -> dict[str, Json]:
    """One rule of a VirtualService."""
    action = draw(st.sampled_from(("route", "route", "route", "redirect", "directResponse")))
    rule: dict[str, Json] = {}
    if action == "route":
        hosts = draw(st.lists(st.sampled_from(HOSTS[:5]), min_size=1, max_size=2))
        weights = draw(_weights(len(hosts)))
        rule["route"] = [
            {"destination": draw(_destination(host)), "weight": weight}
            for host, weight in zip(hosts, weights, strict=True)
        ]
        rule |= _said(
            timeout=draw(st.sampled_from((None, "2s"))), fault=draw(st.sampled_from((None, _DELAY)))
        )
    elif action == "redirect":
        rule["redirect"] = {"uri": "/elsewhere"}
    else:
        rule["directResponse"] = {"status": 418}
    matches: list[Json] = [
        {"headers": {"end-user": {"exact": "jason"}}},
        {"uri": {"prefix": "/api"}},
        {"port": 9080},
        {"gateways": ["mesh"]},
        {"withoutHeaders": {"x": {"exact": "1"}}},
    ]
    return rule | _said(match=draw(_maybe(st.lists(st.sampled_from(matches), min_size=1, max_size=2))))


_DELAY: Final[Json] = {"delay": {"percentage": {"value": 50}, "fixedDelay": "7s"}}


def _destination(host: str) -> st.SearchStrategy[Json]:
    subsets = st.sampled_from(SUBSETS)
    ports = st.sampled_from((None, 80, 9080))
    return st.builds(
        lambda subset, port: _said(
            host=host, subset=subset or None, port={"number": port} if port is not None else None
        ),
        subsets,
        ports,
    )


@st.composite
def virtual_services(draw: st.DrawFn) -> Config:
    bound: list[Json] = [None, ["mesh"], ["edge"], ["edge", "mesh"]]
    gateways = draw(st.sampled_from(bound))
    http: list[Json] = [*draw(st.lists(http_routes(), min_size=1, max_size=2))]
    host = draw(st.sampled_from(HOSTS))
    spec = _said(hosts=[host], http=http, gateways=gateways, exportTo=draw(_export_to))
    spec |= draw(stream_routes(host))
    return config("VirtualService", draw(_names), spec, namespace=draw(_namespaces))


_names = st.sampled_from(("one", "two"))
_namespaces = st.sampled_from((*NAMESPACES, "istio-system"))


_NEARNESS: tuple[dict[str, Json], ...] = (
    {"failover": [{"from": "eu", "to": "us"}]},
    {"failoverPriority": ["version", "topology.kubernetes.io/region"]},
    {"distribute": [{"from": "eu/*", "to": {"eu/a": 80, "us": 20}}]},
    {"enabled": False},
)


@st.composite
def destination_rules(draw: st.DrawFn) -> Config:
    subsets: list[Json] = [
        {"name": name, "labels": {"version": name}} for name in draw(st.sets(st.sampled_from(SUBSETS[1:])))
    ]
    policies: list[Json] = [
        None,
        {"loadBalancer": {"simple": "ROUND_ROBIN"}},
        {"tls": {"mode": "ISTIO_MUTUAL"}},
        {"connectionPool": {"tcp": {"connectTimeout": "3s"}}, "outlierDetection": {"interval": "1s"}},
        {"loadBalancer": {"localityLbSetting": draw(st.sampled_from(_NEARNESS))}, "outlierDetection": {}},
    ]
    spec = _said(
        host=draw(st.sampled_from(HOSTS)),
        subsets=subsets,
        trafficPolicy=draw(st.sampled_from(policies)),
    )
    # What is for some workloads only holds in its own namespace.
    spec |= draw(
        st.one_of(
            _export_to.map(lambda said: _said(exportTo=said)),
            st.just({"workloadSelector": {"matchLabels": {"version": "v1"}}}),
        )
    )
    return config("DestinationRule", draw(_names), spec, namespace=draw(_namespaces))


@st.composite
def service_entries(draw: st.DrawFn) -> Config:
    host = draw(st.sampled_from(("x.example.com", "*.example.com", "a.shop", "a.shop.svc.cluster.local")))
    chosen = draw(st.lists(st.sampled_from(PORTS), min_size=1, max_size=2, unique_by=lambda each: each[0]))
    ports: list[Json] = [
        {"number": number, "name": f"{protocol.lower()}-{number}", "protocol": protocol.replace("AUTO", "")}
        for number, protocol in chosen
    ]
    address: Json = [{"address": "192.0.2.1", "labels": {"version": "v1"}}]
    name: Json = [{"address": "real.example.org"}]
    ways: list[dict[str, Json]] = [
        {"resolution": "NONE"},
        {"resolution": "STATIC", "endpoints": address},
        {"resolution": "DNS", "endpoints": name},
        {"resolution": "STATIC", "workloadSelector": {"labels": {"app": "a"}}, "location": "MESH_INTERNAL"},
    ]
    spec = _said(hosts=[host], ports=ports, exportTo=draw(_export_to)) | draw(st.sampled_from(ways))
    return config("ServiceEntry", draw(_names), spec, namespace=draw(_namespaces))


@st.composite
def workload_entries(draw: st.DrawFn) -> Config:
    spec = _said(
        address=draw(st.sampled_from(("192.0.2.7", "192.0.2.8"))),
        labels={"app": draw(st.sampled_from(SERVICES)), "version": "v2"},
        serviceAccount=draw(st.sampled_from((None, "legacy"))),
    )
    return config("WorkloadEntry", draw(_names), spec, namespace=draw(_namespaces))


_SERVER_TLS: Final[tuple[dict[str, Json], ...]] = (
    {"mode": "PASSTHROUGH"},
    {"mode": "SIMPLE", "credentialName": "shop"},
    {
        "mode": "SIMPLE",
        "serverCertificate": "/c.pem",
        "privateKey": "/k.pem",
        "minProtocolVersion": "TLSV1_3",
    },
    {"mode": "MUTUAL", "credentialNames": ["rsa", "ec"], "subjectAltNames": ["a.example", "spiffe://a/b"]},
    {
        "mode": "OPTIONAL_MUTUAL",
        "credentialName": "shop",
        "insecureSkipVerify": True,
        "ecdhCurves": ["P-256"],
    },
    {"mode": "ISTIO_MUTUAL"},
    {"mode": "AUTO_PASSTHROUGH"},
)


@st.composite
def gateway_servers(draw: st.DrawFn, number: int) -> dict[str, Json]:
    """A server with a name of port that is of `number` alone. Ports and hosts are few: servers must collide."""
    protocol = draw(
        st.sampled_from(("HTTP", "HTTP", "GRPC-WEB", "HTTPS", "HTTPS", "TLS", "TLS", "TCP", "MONGO"))
    )
    choices = ("*", "*.example.com", "x.example.com", "shop/*", "*.local", "y.example.com")
    hosts: list[Json] = [*draw(st.lists(st.sampled_from(choices), min_size=1, max_size=2, unique=True))]
    port = draw(st.sampled_from((80, 8080)))
    tls: Json = None
    if protocol in ("HTTPS", "TLS"):
        tls = draw(st.sampled_from(_SERVER_TLS))
    elif protocol == "HTTP":
        tls = {"httpsRedirect": True} if draw(st.booleans()) else None
    served: Json = {"number": port, "name": f"p{number}", "protocol": protocol}
    return _said(port=served, hosts=hosts, tls=tls, bind=draw(st.sampled_from((None, None, "127.0.0.1"))))


@st.composite
def gateways(draw: st.DrawFn) -> Config:
    count = draw(st.integers(1, 3))
    servers: list[Json] = [draw(gateway_servers(number)) for number in range(count)]
    spec: dict[str, Json] = {"selector": {"istio": "ingressgateway"}, "servers": servers}
    return config("Gateway", "edge", spec, namespace=draw(_namespaces))


@st.composite
def stream_routes(draw: st.DrawFn, host: str) -> dict[str, Json]:
    """`tls` or `tcp` rules of a VirtualService for this host, or neither."""
    networks: tuple[Json, ...] = (None, ["10.0.0.0/8"], ["10.1.2.3/8", "10.0.0.1"])
    match = _said(
        destinationSubnets=draw(st.sampled_from(networks)),
        port=draw(st.sampled_from((None, 80, 6379))),
        sourceNamespace=draw(st.sampled_from((None, "shop"))),
    )
    targets = draw(st.lists(st.sampled_from(HOSTS[:5]), min_size=1, max_size=2))
    route: list[Json] = [{"destination": draw(_destination(target)), "weight": 1} for target in targets]
    rules: list[dict[str, Json]] = [
        {},
        {"tcp": [_said(match=[match] if match else None, route=route)]},
        {"tls": [{"match": [{"sniHosts": [host], **match}], "route": route}]},
    ]
    return draw(st.sampled_from(rules))


@st.composite
def sidecars(draw: st.DrawFn) -> Config:
    """Of a namespace, the mesh or some workloads; with what they import, where unknown hosts lead, or both."""
    selectors: list[Json] = [None, None, {"labels": {"version": "v1"}}]
    imports: list[Json] = [
        ["./*"],
        ["~/*"],
        ["*/*", "~shop/*"],
        ["shop/*", "*/x.example.com"],
        ["*/*.example.com", "default/*"],
        ["*/a.shop.svc.cluster.local"],
    ]
    egress: Json = [{"hosts": draw(st.sampled_from(imports))}]
    proxy: Json = {"host": draw(st.sampled_from(HOSTS[:4])), "port": {"number": 9080}}
    policies: list[Json] = [
        {"mode": "REGISTRY_ONLY"},
        {"mode": "ALLOW_ANY"},
        {"mode": "ALLOW_ANY", "egressProxy": proxy},
    ]
    policy = draw(st.sampled_from(policies))
    said = draw(st.sampled_from(((egress, None), (None, policy), (egress, policy))))
    pool: Json = {"tcp": {"maxConnections": 3}}
    ingress: list[Json] = [
        None,
        None,
        [{"port": {"number": 9080}, "defaultEndpoint": "127.0.0.1:1"}],
        [{"port": {"number": 80, "protocol": "TCP"}, "connectionPool": pool}],
    ]
    spec = _said(
        workloadSelector=draw(st.sampled_from(selectors)),
        egress=said[0],
        outboundTrafficPolicy=said[1],
        ingress=draw(st.sampled_from(ingress)),
        inboundConnectionPool=draw(st.sampled_from((None, pool))),
    )
    return config("Sidecar", draw(_names), spec, namespace=draw(_namespaces))


@st.composite
def telemetries(draw: st.DrawFn) -> Config:
    """Of a namespace, the mesh or some workloads: what is counted, and what is logged."""
    selectors: list[Json] = [None, None, {"matchLabels": {"version": "v1"}}]
    said: list[Json] = [
        {"metrics": [{"overrides": [{"disabled": True}]}]},
        {"metrics": [{"overrides": [{"tagOverrides": {"verb": {"value": "request.method"}}}]}]},
        {"accessLogging": [{"disabled": True}]},
        {"accessLogging": [{"match": {"mode": "SERVER"}, "filter": {"expression": "response.code >= 400"}}]},
    ]
    spec = draw(st.sampled_from(said))
    assert isinstance(spec, dict)
    picked = _said(selector=draw(st.sampled_from(selectors)))
    return config(
        "Telemetry", draw(_names), {**picked, **spec}, namespace=draw(_namespaces), group="telemetry"
    )


def objects() -> st.SearchStrategy[Config]:
    """Any object that has an effect on what proxies are sent."""
    return st.one_of(
        virtual_services(),
        virtual_services(),
        destination_rules(),
        service_entries(),
        workload_entries(),
        gateways(),
        sidecars(),
        telemetries(),
    )


def settings() -> st.SearchStrategy[MeshSettings]:
    return st.builds(
        MeshSettings,
        outbound_policy=st.sampled_from(("ALLOW_ANY", "REGISTRY_ONLY")),
        handling=st.builds(
            Handling,
            access_log=st.sampled_from((None, AccessLog(), AccessLog(encoding="TEXT"))),
            paths=st.sampled_from(("NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES")),
        ),
        upgrades_http=st.booleans(),
        service_export_to=st.sampled_from((("*",), (".",), ("*", "."))),
    )


def withdrawals() -> st.SearchStrategy[ObjectRef]:
    workloads = st.builds(
        lambda namespace, service, replica: ObjectRef("Workload", namespace, f"{service}-{replica}"),
        st.sampled_from(NAMESPACES),
        st.sampled_from(SERVICES),
        st.integers(1, 2),
    )
    kinds = st.sampled_from(
        ("VirtualService", "DestinationRule", "ServiceEntry", "WorkloadEntry", "Sidecar", "Telemetry")
    )
    named = st.builds(ObjectRef, kinds, _namespaces, _names)
    edge = st.builds(lambda namespace: ObjectRef("Gateway", namespace, "edge"), _namespaces)
    return st.one_of(workloads, workloads, named, named, named, edge, st.just(workload_source(GATEWAY)))


def additions() -> st.SearchStrategy[Fact]:
    return st.one_of(objects(), objects(), registrations().map(contribution))


def facts() -> st.SearchStrategy[Fact]:
    return st.one_of(additions(), additions(), additions(), withdrawals(), settings())


def change_from(told: Iterable[Fact]) -> Change:
    """One change of several facts; of two about one thing the later holds."""
    latest: dict[object, Fact] = {}
    for fact in told:
        latest[_about(fact)] = fact
    configs = [fact for fact in latest.values() if isinstance(fact, Config)]
    gone = tuple(fact for fact in latest.values() if isinstance(fact, ObjectRef))
    of_objects = change_of(configs)
    workloads = tuple(fact for fact in latest.values() if isinstance(fact, Contribution))
    return msgspec.structs.replace(
        of_objects,
        contributions=(*of_objects.contributions, *workloads),
        removed_configs=gone,
        removed_sources=gone,
        settings=next((fact for fact in latest.values() if isinstance(fact, MeshSettings)), None),
    )


def _about(fact: Fact) -> object:
    match fact:
        case Config():
            return fact.ref
        case Contribution():
            return fact.source
        case MeshSettings():
            return "settings"
        case _:
            return fact


def changes() -> st.SearchStrategy[Change]:
    """Mostly one fact; several at once, too."""
    return st.lists(facts(), min_size=1, max_size=3).map(change_from)


def meshes() -> st.SearchStrategy[tuple[Fact, ...]]:
    """What several sources say, each of something else: it may be told in any order."""
    return st.lists(additions(), min_size=1, max_size=8, unique_by=_about).map(tuple)
