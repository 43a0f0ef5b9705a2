"""Our side of B8: the world, its bundles and a stream's protocol machine, without a socket."""

from benchmarks.generation.facts import PORT, PROXIES, ServiceFacts, clients, told
from proa.control_plane.world import World
from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.actions import Actions, Send
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.wire import Pieces, decode_response, encode_request

CLUSTER, ENDPOINT = ResourceType.CLUSTER, ResourceType.ENDPOINT
LISTENER, ROUTE = ResourceType.LISTENER, ResourceType.ROUTE
ROUTES = ("http_proxy", str(PORT))


class Ours:
    """One world. `names`: what the last stream was sent."""

    def __init__(self) -> None:
        self.world = World(MeshSettings(), clock=lambda: 0.0)
        self.names: set[str] = set()
        self._pieces = Pieces()
        self._streams: dict[WorkloadId, DeltaServer] = {}
        self.world.subscribe(
            lambda generation, affected, scopes, workloads: self._offered.update(*scopes.values())
        )
        self._offered: set[tuple[ResourceType, str]] = set()

    @staticmethod
    def prepared(services: tuple[ServiceFacts, ...]) -> tuple[Change, ...]:
        """Loaded, and not yet known to any world."""
        return told(services), clients()

    def generate(self, changes: tuple[Change, ...], proxy: WorkloadId = PROXIES[0]) -> int:
        """Take the changes in and serve a proxy that is new; the bytes it is sent."""
        self.world.fold_in(changes)
        server = DeltaServer(self.world.source_for(proxy), encode=self._pieces.encode)
        self._streams[proxy] = server
        self.names.clear()
        sent = self._exchange(server, server.receive(encode_request(CLUSTER)))
        endpoints = [name for name in self.names if name.startswith("outbound|")]
        sent += self._exchange(server, server.receive(encode_request(ENDPOINT, subscribe=endpoints)))
        sent += self._exchange(server, server.receive(encode_request(LISTENER)))
        return sent + self._exchange(server, server.receive(encode_request(ROUTE, subscribe=ROUTES)))

    def change(self, change: Change, proxy: WorkloadId = PROXIES[0]) -> int:
        """Take one change in and offer it to a proxy that is there; the bytes it is sent."""
        self._offered.clear()
        self.names.clear()
        self.world.fold_in([change])
        server = self._streams[proxy]
        return self._exchange(server, server.offer(self._offered))

    def _exchange(self, server: DeltaServer, actions: Actions) -> int:
        """ACK everything. Reading the answers is the proxy's work; only their nonces are looked for here."""
        sent, waiting = 0, list(actions)
        while waiting:
            action = waiting.pop()
            if isinstance(action, Send):
                sent += len(action.body)
                kind, nonce = self._read(action.body)
                waiting += server.receive(encode_request(kind, nonce=nonce))
        return sent

    def _read(self, body: bytes) -> tuple[ResourceType, str]:
        response = decode_response(body)
        self.names.update(each.name for each in response.changed)
        return response.type, response.nonce
