"""Fakes for the xDS machines: a source to change at will, and an Envoy that behaves as 1.40 was seen to.

Pure like what they test. A fake resource's body is a real Any whose value is JSON: which resources it needs.
"""

import json
from collections.abc import Iterable, Iterator, Mapping

from google.protobuf import any_pb2

from proa.core.pilot.resource import ORDER, Resource, ResourceType
from proa.core.pilot.xds.delta_client import DeltaClient, Received
from proa.core.pilot.xds.order import WILDCARD_TYPES
from proa.core.pilot.xds.wire import encode_request

CLUSTER, ENDPOINT, SECRET = ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.SECRET
LISTENER, EXTENSION, ROUTE = ResourceType.LISTENER, ResourceType.EXTENSION, ResourceType.ROUTE
Needs = Mapping[ResourceType, Iterable[str]]
Key = tuple[ResourceType, str]


def fake_resource(kind: ResourceType, name: str, version: str, needs: Needs | None = None) -> Resource:
    """A cluster that needs ENDPOINT warms; a listener needs ROUTE and EXTENSION, a route needs CLUSTER."""
    value = json.dumps({key.name: sorted(names) for key, names in (needs or {}).items()}).encode()
    body = any_pb2.Any(type_url=kind.url, value=value).SerializeToString()
    return Resource(type=kind, name=name, body=body, digest=version)


def needs_of(resource: Resource) -> dict[ResourceType, frozenset[str]]:
    value: dict[str, list[str]] = json.loads(any_pb2.Any.FromString(resource.body).value)
    return {ResourceType[key]: frozenset(names) for key, names in value.items()}


class FakeSource:
    """A `ResourceSource` over a dict. `set` and `remove` return the key to offer."""

    def __init__(self, *resources: Resource) -> None:
        self.content: dict[ResourceType, dict[str, Resource]] = {kind: {} for kind in ORDER}
        self.is_complete = True
        for resource in resources:
            self.set(resource)

    def set(self, resource: Resource) -> Key:
        self.content[resource.type][resource.name] = resource
        return resource.type, resource.name

    def remove(self, kind: ResourceType, name: str) -> Key:
        self.content[kind].pop(name, None)
        return kind, name

    def versions(self, kind: ResourceType) -> dict[str, str]:
        return {name: resource.digest for name, resource in self.content[kind].items()}

    def lookup(self, kind: ResourceType, name: str) -> Resource | None:
        return self.content[kind].get(name)

    def names(self, kind: ResourceType) -> Iterable[str]:
        return tuple(self.content[kind])

    def knows(self, kind: ResourceType, name: str) -> bool:
        return self.is_complete or name in self.content[kind]

    def knows_all(self, kind: ResourceType) -> bool:
        return self.is_complete


