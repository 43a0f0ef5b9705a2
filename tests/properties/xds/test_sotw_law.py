"""A client of whole states and a client of differences, fed by the same source in whatever order, end alike."""

import json
from collections import deque

import hypothesis.strategies as st
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proa.core.pilot.resource import ORDER, Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Actions, Close, Rejected, Send
from proa.core.pilot.xds.delta_client import DeltaClient
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.order import WILDCARD_TYPES
from proa.core.pilot.xds.sotw_server import SotwServer
from proa.core.pilot.xds.sotw_wire import decode_sotw_response, encode_sotw_request
from proa.testing.xds import FakeSource

KINDS = st.sampled_from(ORDER)
NAMES = st.sampled_from(["a", "b", "ab", "c"])
VERSIONS = st.sampled_from(["1", "2", "3"])
BAD = st.frozensets(st.tuples(KINDS, NAMES, VERSIONS), max_size=8)
CHANGES = st.lists(st.tuples(KINDS, NAMES, st.none() | VERSIONS), min_size=1, max_size=6)
Bad = frozenset[tuple[ResourceType, str, str]]


def made(kind: ResourceType, name: str, version: str) -> Resource:
    body = AnyMessage(type_url=kind.url, value=json.dumps([name, version]).encode()).SerializeToString()
    return Resource(type=kind, name=name, body=body, digest=version)


class SotwClient:
    """Takes a response whole or not at all, and answers it with its wishes. Of whole types what is left out is gone."""

    def __init__(self) -> None:
        self.content: dict[ResourceType, dict[str, str]] = {kind: {} for kind in ORDER}
        self.names: dict[ResourceType, tuple[str, ...]] = dict.fromkeys(ORDER, ())
        self.nonces: dict[ResourceType, str] = {}

    def connect(self) -> list[bytes]:
        self.nonces.clear()
        return [encode_sotw_request(kind, names) for kind, names in self.names.items() if names]

    def wish(self, kind: ResourceType, names: tuple[str, ...]) -> list[bytes]:
        if names == self.names[kind]:
            return []
        self.names[kind] = names
        self._forget(kind)
        return [encode_sotw_request(kind, names, nonce=self.nonces.get(kind, ""))]

    def take(self, body: bytes, bad: Bad) -> list[bytes]:
        response = decode_sotw_response(body)
        kind = response.type
        self.nonces[kind] = response.nonce
        new = dict(json.loads(AnyMessage.FromString(each).value) for each in response.bodies)
        guilty = [name for name, version in new.items() if (kind, name, version) in bad]
        error = f"refused: {guilty[0]}" if guilty else None
        if not guilty:
            self.content[kind] = new if kind in WILDCARD_TYPES else {**self.content[kind], **new}
            self._forget(kind)
        return [encode_sotw_request(kind, self.names[kind], nonce=response.nonce, error=error)]

    def wants(self, kind: ResourceType, name: str) -> bool:
        return name in self.names[kind] or (kind in WILDCARD_TYPES and "*" in self.names[kind])

    def _forget(self, kind: ResourceType) -> None:
        self.content[kind] = {n: v for n, v in self.content[kind].items() if self.wants(kind, n)}


