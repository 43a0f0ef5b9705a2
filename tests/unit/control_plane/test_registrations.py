"""What nodes say, judged; and changes of TLS mode, step by step over real streams."""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from proa.control_plane.proxies import Proxies, ProxyStream
from proa.control_plane.registrations import LEASE_S, Registrations
from proa.control_plane.world import World
from proa.core.auth.grants import BROAD, Grant, Placement
from proa.core.model.names import WorkloadId
from proa.core.model.settings import MeshSettings
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.xds.wire import decode_response, encode_request
from proa.core.sidecar.session import NodeState, Registration, SessionState
from proa.servers.authority.node import NodeLine
from proa.testing.builders import configs, registration, simple

HOST = "a.default.svc.cluster.local"


class HeldWorld(World):
    """Submitted changes wait until the test has them folded."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(MeshSettings(), clock)
        self.submitted: list[Change] = []

    def submit(self, change: Change) -> None:
        self.submitted.append(change)


class Desk:
    """Registrations over a world whose changes are folded when the test says so."""

    def __init__(self, *nodes: str) -> None:
        self.now = 0.0
        self.world = HeldWorld(clock=lambda: self.now)
        self.proxies = Proxies(self.world, clock=lambda: self.now)
        self.denied: list[tuple[str, str]] = []
        self.registrations = Registrations(
            self.world,
            self.proxies,
            clock=lambda: self.now,
            denied=lambda reason, node: self.denied.append((reason, node)),
        )
        self.registrations.set_grants([Grant(node=node, placements=BROAD) for node in nodes or ("node",)])
        self.streams: dict[WorkloadId, ProxyStream] = {}
        self.lines: dict[str, NodeLine] = {}

    def hear(self, *workloads: Registration, node: str = "node", version: int = 1) -> SessionState:
        line = self.lines.setdefault(node, NodeLine(node=node, is_local=False))
        answer = self.registrations.heard(line, NodeState(version=version, workloads=workloads))
        self.fold()
        return answer

    def fold(self) -> None:
        while told := list(self.world.submitted):
            self.world.submitted.clear()
            self.world.fold_in(told)

    def connect(self, *workloads: str) -> None:
        for name in workloads:
            stream = self.proxies.open(WorkloadId("default", name), "node")
            self.streams[stream.workload] = stream
            self.proxies.received(stream, encode_request(ResourceType.CLUSTER))
            wanted = [f"outbound|9080||{HOST}"]
            self.proxies.received(stream, encode_request(ResourceType.ENDPOINT, subscribe=wanted))
            self.proxies.received(stream, encode_request(ResourceType.LISTENER))
            self.settle(name)

    def settle(self, *workloads: str) -> None:
        for name in workloads:
            stream = self.streams[WorkloadId("default", name)]
            while bodies := stream.take():
                for body in bodies:
                    response = decode_response(body)
                    self.proxies.received(stream, encode_request(response.type, nonce=response.nonce))

    def step(self) -> None:
        self.registrations.advance_modes()
        self.fold()

    @property
    def state(self) -> tuple[str, str]:
        """What the server takes and what clients are told."""
        workload = self.world.snapshot.workloads[WorkloadId("default", "a-v1")]
        (endpoint,) = self.world.snapshot.endpoints[HOST].endpoints
        return workload.inbound[0].mode, endpoint.tls

    def mode(self, mode: str) -> None:
        self.registrations.set_policies(configs(f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: all}}
spec: {{mtls: {{mode: {mode}}}}}
"""))  # fmt: skip
        self.fold()


def test_what_a_node_may_place_is_placed() -> None:
    desk = Desk()
    answer = desk.hear(simple("a"))
    assert answer.accepted == (WorkloadId("default", "a-v1"),)
    assert desk.world.snapshot.services[HOST].accounts == ("spiffe://cluster.local/ns/default/sa/a",)
    desk.hear(version=2)
    assert HOST not in desk.world.snapshot.services