class FakeEnvoy:
    """Envoy's side of one delta ADS stream. Every method returns the requests it writes.

    As Envoy: endpoints are subscribed before CDS is answered; once up, CDS is not answered while a cluster warms;
    LDS is asked for when the first clusters are warm; LDS is ACKed at once. `refuses` holds (type, name, version);
    `applies_parts` keeps the good part of a refused CDS or LDS response, unrecorded, as Envoy does.
    `faults` lists what make-before-break forbids: a route used before its cluster, a cluster gone before its route. A
    cluster that changes warms beside the one before it, which serves until then.
    """

    def __init__(
        self, refuses: Iterable[tuple[ResourceType, str, str]] = (), *, applies_parts: bool = True
    ) -> None:
        self.refuses = set(refuses)
        self.applies_parts = applies_parts
        self.content: dict[ResourceType, dict[str, Resource]] = {kind: {} for kind in ORDER}
        self.warming: set[str] = set()
        self._serving: set[str] = set()
        self.faults: list[str] = []
        self.is_up = False
        self.received: list[Received] = []
        self._client = DeltaClient()
        self._wanted: dict[ResourceType, set[str]] = {kind: set() for kind in ORDER}
        self._versions: dict[ResourceType, dict[str, str]] = {kind: {} for kind in ORDER}
        self._withheld: list[bytes] = []
        self._asked: set[ResourceType] = set()

    def connect(self) -> list[bytes]:
        self._withheld.clear()
        self._asked.clear()
        requests: list[bytes] = []
        if not (self.is_up and self.warming):
            requests += self._ask(CLUSTER)
        for kind in (ENDPOINT, SECRET, LISTENER, EXTENSION, ROUTE):
            if self._wanted[kind] or (kind is LISTENER and self.is_up):
                requests += self._ask(kind)
        return requests

    def take(self, response: bytes) -> list[bytes]:
        received = self._client.receive(response)
        self.received.append(received)
        bad = [r for r in received.changed if (r.type, r.name, r.digest) in self.refuses]
        requests: list[bytes] = []
        if not bad or self.applies_parts:
            good = [resource for resource in received.changed if resource not in bad]
            requests += self._apply(received.type, good, received.removed)
        if bad:
            # A refused answer ends warming too: "We need to allow server startup to continue".
            for resource in bad:
                if resource.type is ENDPOINT:
                    self._warmed(resource.name)
            error = "Error adding/updating: " + ", ".join(f"{r.name}: refused" for r in bad)
            answer = encode_request(received.type, nonce=received.nonce, error=error)
        else:
            known = self._versions[received.type]
            known.update(
                {
                    resource.name: resource.digest
                    for resource in received.changed
                    if received.type in WILDCARD_TYPES or resource.name in self._wanted[received.type]
                }
            )
            for name in received.removed:
                known.pop(name, None)
            answer = encode_request(received.type, nonce=received.nonce)
        if received.type is CLUSTER and self.is_up and self.warming:
            self._withheld.append(answer)
            return requests
        requests.append(answer)
        return [*requests, *self._wake()]

    def _wake(self) -> Iterator[bytes]:
        if self.warming or (CLUSTER not in self._asked and not self.is_up):
            return
        if CLUSTER not in self._asked:
            yield from self._ask(CLUSTER)
        yield from self._withheld
        self._withheld.clear()
        if not self.is_up and self._heard(CLUSTER):
            self.is_up = True
            yield from self._ask(LISTENER)

    def _heard(self, kind: ResourceType) -> bool:
        return any(received.type is kind for received in self.received)

    def _ask(self, kind: ResourceType) -> list[bytes]:
        self._asked.add(kind)
        names = self._wanted[kind]
        known = self._versions[kind]
        if kind not in (CLUSTER, LISTENER):
            known = {name: version for name, version in known.items() if name in names}
        return [encode_request(kind, subscribe=sorted(names), initial=known)]

    def _apply(self, kind: ResourceType, good: list[Resource], removed: tuple[str, ...]) -> list[bytes]:
        rows = self.content[kind]
        for resource in good:
            if kind not in WILDCARD_TYPES and resource.name not in self._wanted[kind]:
                continue  # it was on its way when the subscription ended
            is_same = rows.get(resource.name) == resource
            rows[resource.name] = resource
            if kind is CLUSTER and ENDPOINT not in needs_of(resource):
                self._warmed(resource.name)
            elif kind is CLUSTER and not is_same:
                self.warming.add(resource.name)
            if kind is ENDPOINT:
                self._warmed(resource.name)
            self._check_route(resource)
        for name in removed:
            rows.pop(name, None)
            self.warming.discard(name)
            if kind is CLUSTER:
                self._serving.discard(name)
                self._check_removal(name)
        match kind:
            case ResourceType.CLUSTER:
                return self._follow(ENDPOINT, {n for n, r in rows.items() if ENDPOINT in needs_of(r)})
            case ResourceType.LISTENER:
                every = [needs_of(resource) for resource in rows.values()]
                return [
                    request
                    for needed in (EXTENSION, ROUTE)
                    for request in self._follow(needed, {n for needs in every for n in needs.get(needed, ())})
                ]
        return []

    def _warmed(self, cluster: str) -> None:
        self.warming.discard(cluster)
        if cluster in self.content[CLUSTER]:
            self._serving.add(cluster)

    def _follow(self, kind: ResourceType, names: set[str]) -> list[bytes]:
        """Subscriptions follow what the content names."""
        new, gone = names - self._wanted[kind], self._wanted[kind] - names
        self._wanted[kind] = names
        for name in gone:
            self.content[kind].pop(name, None)
            self._versions[kind].pop(name, None)
        if not (new or gone):
            return []
        if kind not in self._asked:
            return self._ask(kind)
        return [encode_request(kind, subscribe=sorted(new), unsubscribe=sorted(gone))]

    def _check_route(self, resource: Resource) -> None:
        if resource.type is ROUTE:
            for name in needs_of(resource).get(CLUSTER, ()):
                if name not in self._serving:
                    self.faults.append(f"route {resource.name} {resource.digest} came before cluster {name}")

    def _check_removal(self, cluster: str) -> None:
        for route in self.content[ROUTE].values():
            if cluster in needs_of(route).get(CLUSTER, ()):
                self.faults.append(f"cluster {cluster} left before route {route.name} {route.digest}")
