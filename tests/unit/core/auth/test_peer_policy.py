"""Which mode a port has, and that no change of it ever leaves a client at a closed door."""

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.auth.peer_policy import PortTls, advance, advertised_for, aim, mode_of, settled
from proa.core.model.endpoint import TlsFact
from proa.core.model.workload import TlsMode
from proa.testing.builders import configs


def policy(name: str, spec: str, namespace: str = "default") -> str:
    return f"""
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{spec}}}
"""


MESH = policy("mesh", "mtls: {mode: DISABLE}", "istio-system")
NAMESPACE = policy("all", "mtls: {mode: PERMISSIVE}")
WORKLOAD = policy("one", "selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}")
PORT = policy(
    "port", "selector: {matchLabels: {app: a}}, mtls: {mode: UNSET}, portLevelMtls: {8080: {mode: DISABLE}}"
)


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("", "STRICT"),
        (MESH, "DISABLE"),
        (MESH + NAMESPACE, "PERMISSIVE"),
        (MESH + NAMESPACE + WORKLOAD, "STRICT"),
        (MESH + NAMESPACE + PORT, "DISABLE"),
        (NAMESPACE + policy("one", "selector: {matchLabels: {app: b}}, mtls: {mode: DISABLE}"), "PERMISSIVE"),
        (policy("all", "mtls: {mode: DISABLE}", "shop"), "STRICT"),
        (NAMESPACE + policy("other", "selector: {matchLabels: {app: a}}, mtls: {mode: UNSET}"), "PERMISSIVE"),
        (policy("b", "mtls: {mode: DISABLE}") + policy("a", "mtls: {mode: PERMISSIVE}"), "PERMISSIVE"),
    ],
)
def test_the_narrowest_policy_that_says_something(text: str, mode: TlsMode) -> None:
    found = mode_of(
        configs(text),
        namespace="default",
        labels=Map(app="a"),
        ports=(8080, 80),
        root_namespace="istio-system",
    )
    assert found == mode


def test_a_port_is_known_by_the_apps_number_and_the_services() -> None:
    for ports, mode in (((8080, 80), "DISABLE"), ((9999, 8080), "DISABLE"), ((9999, 80), "STRICT")):
        found = mode_of(
            configs(PORT),
            namespace="default",
            labels=Map(app="a"),
            ports=ports,
            root_namespace="istio-system",
        )
        assert found == mode


def test_from_strict_to_disable_in_steps() -> None:
    port = aim(settled("STRICT"), "DISABLE")
    assert (port.serving, port.advertised) == ("PERMISSIVE", "mutual")
    assert advance(port, server_acked=False, clients_acked=True) == port
    port = advance(port, server_acked=True, clients_acked=True)
    assert (port.serving, port.advertised) == ("PERMISSIVE", "disabled")
    assert advance(port, server_acked=True, clients_acked=False) == port
    port = advance(port, server_acked=True, clients_acked=True)
    assert port == settled("DISABLE")
    assert advance(port, server_acked=True, clients_acked=True) == port


@pytest.mark.parametrize(("before", "after"), [("STRICT", "PERMISSIVE"), ("PERMISSIVE", "STRICT")])
def test_at_once_when_no_client_needs_to_change(before: TlsMode, after: TlsMode) -> None:
    assert aim(settled(before), after) == settled(after)


TAKES: dict[TlsMode, set[TlsFact]] = {
    "STRICT": {"mutual"},
    "PERMISSIVE": {"mutual", "disabled"},
    "DISABLE": {"disabled"},
}
Event = tuple[Literal["aim"], TlsMode] | tuple[Literal["server", "client", "advance"], int]
events = st.one_of(
    st.tuples(st.just("aim"), st.sampled_from(("STRICT", "PERMISSIVE", "DISABLE"))),
    st.tuples(st.sampled_from(("server", "client", "advance")), st.integers(0, 1)),
)


class Hop:
    """A server and two clients; each takes what was published when it gets round to it, in order."""

    def __init__(self, mode: TlsMode) -> None:
        self.port = settled(mode)
        self.server: list[TlsMode] = [mode]
        self.clients: tuple[list[TlsFact], list[TlsFact]] = ([self.port.advertised], [self.port.advertised])

    def publish(self, port: PortTls) -> None:
        self.port = port
        self.server.append(port.serving)
        for client in self.clients:
            client.append(port.advertised)

    def happen(self, event: Event) -> None:
        match event:
            case ("aim", mode):
                if mode != self.port.target:
                    self.publish(aim(self.port, mode))
            case ("server", _):
                del self.server[:-1]
            case ("client", number):
                del self.clients[int(number)][:-1]
            case _:
                server_acked = len(self.server) == 1
                clients_acked = server_acked and all(len(client) == 1 for client in self.clients)
                following = advance(self.port, server_acked=server_acked, clients_acked=clients_acked)
                if following != self.port:
                    self.publish(following)


@given(st.sampled_from(("STRICT", "PERMISSIVE", "DISABLE")), st.lists(events, max_size=30))
def test_no_client_ever_offers_what_the_server_does_not_take(mode: TlsMode, happened: list[Event]) -> None:
    hop = Hop(mode)
    for event in happened:
        hop.happen(event)
        # Any of what is on its way may be in force at either end right now.
        assert all(
            fact in TAKES[serving] for serving in hop.server for client in hop.clients for fact in client
        )


@given(st.sampled_from(("STRICT", "PERMISSIVE", "DISABLE")), st.lists(events, max_size=30))
def test_every_change_arrives_when_all_have_answered(mode: TlsMode, happened: list[Event]) -> None:
    hop = Hop(mode)
    for event in happened:
        hop.happen(event)
    for event in (("server", 0), ("client", 0), ("client", 1), ("advance", 0)) * 3:
        hop.happen(event)
    assert hop.port == settled(hop.port.target)
    assert hop.port.advertised == advertised_for(hop.port.serving)
