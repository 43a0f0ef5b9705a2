import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from proa.core.auth.root_rotation import (
    Activate,
    Holder,
    Pace,
    Rest,
    Retire,
    Root,
    Wait,
    active_of,
    next_step,
    pace_of,
    phase_of,
)

PACE = Pace(hold_s=10, skew_s=2)
OLD = Root(generation=1, digest="old", prepared_at=0, activated_at=0, not_after=10_000)
NEW = Root(generation=2, digest="new", prepared_at=100, not_after=20_000)
ACTIVATED = msgspec.structs.replace(NEW, activated_at=200.0)
BOTH = frozenset({"old", "new"})
NEVER: frozenset[str] = frozenset()


def node(trusts: frozenset[str] = BOTH, uses: frozenset[str] | None = None, until: float = 1_000) -> Holder:
    return Holder(name="node a", until=until, trusts=trusts, uses=uses)


def test_one_root_rests() -> None:
    assert next_step([OLD], [node()], frozenset({"old"}), 50, PACE) == Rest()


def test_a_prepared_root_waits_for_its_time_and_for_everybody() -> None:
    early = next_step([OLD, NEW], [node()], NEVER, 105, PACE)
    assert early == Wait(reasons=("5 s of the least time are left",))
    deaf = next_step([OLD, NEW], [node(frozenset({"old"}))], NEVER, 110, PACE)
    assert isinstance(deaf, Wait)
    assert deaf.reasons[0].startswith("node a has not said that all of it trusts the new root")
    assert next_step([OLD, NEW], [node()], NEVER, 110, PACE) == Activate(root=NEW)


def test_who_is_away_holds_it_back_until_its_certificates_have_ended_by_any_clock() -> None:
    away = node(frozenset({"old"}), until=500)
    assert isinstance(next_step([OLD, NEW], [away], NEVER, 501.9, PACE), Wait)
    assert next_step([OLD, NEW], [away], NEVER, 502, PACE) == Activate(root=NEW)


def test_an_old_root_retires_when_nobody_uses_it() -> None:
    assert phase_of(OLD, ACTIVATED) == "retiring"
    users = [node(uses=BOTH), Holder(name="node b", until=1_000, trusts=BOTH)]
    waiting = next_step([OLD, ACTIVATED], users, frozenset({"old"}), 300, PACE)
    assert isinstance(waiting, Wait)
    assert [reason.split(" (")[0] for reason in waiting.reasons] == [
        "the control plane's own certificate is under the old root",
        "node a uses a certificate under the old root",
        "node b has not said what it uses",
    ]
    renewed = [node(uses=frozenset({"new"}))]
    assert isinstance(next_step([OLD, ACTIVATED], renewed, NEVER, 209, PACE), Wait)
    assert next_step([OLD, ACTIVATED], renewed, NEVER, 210, PACE) == Retire(root=OLD)


def test_an_expired_old_root_retires_whoever_is_away() -> None:
    assert next_step([OLD, ACTIVATED], [node(uses=BOTH, until=1e9)], NEVER, 10_003, PACE) == Retire(root=OLD)


def test_what_was_abandoned_on_the_way_leaves_at_the_end() -> None:
    later = Root(generation=3, digest="later", prepared_at=150, not_after=30_000)
    trusting = [node(BOTH | {"later"}, frozenset({"later"}))]
    assert next_step([OLD, NEW, later], trusting, NEVER, 200, PACE) == Activate(root=later)
    activated = msgspec.structs.replace(later, activated_at=200.0)
    assert next_step([OLD, NEW, activated], trusting, NEVER, 300, PACE) == Retire(root=OLD)
    assert next_step([NEW, activated], trusting, NEVER, 300, PACE) == Retire(root=NEW)


def test_a_root_that_comes_back_leaves_under_its_old_number_at_once() -> None:
    back = Root(generation=3, digest="old", prepared_at=300, activated_at=310, not_after=10_000)
    user = node(uses=frozenset({"old"}))
    assert next_step([OLD, ACTIVATED, back], [user], frozenset({"old"}), 311, PACE) == Retire(root=OLD)


def test_without_an_active_root_there_is_nothing_to_say() -> None:
    with pytest.raises(ValueError, match="no root is active"):
        active_of([NEW])


@pytest.mark.parametrize(("ttl", "hold"), [(10, 1), (300, 30), (86_400, 60)])
def test_the_pace_follows_the_life_of_leafs(ttl: float, hold: float) -> None:
    assert pace_of(ttl, 2).hold_s == hold


TTL = 40
QUICK = Pace(hold_s=2, skew_s=2)
NODES = st.integers(0, 2)


class _Node:
    """What one host has on disk and in its proxies: the roots it trusts, a leaf (root, end), and its clock's error."""

    def __init__(self, trusts: frozenset[str], root: str, until: float, skew: float) -> None:
        self.trusts = trusts
        self.proxies = trusts
        self.root = root
        self.until = until
        self.skew = skew

    @property
    def report(self) -> tuple[frozenset[str], frozenset[str]]:
        return self.trusts & self.proxies, frozenset({self.root})