class BothAlike(RuleBasedStateMachine):
    """Each client has two wires of its own; the same wishes, the same changes, any order of delivery."""

    def __init__(self) -> None:
        super().__init__()
        self.source = FakeSource()
        self.sotw, self.delta = SotwClient(), DeltaClient()
        self.delta_content: dict[ResourceType, dict[str, str]] = {kind: {} for kind in ORDER}
        self.bad: Bad = frozenset()
        self.blamed: set[tuple[ResourceType, str, str]] = set()
        self.connect()

    def connect(self) -> None:
        self.sotw_server = SotwServer(self.source)
        self.delta_server = DeltaServer(self.source)
        self.up = {"sotw": deque(self.sotw.connect()), "delta": deque(self.delta.start())}
        self.down: dict[str, deque[bytes]] = {"sotw": deque(), "delta": deque()}

    def obey(self, wire: str, actions: Actions) -> None:
        for action in actions:
            match action:
                case Send():
                    self.down[wire].append(action.body)
                case Rejected():
                    self.blamed.add((action.type, action.name, action.version))
                case Acked() if wire == "sotw" and action.version:
                    assert (action.type, action.name, action.version) not in self.bad
                case Close():
                    raise AssertionError(action.reason)

    @rule(bad=BAD)
    @precondition(lambda self: not self.bad)
    def choose_bad(self, bad: Bad) -> None:
        held = {
            (kind, name, version)
            for content in (self.sotw.content, self.delta_content)
            for kind, rows in content.items()
            for name, version in rows.items()
        }
        self.bad = bad - held

    @rule(changes=CHANGES)
    def change(self, changes: list[tuple[ResourceType, str, str | None]]) -> None:
        keys = [
            self.source.remove(kind, name) if version is None else self.source.set(made(kind, name, version))
            for kind, name, version in changes
        ]
        self.obey("sotw", self.sotw_server.offer(keys))
        self.obey("delta", self.delta_server.offer(keys))

    @rule(kind=KINDS, names=st.lists(NAMES, max_size=3, unique=True), wildcard=st.booleans())
    def wish(self, kind: ResourceType, names: list[str], wildcard: bool) -> None:
        is_wild = wildcard and kind in WILDCARD_TYPES
        self.up["sotw"].extend(self.sotw.wish(kind, (*(("*",) if is_wild else ()), *names)))
        gone = [name for name in self.delta.names(kind) if name not in names]
        self.up["delta"].extend(self.delta.unsubscribe(kind, gone, wildcard=not is_wild))
        self.up["delta"].extend(self.delta.subscribe(kind, names, wildcard=is_wild))
        self.forget_unwanted(kind)

    @rule(wire=st.sampled_from(["sotw", "delta"]))
    def deliver_request(self, wire: str) -> None:
        if self.up[wire]:
            server = self.sotw_server if wire == "sotw" else self.delta_server
            self.obey(wire, server.receive(self.up[wire].popleft()))

    @rule()
    @precondition(lambda self: self.down["sotw"])
    def deliver_state(self) -> None:
        self.up["sotw"].extend(self.sotw.take(self.down["sotw"].popleft(), self.bad))

    @rule()
    @precondition(lambda self: self.down["delta"])
    def deliver_difference(self) -> None:
        received = self.delta.receive(self.down["delta"].popleft())
        guilty = [r.name for r in received.changed if (r.type, r.name, r.digest) in self.bad]
        if guilty:
            self.up["delta"].extend(self.delta.nack(received.nonce, f"refused: {guilty[0]}"))
            return
        rows = self.delta_content[received.type]
        rows.update({r.name: r.digest for r in received.changed})
        for name in received.removed:
            rows.pop(name, None)
        self.forget_unwanted(received.type)
        self.up["delta"].extend(self.delta.ack(received.nonce))

    @rule()
    def reconnect(self) -> None:
        self.connect()

    @rule(kind=KINDS)
    def lose_patience(self, kind: ResourceType) -> None:
        self.obey("sotw", self.sotw_server.overdue(kind))

    def forget_unwanted(self, kind: ResourceType) -> None:
        rows = self.delta_content[kind]
        self.delta_content[kind] = {n: v for n, v in rows.items() if self.delta.wants(kind, n)}

    @invariant()
    def only_the_guilty_are_blamed(self) -> None:
        assert self.blamed <= self.bad

    def teardown(self) -> None:
        for _ in range(2000):
            if self.down["sotw"]:
                self.deliver_state()
            elif self.down["delta"]:
                self.deliver_difference()
            elif self.up["sotw"]:
                self.deliver_request("sotw")
            elif self.up["delta"]:
                self.deliver_request("delta")
            else:
                break
        assert not [*self.up["sotw"], *self.down["sotw"]], "the exchange never ends"
        assert self.sotw_server.is_settled, self.sotw_server.pending()
        for kind in ORDER:
            rows, there = self.sotw.content[kind], self.source.versions(kind)
            wanted = {n: v for n, v in there.items() if self.sotw.wants(kind, n)}
            for name, version in wanted.items():
                if (kind, name, version) not in self.bad:
                    assert rows.get(name) == version == self.delta_content[kind].get(name)
                else:
                    assert rows.get(name) != version
            if kind in WILDCARD_TYPES:
                assert rows.keys() <= wanted.keys()


TestBothAlike = BothAlike.TestCase
TestBothAlike.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
