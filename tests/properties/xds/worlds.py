"""Small consistent meshes, and the wires between a control plane, perhaps a relay, and an Envoy."""

from collections import deque
from collections.abc import Iterable

import hypothesis.strategies as st
import msgspec

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Actions, Rejected, Send
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.sidecar.relay import Down, RelayActions, RelayTable, Up
from proa.testing.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, FakeEnvoy, FakeSource, fake_resource

CLUSTERS = ("c1", "c2", "c3")
ROUTES = ("r1", "r2")
LISTENERS = ("l1", "l2")


class World(msgspec.Struct, frozen=True, kw_only=True):
    """cluster -> (its version, its endpoints' version); route -> clusters; listener -> routes."""

    clusters: dict[str, tuple[str, str]]
    routes: dict[str, tuple[str, ...]]
    listeners: dict[str, tuple[str, ...]]

    def resources(self) -> list[Resource]:
        """Versions follow from content, as digests do."""
        made = []
        for name, (version, endpoints) in self.clusters.items():
            made.append(fake_resource(CLUSTER, name, version, {ENDPOINT: [name]}))
            made.append(fake_resource(ENDPOINT, name, endpoints))
        for name, clusters in self.routes.items():
            made.append(fake_resource(ROUTE, name, "to " + "+".join(clusters), {CLUSTER: clusters}))
        for name, routes in self.listeners.items():
            made.append(fake_resource(LISTENER, name, "by " + "+".join(routes), {ROUTE: routes}))
        return made


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Dense rather than small: what breaks the order is a used route that changes its clusters."""
    versions = st.tuples(st.sampled_from("12"), st.sampled_from("xyz"))
    clusters = {name: draw(versions) for name in CLUSTERS if draw(st.booleans())}
    routes = {
        name: tuple(cluster for cluster in clusters if draw(st.booleans()))
        for name in ROUTES
        if draw(st.integers(0, 3))
    }
    listeners = {
        name: tuple(route for route in routes if draw(st.integers(0, 3)))
        for name in LISTENERS
        if draw(st.integers(0, 3))
    }
    return World(clusters=clusters, routes=routes, listeners=listeners)


def replace(source: FakeSource, world: World) -> list[tuple[ResourceType, str]]:
    """Change the source to hold exactly this world; what to offer."""
    wanted = {(resource.type, resource.name): resource for resource in world.resources()}
    gone = [
        (kind, name) for kind, rows in source.content.items() for name in rows if (kind, name) not in wanted
    ]
    changed = [r for key, r in wanted.items() if source.lookup(*key) != r]
    return [*(source.remove(*key) for key in gone), *(source.set(resource) for resource in changed)]


class Mesh:
    """Four wires with one message delivered at a time. Without a relay the two machines face each other."""

    def __init__(
        self, *, refuses: Iterable[tuple[ResourceType, str, str]], relayed: bool, parts: bool
    ) -> None:
        self.source = FakeSource()
        self.envoy = FakeEnvoy(refuses, applies_parts=parts)
        self.relay = RelayTable() if relayed else None
        self.server_in: deque[bytes] = deque()
        self.relay_from_above: deque[bytes] = deque()
        self.relay_from_below: deque[bytes] = deque()
        self.envoy_in: deque[bytes] = deque()
        self.rejected: list[Rejected] = []
        self.connect_above()
        self.connect_below()

    def connect_above(self) -> None:
        self.server = DeltaServer(self.source)
        self.server_in.clear()
        self.relay_from_above.clear()
        if self.relay is None:
            self.envoy_in.clear()
            self.server_in.extend(self.envoy.connect())
        else:
            self._relayed(self.relay.up_lost())
            self._relayed(self.relay.up_connected())

    def connect_below(self) -> None:
        if self.relay is None:
            return
        self.envoy_in.clear()
        self.relay_from_below.clear()
        self._relayed(self.relay.down_lost())
        self._relayed(self.relay.down_connected())
        self.relay_from_below.extend(self.envoy.connect())

    def offer(self, world: World) -> None:
        self._served(self.server.offer(replace(self.source, world)))

    def _served(self, actions: Actions) -> None:
        for action in actions:
            if isinstance(action, Send):
                (self.envoy_in if self.relay is None else self.relay_from_above).append(action.body)
            if isinstance(action, Rejected):
                self.rejected.append(action)

    def _relayed(self, actions: RelayActions) -> None:
        for action in actions:
            match action:
                case Up():
                    self.server_in.append(action.body)
                case Down():
                    self.envoy_in.append(action.body)

    def step(self, choice: int) -> bool:
        """Deliver the first message of one busy wire; False when all are quiet."""
        wires = [
            w for w in (self.server_in, self.relay_from_above, self.relay_from_below, self.envoy_in) if w
        ]
        if not wires:
            return False
        wire = wires[choice % len(wires)]
        body = wire.popleft()
        if wire is self.server_in:
            self._served(self.server.receive(body))
        elif wire is self.envoy_in:
            (self.server_in if self.relay is None else self.relay_from_below).extend(self.envoy.take(body))
        elif self.relay is not None:
            take = self.relay.up_received if wire is self.relay_from_above else self.relay.down_received
            self._relayed(take(body))
        return True

    def _fall_quiet(self) -> bool:
        """No wire carries anything: the relay's clock says so. Whether there is something to deliver now."""
        if self.relay is not None:
            self._relayed(self.relay.down_quiet())
        return bool(self.server_in)

    def run(self, steps: list[int] | None) -> None:
        if steps is None:
            self.settle()
            return
        for choice in steps:
            self.step(choice)

    def settle(self) -> None:
        for _ in range(5000):
            if not self.step(0) and not self._fall_quiet():
                return
        raise AssertionError("the exchange never ends")
