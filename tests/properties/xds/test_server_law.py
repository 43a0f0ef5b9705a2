"""Whatever happens in whatever order, an honest client ends with the source's content, and nothing is left over."""

from collections import deque

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proa.core.pilot.resource import ORDER, ResourceType
from proa.core.pilot.xds.actions import Acked, Actions, Close, Rejected, Send
from proa.core.pilot.xds.delta_client import DeltaClient, Received
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.core.pilot.xds.order import WILDCARD_TYPES
from proa.testing.xds import FakeSource, fake_resource

KINDS = st.sampled_from(ORDER)
NAMES = st.sampled_from(["a", "b", "ab", "c"])
VERSIONS = st.sampled_from(["1", "2", "3"])
BAD = st.frozensets(st.tuples(KINDS, NAMES, VERSIONS), max_size=8)
CHANGES = st.lists(st.tuples(KINDS, NAMES, st.none() | VERSIONS), min_size=1, max_size=6)


class AnyInterleaving(RuleBasedStateMachine):
    """Requests and responses lie on two wires and are delivered one by one, when hypothesis says so."""

    def __init__(self) -> None:
        super().__init__()
        self.source = FakeSource()
        self.client = DeltaClient()
        self.bad: frozenset[tuple[ResourceType, str, str]] = frozenset()
        self.content: dict[ResourceType, dict[str, str]] = {kind: {} for kind in ORDER}
        self.status: dict[tuple[ResourceType, str], str] = {}
        self.blamed: set[tuple[ResourceType, str, str]] = set()
        self.connect()

    def connect(self) -> None:
        self.server = DeltaServer(self.source, max_bytes=300)
        self.up: deque[bytes] = deque(self.client.start())
        self.down: deque[bytes] = deque()
        self.unanswered: deque[Received] = deque()
        self.status.clear()

    def obey(self, actions: Actions) -> None:
        for action in actions:
            match action:
                case Send():
                    self.down.append(action.body)
                case Acked():
                    self.status[action.type, action.name] = action.version
                case Rejected():
                    self.blamed.add((action.type, action.name, action.version))
                case Close():
                    raise AssertionError(action.reason)

    @rule(bad=BAD)
    @precondition(lambda self: not self.bad)
    def choose_bad(self, bad: frozenset[tuple[ResourceType, str, str]]) -> None:
        held = {
            (kind, name, version) for kind, rows in self.content.items() for name, version in rows.items()
        }
        self.bad = bad - held

    @rule(changes=CHANGES)
    def change(self, changes: list[tuple[ResourceType, str, str | None]]) -> None:
        keys = [
            self.source.remove(kind, name)
            if version is None
            else self.source.set(fake_resource(kind, name, version))
            for kind, name, version in changes
        ]
        self.obey(self.server.offer(keys))

    @rule(kind=KINDS, names=st.lists(NAMES, max_size=3), wildcard=st.booleans())
    def subscribe(self, kind: ResourceType, names: list[str], wildcard: bool) -> None:
        self.up.extend(self.client.subscribe(kind, names, wildcard=wildcard and kind in WILDCARD_TYPES))

    @rule(kind=KINDS, names=st.lists(NAMES, max_size=3), wildcard=st.booleans())
    def unsubscribe(self, kind: ResourceType, names: list[str], wildcard: bool) -> None:
        self.up.extend(self.client.unsubscribe(kind, names, wildcard=wildcard and kind in WILDCARD_TYPES))
        self.forget_unwanted(kind)

    @rule()
    @precondition(lambda self: self.up)
    def deliver_request(self) -> None:
        self.obey(self.server.receive(self.up.popleft()))

    @rule()
    @precondition(lambda self: self.down)
    def deliver_response(self) -> None:
        self.unanswered.append(self.client.receive(self.down.popleft()))

    @rule()
    @precondition(lambda self: self.unanswered)
    def answer(self) -> None:
        received = self.unanswered.popleft()
        guilty = [r.name for r in received.changed if (r.type, r.name, r.digest) in self.bad]
        if guilty:
            self.up.extend(self.client.nack(received.nonce, f"refused: {guilty[0]}"))
            return
        rows = self.content[received.type]
        rows.update({r.name: r.digest for r in received.changed})
        for name in received.removed:
            rows.pop(name, None)
        self.forget_unwanted(received.type)
        self.up.extend(self.client.ack(received.nonce))

    @rule()
    def reconnect(self) -> None:
        self.connect()

    @rule(kind=KINDS)
    def lose_patience(self, kind: ResourceType) -> None:
        self.obey(self.server.overdue(kind))

    def forget_unwanted(self, kind: ResourceType) -> None:
        self.content[kind] = {n: v for n, v in self.content[kind].items() if self.client.wants(kind, n)}

    @invariant()
    def only_the_guilty_are_blamed(self) -> None:
        assert self.blamed <= self.bad

    def teardown(self) -> None:
        for _ in range(2000):
            if self.unanswered:
                self.answer()
            elif self.down:
                self.deliver_response()
            elif self.up:
                self.deliver_request()
            else:
                break
        assert not [*self.up, *self.down, *self.unanswered], "the exchange never ends"
        assert self.server.is_settled, self.server.pending()
        for kind in ORDER:
            wanted = {n: v for n, v in self.source.versions(kind).items() if self.client.wants(kind, n)}
            good = {n: v for n, v in wanted.items() if (kind, n, v) not in self.bad}
            kept = {n: v for n, v in self.content[kind].items() if n not in good}
            assert {**kept, **good} == self.content[kind]
            assert all((kind, n, wanted.get(n)) in self.bad for n in kept), (kind, kept)
            assert dict(self.server.acked(kind)) == self.content[kind]
        for (kind, name), version in self.status.items():
            if self.server.wants(kind, name):
                assert self.server.acked(kind).get(name, "") == version


TestAnyInterleaving = AnyInterleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