def test_saying_the_same_again_is_no_change() -> None:
    desk = Desk()
    desk.hear(simple("a"))
    generation = desk.world.generation
    desk.hear(simple("a"), version=2)
    assert desk.world.generation == generation


def test_what_a_node_may_not_place_is_refused_with_the_reason() -> None:
    desk = Desk()
    desk.registrations.set_grants(
        [Grant(node="node", placements=(Placement(namespace="default", service="b"),))]
    )
    answer = desk.hear(simple("a"))
    assert answer.accepted == ()
    assert "may not place service a" in answer.refused[0].reason
    assert HOST not in desk.world.snapshot.services
    stranger = desk.hear(simple("b"), node="stranger")
    assert "no grant" in stranger.refused[0].reason
    desk.hear(simple("a"), simple("b"), version=2)
    node = "spiffe://cluster.local/proa/node/"
    assert desk.denied == [("not granted", f"{node}node"), ("no grant", f"{node}stranger")], "each once"


def test_a_withdrawn_grant_takes_its_workloads_away() -> None:
    desk = Desk()
    desk.hear(simple("a"))
    desk.registrations.set_grants([])
    desk.fold()
    assert HOST not in desk.world.snapshot.services


def test_a_name_belongs_to_who_came_first_until_it_leaves() -> None:
    desk = Desk("node", "other")
    desk.hear(simple("a"))
    theirs = Registration(
        id=WorkloadId("default", "a-v1"),
        node="other",
        account="a",
        address="10.0.0.9",
        ports=simple("a").ports,
    )
    answer = desk.hear(theirs, node="other")
    assert "already runs on node node" in answer.refused[0].reason
    desk.hear(version=2)
    assert desk.world.snapshot.endpoints[HOST].endpoints[0].address == "10.0.0.9"
    assert desk.registrations.answer("other").accepted == (theirs.id,)


def test_a_silent_node_keeps_its_workloads_for_a_lease() -> None:
    desk = Desk()
    desk.hear(simple("a"))
    desk.registrations.left(desk.lines["node"])
    desk.now = LEASE_S - 1
    desk.registrations.expire()
    desk.fold()
    assert HOST in desk.world.snapshot.services
    desk.now = LEASE_S
    desk.registrations.expire()
    desk.fold()
    assert HOST not in desk.world.snapshot.services


def test_a_protocol_nobody_knows_stops_nothing() -> None:
    desk = Desk()
    desk.hear(simple("a", protocol="GOPHER"))
    assert desk.world.snapshot.services[HOST].ports[0].protocol == "TCP"


def test_from_strict_to_disable_nobody_meets_a_closed_door() -> None:
    desk = Desk()
    desk.hear(simple("a"), registration("client"))
    desk.connect("a-v1", "client")
    assert desk.state == ("STRICT", "mutual")
    desk.mode("DISABLE")
    assert desk.state == ("PERMISSIVE", "mutual")
    desk.step()
    assert desk.state == ("PERMISSIVE", "mutual"), "the server has not taken it yet"
    desk.settle("a-v1")
    desk.step()
    assert desk.state == ("PERMISSIVE", "disabled")
    desk.settle("a-v1")
    desk.step()
    assert desk.state == ("PERMISSIVE", "disabled"), "the client has not heard yet"
    desk.settle("client")
    desk.step()
    assert desk.state == ("DISABLE", "disabled")


def test_from_permissive_to_disable_begins_although_nothing_is_sent() -> None:
    desk = Desk()
    desk.hear(simple("a"), registration("client"))
    desk.mode("PERMISSIVE")
    desk.connect("a-v1", "client")
    desk.mode("DISABLE")
    desk.step()
    assert desk.state == ("PERMISSIVE", "disabled")


