"""How each registered port comes from one TLS mode to the next without a moment at which its two ends disagree.

A step is taken when the last one has arrived: at the port's own proxy, and at every proxy that may call it, those of
other control planes included.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from proa.control_plane.proxies import Proxies
from proa.control_plane.world import World
from proa.core.auth.peer_policy import PortTls, advance, aim, mode_of, settled
from proa.core.config.config import Config
from proa.core.model.names import WorkloadId
from proa.core.model.workload import TlsMode
from proa.core.pilot.resource import ResourceType
from proa.core.sidecar.session import RegisteredPort, Registration

PortKey = tuple[WorkloadId, int]
"""A workload and one of its service ports."""


class Peers(Protocol):
    """What is asked of the other control planes of the mesh."""

    def serve(self, node: str) -> bool:
        """Whether the node's proxies are connected to another control plane."""

    def have_taken(self, key: PortKey, port: PortTls) -> bool:
        """Whether every proxy of the others has taken that step of a port's mode, or a later one."""


class NoPeers:
    """The only control plane of its mesh."""

    def serve(self, node: str) -> bool:
        return False

    def have_taken(self, key: PortKey, port: PortTls) -> bool:
        return True


class PortModes:
    """Owner of where each port's mode stands. `accepted` is read as it changes: the workloads that have their place.
    Whoever steps or aims publishes what moved, and then says so by `moved`."""

    def __init__(self, world: World, proxies: Proxies, accepted: Mapping[WorkloadId, Registration]) -> None:
        self._world = world
        self._proxies = proxies
        self._accepted = accepted
        self._ports: dict[PortKey, PortTls] = {}
        self._numbers: dict[WorkloadId, frozenset[int]] = {}
        self._moving: dict[PortKey, int] = {}
        self.peers: Peers = NoPeers()
        self.policies: tuple[Config, ...] = ()

    def of(self, workload: WorkloadId, port: int) -> PortTls | None:
        """Where a port's mode stands, None for a port that nobody registered."""
        return self._ports.get((workload, port))

    def of_registration(self, registration: Registration) -> dict[int, PortTls]:
        """Of all its service ports, after `aim_at`."""
        return {
            port.service_port: self._ports[(registration.id, port.service_port)]
            for port in registration.ports
        }

    @property
    def is_moving(self) -> bool:
        """Whether a change of a mode is still on its way: the ports' last step is not in force. A port whose proxy
        refuses a step stays where it is; that is a refusal to be shown, and nothing to wait for."""
        return any(
            not (self._ports[key].is_settled and self._has_arrived(key[0], moved_at))
            and not self._is_refused(key[0], moved_at)
            for key, moved_at in self._moving.items()
        )

    def moving(self) -> Iterator[tuple[PortKey, PortTls, bool]]:
        """The ports whose mode is on its way, where they stand, and whether all our proxies have taken that."""
        has_arrived = self._arrivals()
        for key, moved_at in self._moving.items():
            yield key, self._ports[key], has_arrived(moved_at) and not self._is_refused(key[0], moved_at)

    def aim_at(self, workload: WorkloadId) -> set[PortKey]:
        """Set course for the modes that hold for a workload now; the ports whose mode was another one."""
        registration = self._accepted.get(workload)
        numbers = {port.service_port for port in registration.ports} if registration else set()
        for number in self._numbers.pop(workload, frozenset()) - numbers:
            del self._ports[(workload, number)]
            self._moving.pop((workload, number), None)
        if numbers:
            self._numbers[workload] = frozenset(numbers)
        aimed: set[PortKey] = set()
        for port in registration.ports if registration else ():
            key = (workload, port.service_port)
            target = self._mode(registration, port) if registration else "STRICT"
            known = self._ports.get(key)
            if known is None:
                self._ports[key] = settled(target)
            elif known.target != target:
                self._ports[key] = aim(known, target)
                aimed.add(key)
        return aimed

    def _mode(self, registration: Registration, port: RegisteredPort) -> TlsMode:
        return mode_of(
            self.policies,
            namespace=registration.id.namespace,
            labels=registration.labels,
            ports=(port.app_port, port.service_port),
            root_namespace=self._world.snapshot.settings.root_namespace,
        )

    def moved(self, key: PortKey, *, is_submitted: bool) -> None:
        """A port is waited for: until the next round has arrived, which folds what was submitted of it, or the one it
        was waited for already."""
        now = self._world.generation
        self._moving[key] = now + 1 if is_submitted else self._moving.get(key, now)

    def step(self) -> set[PortKey]:
        """One step of each port that can; those that did."""
        stepped: set[PortKey] = set()
        has_arrived = self._arrivals()
        for key, moved_at in list(self._moving.items()):
            port = self._ports[key]
            has_server = self._has_arrived(key[0], moved_at) and not self._is_refused(key[0], moved_at)
            if port.is_settled:
                if has_server:
                    del self._moving[key]
                continue
            if not self.peers.have_taken(key, port):
                continue
            following = advance(port, server_acked=has_server, clients_acked=has_arrived(moved_at))
            if following != port:
                self._ports[key] = following
                stepped.add(key)
        return stepped

    @property
    def awaits(self) -> bool:
        """Whether any port is waited for, a refused one included."""
        return bool(self._moving)

    def _arrivals(self) -> Callable[[int], bool]:
        """Whether every workload's proxy has judged a generation, asked once for each."""
        heard: dict[int, bool] = {}

        def has_arrived(generation: int) -> bool:
            if generation not in heard:
                heard[generation] = all(self._has_arrived(each, generation) for each in self._accepted)
            return heard[generation]

        return has_arrived

    def _has_arrived(self, workload: WorkloadId, generation: int) -> bool:
        """Whether a workload's proxy has judged a generation. One whose line is broken goes on as it was told last:
        it counts as soon as it is back or its lease is over."""
        registration = self._accepted.get(workload)
        if registration is not None and self.peers.serve(registration.node):
            return self._world.generation >= generation  # they answer for its proxy: `have_taken`
        stream = self._proxies.stream_of(workload)
        return self._world.generation >= generation and stream is not None and stream.has_taken(generation)

    def _is_refused(self, workload: WorkloadId, generation: int) -> bool:
        stream = self._proxies.stream_of(workload)
        return stream is not None and any(
            refusal.type is ResourceType.LISTENER and refusal.generation >= generation
            for refusal in stream.refusals()
        )
