"""Both ends of a hop follow from one decision: over every server policy, client rule and kind of client, the clusters
and listeners that proxies are sent do what `core.auth.hop` says. tests/mesh/hops.py holds real Envoys to it.
"""

from itertools import product
from typing import Final, get_args

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.auth.hop import ClientKind, ClientRule, Result, ServerMode, Wire, hop
from proa.core.auth.peer_policy import advertised_for, settled
from proa.core.model.endpoint import TlsFact
from proa.core.model.workload import TlsMode
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate import (
    HTTP1,
    MESH_HTTP1,
    OWN_TLS,
    Connection,
    Inbound,
    Mutual,
    Plain,
    Refused,
)
from proa.core.pilot.simulate.clusters import candidates_of
from proa.core.pilot.simulate.resources import Decoder
from proa.testing.builders import Mesh, registered_port, registration

HOST: Final = "web.default.svc.cluster.local"
CLUSTER: Final = f"outbound|9080||{HOST}"
RULES: Final[dict[ClientRule, str]] = {
    "auto": "",
    "mutual": "tls: {mode: ISTIO_MUTUAL}",
    "plain": "tls: {mode: DISABLE}",
    "outside": "tls: {mode: SIMPLE, sni: web}",
}
EDGE: Final = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge}
spec: {gateways: [edge], hosts: ["*"], http: [{route: [{destination: {host: web}}]}]}
---
"""
CLIENTS: Final = tuple(each for each in get_args(ClientKind) if each != "foreign")
"""Those whom anybody sends anything. Handshakes, which refuse the others, are real Envoys' affair."""
CARRIES: Final[dict[Wire, Connection]] = {
    "plaintext": HTTP1,
    "mesh TLS": MESH_HTTP1,
    "gRPC's mesh TLS": Connection(transport="tls", protocols=("h2",)),
    "TLS": OWN_TLS,
}


def mesh_of(mode: TlsMode, rule: ClientRule) -> Mesh:
    server = registration("web", registered_port("web", protocol="GRPC"))
    mesh = Mesh(
        registration("grpc", kind="proxyless"), registration("edge", kind="gateway", labels={"istio": "edge"})
    )
    mesh.place(server, port_tls={9080: settled(mode)})
    policy = f"spec: {{host: web, trafficPolicy: {{{RULES[rule]}}}}}" if RULES[rule] else "spec: {host: web}"
    mesh.apply(
        f"{EDGE}apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {{name: web}}\n{policy}\n"
    )
    return mesh


def spoken(mesh: Mesh, client: ClientKind) -> Wire | None:
    """By what the client was sent."""
    if client == "plain":
        return "plaintext"
    source = mesh.source({"sidecar": "client", "gateway": "edge", "proxyless": "grpc"}[client])
    if client == "proxyless":
        resource = source.lookup(ResourceType.CLUSTER, CLUSTER)
        if resource is None:
            return None
        told = Cluster()
        assert AnyMessage.FromString(resource.body).Unpack(told)
        return "gRPC's mesh TLS" if told.HasField("transport_socket") else "plaintext"
    decoder = Decoder(source.lookup)
    cluster = decoder.cluster(CLUSTER)
    assert cluster is not None, list(source.names(ResourceType.CLUSTER))
    (candidate,) = candidates_of(decoder, cluster, HOST)
    match candidate.transport:
        case Mutual():
            return "mesh TLS"
        case Plain():
            return "plaintext"
        case _:
            return "TLS"


def received(mesh: Mesh, wire: Wire) -> Result:
    """By what the server was sent."""
    outcome = mesh.get("web", "http://web:9080/", via=Inbound(port=9080, carries=CARRIES[wire]))
    if isinstance(outcome.end, Refused):
        return "refused"
    if outcome.filter_chain.startswith("mesh"):
        # The chain demands a workload's certificate, which a DestinationRule's TLS does not show.
        return "mutual TLS" if wire != "TLS" else "refused"
    if outcome.filter_chain == "app-tls":
        return "program's TLS" if wire == "TLS" else "refused"
    return "plaintext"


@pytest.mark.parametrize(
    ("mode", "rule"), list(product(get_args(TlsMode), get_args(ClientRule))), ids=lambda word: str(word)
)
def test_what_proxies_are_sent_is_what_was_decided(mode: TlsMode, rule: ClientRule) -> None:
    mesh = mesh_of(mode, rule)
    for client in CLIENTS:
        decided = hop(client, rule, advertised_for(mode), mode)
        assert spoken(mesh, client) == decided.wire, client
        if decided.wire is not None:
            assert received(mesh, decided.wire) == decided.result, (client, decided)


def test_without_a_rule_nobody_of_the_mesh_is_refused_but_grpc_where_plaintext_may_come() -> None:
    clients: tuple[ClientKind, ...] = ("sidecar", "gateway", "proxyless")
    refused = {
        (client, mode)
        for client, mode in product(clients, get_args(ServerMode))
        if hop(client, "auto", fact_of(mode), mode).result == "refused"
    }
    assert refused == {("proxyless", "PERMISSIVE")}


def fact_of(mode: ServerMode) -> TlsFact:
    return "disabled" if mode == "NONE" else advertised_for(mode)