def test_two_changes_in_a_row_wait_for_the_client_that_has_not_heard_the_first() -> None:
    desk = Desk()
    desk.mode("DISABLE")
    desk.hear(simple("a"), registration("client"))
    desk.connect("a-v1", "client")
    desk.mode("STRICT")
    desk.settle("a-v1")
    desk.step()
    assert desk.state == ("PERMISSIVE", "mutual")
    desk.mode("PERMISSIVE")
    desk.mode("STRICT")
    assert desk.state == ("PERMISSIVE", "mutual"), "the client still sends plaintext"
    desk.settle("a-v1", "client")
    desk.step()
    assert desk.state == ("STRICT", "mutual")


def test_a_gateway_is_told_which_ports_to_open() -> None:
    desk = Desk()
    ingress = registration("ingress", kind="gateway", labels={"istio": "edge"})
    assert desk.hear(ingress).ports_wanted_of(ingress.id) == ()
    (gateway,) = configs("""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g}
spec: {selector: {istio: edge}, servers: [{port: {number: 80, name: h, protocol: HTTP}, hosts: ['*']}]}
""")
    desk.world.fold_in([Change(configs=(gateway,))])
    assert desk.registrations.answer("node").ports_wanted_of(ingress.id) == (80,)


def test_a_value_out_of_bounds_is_refused_and_reaches_no_builder() -> None:
    desk = Desk()
    desk.connect("b-v1")
    good = simple("a")
    for bad in (
        replace(good, address="unix:///run/docker.sock"),
        replace(good, address="127.0.0.1"),
        replace(good, weight=2**40),
        replace(good, ports=(replace(good.ports[0], sidecar_port=-1),)),
    ):
        answer = desk.hear(bad)
        assert answer.refusal_of(good.id)
        assert HOST not in desk.world.snapshot.services
    assert desk.hear(good).accepted == (good.id,)
    assert HOST in desk.world.snapshot.services


def test_loopback_is_taken_over_loopback_and_not_from_afar() -> None:
    desk = Desk()
    here = replace(simple("a"), address="127.0.0.1")
    assert desk.hear(here).refusal_of(here.id)
    desk.lines["node"] = NodeLine(node="node", is_local=True)
    assert desk.hear(here).accepted == (here.id,)
    desk.lines["node"] = NodeLine(node="node", is_local=False)
    assert desk.hear(here).refusal_of(here.id)
    assert HOST not in desk.world.snapshot.services


def test_the_end_of_an_old_session_is_not_the_end_of_the_node() -> None:
    desk = Desk()
    workload = simple("a")
    desk.hear(workload)
    old = desk.lines.pop("node")
    desk.hear(workload)
    desk.registrations.left(old)
    desk.now += LEASE_S + 1
    desk.registrations.expire()
    desk.fold()
    assert HOST in desk.world.snapshot.services
    assert desk.registrations.nodes() == {"node": True}


def test_a_node_has_a_bounded_number_of_workloads_and_keeps_those_it_had() -> None:
    desk = Desk()
    desk.registrations = Registrations(desk.world, desk.proxies, clock=lambda: 0.0, most=2)
    desk.registrations.set_grants([Grant(node="node", placements=BROAD)])
    names = [WorkloadId("default", f"{name}-v1") for name in "abc"]
    desk.hear(simple("b"), simple("c"))
    answer = desk.hear(simple("a"), simple("b"), simple("c"), version=2)
    assert set(answer.accepted) == {names[1], names[2]}
    assert answer.refusal_of(names[0]) == "node node has more than 2 workloads"
    assert desk.registrations.count_of("node") == 2
    answer = desk.hear(simple("a"), simple("c"), version=3)
    assert set(answer.accepted) == {names[0], names[2]}
    assert answer.refused == ()


def test_nodes_are_asked_again_when_the_meshs_settings_may_differ() -> None:
    desk = Desk()

    async def scene() -> None:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(desk.registrations.answers_changed())
            done, _ = await asyncio.wait({waiting}, timeout=0)
            assert not done
            desk.world.submit(Change(settings=MeshSettings(trust_domain_aliases=("old.example",))))
            desk.fold()
            desk.registrations.set_policies(())
        assert desk.registrations.trust_domain_aliases == ("old.example",)

    asyncio.run(scene())
