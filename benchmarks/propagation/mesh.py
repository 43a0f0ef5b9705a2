"""The mesh of B9: who registers what. Pure.

A service that flips (ten replicas on one node of its own, so that a change is one short message), `services` more
of five replicas each, and M proxies, 25 to a node, that see all of them and serve nothing.
"""

from typing import Final

import msgspec
from immutables import Map

from proa.core.model.names import WorkloadId, cluster_name, service_hostname
from proa.core.sidecar.session import Health, RegisteredPort, Registration
from proa.node.credentials import Credential

PER_NODE: Final = 25
PORT: Final = 8080
REPLICAS: Final = 5
FLIPPING_REPLICAS: Final = 10
FLIPPING: Final = cluster_name("outbound", PORT, "", service_hostname("flipping", "default"))
FLIPPER: Final = "flipper"


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    credential: Credential
    workloads: tuple[Registration, ...]


class SwarmSpec(msgspec.Struct, frozen=True, kw_only=True):
    nodes: tuple[NodeSpec, ...]

    @staticmethod
    def dec_hook(kind: type, value: object) -> object:
        """Registrations hold maps of a foreign type."""
        return Map(msgspec.convert(value, dict[str, str]))

    @staticmethod
    def enc_hook(value: object) -> object:
        if isinstance(value, Map):
            return dict(value)
        raise NotImplementedError


def flipping_workloads(number: int) -> tuple[Registration, ...]:
    """Change `number` (from 1): the first replica's health is the other one, and its weight tells the number."""
    health: Health = "HEALTHY" if number % 2 else "UNHEALTHY"
    first = _replica(FLIPPER, "flipping", 0, health=health, weight=number)
    return (first, *(_replica(FLIPPER, "flipping", each) for each in range(1, FLIPPING_REPLICAS)))


def serving_nodes(services: int) -> dict[str, tuple[Registration, ...]]:
    """Node -> its workloads, for the services that stand still."""
    every = [(f"service-{number}", replica) for number in range(services) for replica in range(REPLICAS)]
    nodes: dict[str, tuple[Registration, ...]] = {}
    for start in range(0, len(every), PER_NODE):
        node = f"serving-{start // PER_NODE}"
        nodes[node] = tuple(_replica(node, *each) for each in every[start : start + PER_NODE])
    return nodes


def client_nodes(proxies: int) -> dict[str, tuple[Registration, ...]]:
    nodes: dict[str, tuple[Registration, ...]] = {}
    for start in range(0, proxies, PER_NODE):
        node = f"client-{start // PER_NODE}"
        nodes[node] = tuple(_client(node, each) for each in range(start, min(start + PER_NODE, proxies)))
    return nodes


def _client(node: str, number: int) -> Registration:
    return Registration(
        id=WorkloadId("default", f"client-{number}"),
        node=node,
        account="client",
        address="127.0.0.1",
        outbound_port=10_000 + number,
        capture="explicit",
    )


def _replica(
    node: str, service: str, number: int, *, health: Health = "HEALTHY", weight: int = 1
) -> Registration:
    port = RegisteredPort(
        service=service,
        service_port=PORT,
        name="http",
        protocol="HTTP",
        app_port=PORT,
        sidecar_port=20_000 + number,
        health=health,
    )
    return Registration(
        id=WorkloadId("default", f"{service}-{number}"),
        node=node,
        account=service,
        address="10.0.0.1",
        ports=(port,),
        weight=weight,
    )
