"""The meshes the swarm is put on: who registers what. Pure.

A service that flips (ten replicas on one node of its own, so that a change is one short message), `services` more
of five replicas each, and M proxies, 25 to a node, that see all of them and serve nothing.

Changes are numbered from 1 and tell their number by a weight. With several services that change in turn (`Churn`) a
service's weight counts its own changes, and its place in the row gives the rest.
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


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """A mesh's size: M proxies, the services beside the flipping one, endpoints of each."""

    proxies: int
    services: int
    replicas: int = REPLICAS

    @property
    def visible(self) -> int:
        """Endpoint sets that each proxy has when it has all."""
        return self.services + 1


class NodeSpec(msgspec.Struct, frozen=True, kw_only=True):
    credential: Credential
    workloads: tuple[Registration, ...]


class SwarmSpec(msgspec.Struct, frozen=True, kw_only=True):
    """`flipping`: the endpoint sets that change, in the order in which they do; every `sampled`-th proxy notes when
    changes come, the others only that they came."""

    nodes: tuple[NodeSpec, ...]
    flipping: tuple[str, ...] = (FLIPPING,)
    sampled: int = 1

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


def serving_nodes(services: int, replicas: int = REPLICAS) -> dict[str, tuple[Registration, ...]]:
    """Node -> its workloads, for the services that stand still."""
    every = [(service_name(number), replica) for number in range(services) for replica in range(replicas)]
    # Nodes are large where there are many endpoints: joining is not what is measured.
    per_node = max(PER_NODE, len(every) // 100)
    nodes: dict[str, tuple[Registration, ...]] = {}
    for start in range(0, len(every), per_node):
        node = f"serving-{start // per_node}"
        nodes[node] = tuple(_replica(node, *each) for each in every[start : start + per_node])
    return nodes


def service_name(number: int) -> str:
    return f"service-{number}"


def client_nodes(proxies: int, first: int = 0) -> dict[str, tuple[Registration, ...]]:
    """Nodes for the proxies from `first` (a multiple of 25) on, below `proxies`."""
    nodes: dict[str, tuple[Registration, ...]] = {}
    for start in range(first, proxies, PER_NODE):
        node = f"client-{start // PER_NODE}"
        nodes[node] = tuple(_client(node, each) for each in range(start, min(start + PER_NODE, proxies)))
    return nodes


class Churn:
    """The services of `serving_nodes` changing in turn, one endpoint each: change k is the next one of service
    (k - 1) modulo their number. The first round of changes is the state in which they are registered."""

    def __init__(self, services: int) -> None:
        self.flipping = tuple(cluster_of(service_name(number)) for number in range(services))
        self.number = services
        self._nodes = {node: list(each) for node, each in serving_nodes(services).items()}
        self._places = {
            registration.ports[0].service: (node, place)
            for node, registrations in self._nodes.items()
            for place, registration in reversed(list(enumerate(registrations)))
        }

    def next(self) -> tuple[str, tuple[Registration, ...]]:
        """The node that speaks, and all it says."""
        self.number += 1
        round_before, index = divmod(self.number - 1, len(self.flipping))
        name = service_name(index)
        node, place = self._places[name]
        health: Health = "UNHEALTHY" if round_before % 2 else "HEALTHY"
        self._nodes[node][place] = _replica(node, name, 0, health=health, weight=round_before + 1)
        return node, tuple(self._nodes[node])


def change_of(index: int, weight: int, services: int) -> int:
    """The number of the change that gave the service at `index` in a row of `services` this weight."""
    return (weight - 1) * services + index + 1


def weight_at(number: int, index: int, services: int) -> int:
    """The weight that service has after change `number`."""
    return (number - index - 1) // services + 1


def cluster_of(service: str) -> str:
    """What proxies call the endpoint set of a service."""
    return cluster_name("outbound", PORT, "", service_hostname(service, "default"))


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