class Rotations(RuleBasedStateMachine):
    """A mesh of three hosts in any order of events. Each control plane has the store alone in common with others:
    `roots`, `issued` (node -> end of its last leaf) and `reports`."""

    @initialize(skews=st.tuples(*[st.floats(-1, 1)] * 3))
    def begin(self, skews: tuple[float, float, float]) -> None:
        self.now = 1_000.0
        self.made = 1
        first = Root(generation=1, digest="1", prepared_at=1_000, activated_at=1_000, not_after=10**9)
        self.roots: tuple[Root, ...] = (first,)
        self.own = "1"
        self.nodes = [_Node(frozenset({"1"}), "1", 1_000 + TTL, skew) for skew in skews]
        self.issued = [1_000.0 + TTL] * 3
        self.reports: dict[int, tuple[frozenset[str], frozenset[str]]] = {}
        self.phases: dict[int, str] = {1: "active"}

    @property
    def offered(self) -> frozenset[str]:
        return frozenset(root.digest for root in self.roots)

    @rule(seconds=st.floats(0.1, 15))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def somebody_asks_for_a_new_root(self) -> None:
        if len(self.roots) < 3:
            self.made += 1
            new = Root(generation=self.made, digest=str(self.made), prepared_at=self.now, not_after=10**9)
            self.roots = (*self.roots, new)

    @rule(number=NODES)
    def a_node_hears_of_the_roots(self, number: int) -> None:
        if self._can_come(number):
            self.nodes[number].trusts = self.offered

    @rule(number=NODES)
    def its_proxies_take_them(self, number: int) -> None:
        self.nodes[number].proxies = self.nodes[number].trusts

    @rule(number=NODES)
    def it_renews(self, number: int) -> None:
        node, active = self.nodes[number], active_of(self.roots).digest
        if self._can_come(number) and active in node.trusts:
            node.root, node.until = active, self.now + TTL
            self.issued[number] = self.now + TTL

    @rule(number=NODES)
    def it_reports(self, number: int) -> None:
        if self._can_come(number):
            self.reports[number] = self.nodes[number].report

    @rule()
    def all_that_can_hear_take_and_report(self) -> None:
        for number in range(3):
            self.a_node_hears_of_the_roots(number)
            self.its_proxies_take_them(number)
            self.it_reports(number)

    @rule()
    def two_nodes_renew(self) -> None:
        self.it_renews(0)
        self.it_renews(1)

    @rule(number=NODES)
    def it_joins_again(self, number: int) -> None:
        if not self._can_come(number):
            active = active_of(self.roots).digest
            self.nodes[number] = _Node(self.offered, active, self.now + TTL, self.nodes[number].skew)
            self.issued[number] = self.now + TTL
            self.reports.pop(number, None)

    @rule(number=NODES)
    def a_restart_forgets_a_report(self, number: int) -> None:
        self.reports.pop(number, None)

    @rule()
    def the_control_plane_renews_its_own(self) -> None:
        self.own = active_of(self.roots).digest

    @rule()
    def any_control_plane_takes_the_next_step(self) -> None:
        holders = [
            Holder(
                name=str(number),
                until=self.issued[number],
                trusts=self.reports.get(number, (NEVER, NEVER))[0],
                uses=self.reports[number][1] if number in self.reports else None,
            )
            for number in range(3)
        ]
        step = next_step(self.roots, holders, frozenset({self.own}), self.now, QUICK)
        if isinstance(step, Activate):
            done = msgspec.structs.replace(step.root, activated_at=self.now)
            self.roots = tuple(done if each == step.root else each for each in self.roots)
        elif isinstance(step, Retire):
            assert step.root.generation != active_of(self.roots).generation
            self.roots = tuple(each for each in self.roots if each != step.root)

    def _can_come(self, number: int) -> bool:
        return self.now < self.nodes[number].until

    def _is_valid(self, node: _Node, by: _Node) -> bool:
        return self.now + by.skew < node.until

    @invariant()
    def every_valid_leaf_is_trusted_by_every_valid_peer(self) -> None:
        for peer in getattr(self, "nodes", ()):
            for judge in self.nodes:
                if self._is_valid(peer, judge) and self._is_valid(judge, peer):
                    assert peer.root in judge.proxies
                    assert peer.root in judge.trusts

    @invariant()
    def the_control_plane_and_its_nodes_trust_each_other(self) -> None:
        for node in getattr(self, "nodes", ()):
            if self._is_valid(node, node):
                assert self.own in node.trusts
                assert node.root in self.offered

    @invariant()
    def phases_only_go_on_and_one_is_active(self) -> None:
        order = ("prepared", "active", "retiring")
        active = active_of(self.roots) if hasattr(self, "roots") else None
        if active is None:
            return
        for root in self.roots:
            phase = phase_of(root, active)
            assert order.index(phase) >= order.index(self.phases.get(root.generation, phase))
            self.phases[root.generation] = phase
        assert [phase_of(root, active) for root in self.roots].count("active") == 1


Rotations.TestCase.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
TestRotations = Rotations.TestCase
