"""Stories of one stream: what a proxy says, and what it is sent."""

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.actions import Acked, Action, Close, Rejected, Subscribed
from proa.core.pilot.xds.delta_server import DeltaServer
from proa.testing.playbook import ANY, Playbook
from proa.testing.xds import CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET, FakeSource, fake_resource
from tests.unit.core.pilot.xds.stories import Sent, ack, drop, nack, view, want

Story = Playbook[Action]


def started(
    *keys: tuple[ResourceType, str], max_bytes: int = 3_500_000
) -> tuple[FakeSource, DeltaServer, Story]:
    source = FakeSource(*(fake_resource(kind, name, "1") for kind, name in keys))
    return source, DeltaServer(source, max_bytes=max_bytes), Playbook(view)


def test_start_up_as_envoy_does_it() -> None:
    _, server, story = started((CLUSTER, "c"), (ENDPOINT, "c"), (LISTENER, "l"), (ROUTE, "r"))
    story >> server.receive(want(CLUSTER)) << Subscribed(type=CLUSTER, wildcard=True)
    story << Sent(CLUSTER, "1", {"c": "1"})
    # Endpoints are asked for, and answered, before the clusters are ACKed.
    story >> server.receive(want(ENDPOINT, "c")) << Subscribed(type=ENDPOINT, added=("c",))
    story << Sent(ENDPOINT, "2", {"c": "1"})
    story >> server.receive(ack(CLUSTER, 1)) << Acked(type=CLUSTER, name="c", version="1")
    story >> server.receive(ack(ENDPOINT, 2)) << Acked(type=ENDPOINT, name="c", version="1")
    story >> server.receive(want(LISTENER)) << Subscribed(type=LISTENER, wildcard=True)
    story << Sent(LISTENER, "3", {"l": "1"})
    # A route a listener warms by is answered though the listener is not ACKed.
    story >> server.receive(want(ROUTE, "r")) << ANY << Sent(ROUTE, "4", {"r": "1"})
    story >> server.receive(ack(LISTENER, 3)) << ANY
    assert server.pending() == {(ROUTE, "r")}
    story >> server.receive(ack(ROUTE, 4)) << ANY
    story.ends()
    assert server.is_settled
    assert server.acked(CLUSTER) == {"c": "1"}


def running(*keys: tuple[ResourceType, str]) -> tuple[FakeSource, DeltaServer, Story]:
    """A proxy that holds version 1 of everything, as after a reconnect: nothing is sent again."""
    source, server, story = started(*keys)
    for kind in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
        names = [name for other, name in keys if other is kind]
        if not names:
            continue
        wished = () if kind in (CLUSTER, LISTENER) else names
        story >> server.receive(want(kind, *wished, **dict.fromkeys(names, "1")))
        for name in names:
            story << Acked(type=kind, name=name, version="1")
        story << (Subscribed(type=kind, wildcard=True) if kind in (CLUSTER, LISTENER) else ANY)
    return source, server, story


def test_make_before_break() -> None:
    source, server, story = running((CLUSTER, "old"), (ENDPOINT, "old"), (LISTENER, "l"), (ROUTE, "r"))
    changes = [
        source.set(fake_resource(ROUTE, "r", "2")),
        source.remove(CLUSTER, "old"),
        source.set(fake_resource(CLUSTER, "new", "1")),
        source.set(fake_resource(ENDPOINT, "new", "1")),
    ]
    story >> server.offer(changes) << Sent(CLUSTER, "1", {"new": "1"})
    story >> server.receive(want(ENDPOINT, "new")) << ANY << Sent(ENDPOINT, "2", {"new": "1"})
    story >> server.receive(ack(CLUSTER, 1)) << ANY  # ACKed, but its endpoints are not: the route waits
    story >> server.receive(ack(ENDPOINT, 2)) << ANY << Sent(ROUTE, "3", {"r": "2"})
    story >> server.receive(ack(ROUTE, 3)) << ANY << Sent(CLUSTER, "4", {}, ("old",))
    story >> server.receive(ack(CLUSTER, 4)) << Acked(type=CLUSTER, name="old", version="")
    story >> server.receive(drop(ENDPOINT, "old")) << Subscribed(type=ENDPOINT, removed=("old",))
    story.ends()
    assert server.is_settled


def test_churn_of_endpoints_holds_no_route_for_ever() -> None:
    source, server, story = running((CLUSTER, "c"), (ENDPOINT, "c"), (ROUTE, "r"))
    story >> server.offer([source.set(fake_resource(ENDPOINT, "c", "2"))]) << Sent(ENDPOINT, "1", {"c": "2"})
    story >> server.offer([source.set(fake_resource(ROUTE, "r", "2"))])
    story >> server.offer([source.set(fake_resource(ENDPOINT, "c", "3"))])
    # Endpoints that changed after the route are not waited for.
    (
        story
        >> server.receive(ack(ENDPOINT, 1))
        << ANY
        << Sent(ENDPOINT, "2", {"c": "3"})
        << Sent(ROUTE, "3", {"r": "2"})
    )
    story.ends()


def test_a_changed_cluster_gets_its_endpoints_again() -> None:
    source, server, story = running((CLUSTER, "c"), (ENDPOINT, "c"))
    story >> server.offer([source.set(fake_resource(CLUSTER, "c", "2"))])
    story << Sent(CLUSTER, "1", {"c": "2"}) << Sent(ENDPOINT, "2", {"c": "1"})
    story.ends()


def test_endpoints_asked_for_before_clusters_are_for_a_warming_proxy() -> None:
    _, server, story = started((ENDPOINT, "c"))
    story >> server.receive(want(ENDPOINT, "c", c="1")) << ANY << ANY << Sent(ENDPOINT, "1", {"c": "1"})
    story.ends()


def test_the_latest_value_wins() -> None:
    source, server, story = running((CLUSTER, "a"), (ENDPOINT, "a"))
    story >> server.offer([source.set(fake_resource(ENDPOINT, "a", "2"))]) << Sent(ENDPOINT, "1", {"a": "2"})
    for version in "345":
        story >> server.offer([source.set(fake_resource(ENDPOINT, "a", version))])
    story >> server.receive(ack(ENDPOINT, 1)) << ANY << Sent(ENDPOINT, "2", {"a": "5"})
    story >> server.offer([source.set(fake_resource(ENDPOINT, "a", "6"))])
    story >> server.offer([source.set(fake_resource(ENDPOINT, "a", "5"))])
    story >> server.receive(ack(ENDPOINT, 2)) << Acked(type=ENDPOINT, name="a", version="5")
    story.ends()
    assert server.is_settled


def test_a_refused_response_is_taken_apart() -> None:
    source, server, story = started()
    story >> server.receive(want(LISTENER)) << ANY << Sent(LISTENER, "1")
    story >> server.receive(ack(LISTENER, 1))
    story >> server.offer([source.set(fake_resource(LISTENER, name, "1")) for name in "wxyz"]) << ANY
    story >> server.receive(nack(LISTENER, 2, "bad")) << Sent(LISTENER, "3", {"w": "1", "x": "1"})
    story >> server.receive(ack(LISTENER, 3)) << ANY << ANY << Sent(LISTENER, "4", {"y": "1", "z": "1"})
    # A name in the text is tried alone, after the others.
    story >> server.receive(nack(LISTENER, 4, "z: no such port")) << Sent(LISTENER, "5", {"y": "1"})
    story >> server.receive(ack(LISTENER, 5)) << ANY << Sent(LISTENER, "6", {"z": "1"})
    refusal = Rejected(type=LISTENER, name="z", version="1", error="no")
    story >> server.receive(nack(LISTENER, 6, "no")) << refusal
    assert server.is_settled
    assert server.rejected() == {(LISTENER, "z"): ("1", "no")}
    assert server.acked(LISTENER) == {"w": "1", "x": "1", "y": "1"}
    # The same version is not sent again, a new one is.
    story >> server.offer([(LISTENER, "z")])
    story >> server.offer([source.set(fake_resource(LISTENER, "z", "2"))]) << Sent(LISTENER, "7", {"z": "2"})
    story.ends()
    assert server.rejected() == {}


def test_a_value_taken_back_while_a_refusal_is_unclear_is_sent() -> None:
    """Envoy keeps the good part of what it refuses: after the NACK nobody knows whether it serves b 1 or b 2."""
    source, server, story = running((LISTENER, "a"), (LISTENER, "b"))
    story >> server.offer([source.set(fake_resource(LISTENER, name, "2")) for name in "ab"]) << ANY
    story >> server.offer([source.set(fake_resource(LISTENER, "b", "1"))])
    story >> server.receive(nack(LISTENER, 1, "bad")) << Sent(LISTENER, "2", {"a": "2"})
    story >> server.receive(nack(LISTENER, 2, "bad")) << ANY << Sent(LISTENER, "3", {"b": "1"})
    story.ends()


def test_one_bad_cluster_blocks_nothing() -> None:
    source, server, story = running((CLUSTER, "c"), (ROUTE, "r"))
    changes = [source.set(fake_resource(CLUSTER, "bad", "1")), source.set(fake_resource(ROUTE, "r", "2"))]
    story >> server.offer(changes) << Sent(CLUSTER, "1", {"bad": "1"})
    story >> server.receive(nack(CLUSTER, 1, "no")) << ANY << Sent(ROUTE, "2", {"r": "2"})
    story.ends()


def test_a_proxy_that_never_answers_is_given_up_and_still_heard() -> None:
    source, server, story = running((CLUSTER, "c"), (ROUTE, "r"))
    changes = [source.set(fake_resource(CLUSTER, "stuck", "1")), source.set(fake_resource(ROUTE, "r", "2"))]
    story >> server.offer(changes) << Sent(CLUSTER, "1", {"stuck": "1"})
    assert server.awaited() == {CLUSTER}
    story >> server.overdue(CLUSTER) << Sent(ROUTE, "2", {"r": "2"})
    story >> server.receive(ack(ROUTE, 2)) << ANY
    story >> server.offer([source.remove(CLUSTER, "stuck"), source.remove(CLUSTER, "c")])
    story << Sent(CLUSTER, "3", {}, ("stuck", "c"))
    assert not server.is_settled
    story >> server.receive(ack(CLUSTER, 1)) << Acked(type=CLUSTER, name="stuck", version="1")
    story.ends()


def test_what_vanishes_while_a_response_is_given_up_is_removed() -> None:
    source, server, story = running((CLUSTER, "c"))
    (
        story
        >> server.offer([source.set(fake_resource(CLUSTER, "late", "1"))])
        << Sent(CLUSTER, "1", {"late": "1"})
    )
    story >> server.overdue(CLUSTER)
    story >> server.offer([source.remove(CLUSTER, "late")]) << Sent(CLUSTER, "2", {}, ("late",))
    story >> server.receive(ack(CLUSTER, 1)) << ANY
    story >> server.receive(ack(CLUSTER, 2)) << ANY
    story.ends()
    assert server.acked(CLUSTER) == {"c": "1"}


def test_names_that_do_not_exist_are_answered_once_that_is_known() -> None:
    source, server, story = started()
    source.is_complete = False
    story >> server.receive(want(SECRET, "s")) << Subscribed(type=SECRET, added=("s",))
    assert server.is_settled
    source.is_complete = True
    story >> server.offer_all(SECRET) << Sent(SECRET, "1", {}, ("s",))
    story >> server.receive(ack(SECRET, 1)) << Acked(type=SECRET, name="s", version="")
    story >> server.offer([source.set(fake_resource(SECRET, "s", "1"))]) << Sent(SECRET, "2", {"s": "1"})
    story.ends()


def test_an_empty_wildcard_is_answered_once_that_is_known() -> None:
    source, server, story = started()
    source.is_complete = False
    story >> server.receive(want(CLUSTER)) << Subscribed(type=CLUSTER, wildcard=True)
    source.is_complete = True
    story >> server.offer_all(CLUSTER) << Sent(CLUSTER, "1")
    story.ends()


def test_what_a_reconnected_proxy_holds_and_nobody_has_is_removed() -> None:
    _, server, story = started((CLUSTER, "c"))
    (
        story
        >> server.receive(want(CLUSTER, c="1", gone="1"))
        << ANY
        << ANY
        << ANY
        << Sent(CLUSTER, "1", {}, ("gone",))
    )
    story.ends()


def test_a_filter_stays_with_the_listener_that_drains_by_it() -> None:
    """Envoy asks by name on every connection, and lets the name go with the last of them."""
    source, server, story = started((EXTENSION, "policy"))
    story >> server.receive(want(EXTENSION, "policy", policy="1")) << ANY << ANY
    story >> server.offer([source.remove(EXTENSION, "policy")])
    story.ends()
    assert server.is_settled
    story >> server.offer([source.set(fake_resource(EXTENSION, "policy", "2"))])
    story << Sent(EXTENSION, "1", {"policy": "2"})
    story.ends()


def test_a_filter_that_was_never_there_is_answered() -> None:
    _, server, story = started()
    story >> server.receive(want(EXTENSION, "policy")) << ANY << Sent(EXTENSION, "1", {}, ("policy",))
    story.ends()


def test_a_stale_nonce_is_no_answer_but_its_wishes_count() -> None:
    _, server, story = started((ENDPOINT, "a"))
    story >> server.receive(want(ENDPOINT, "a")) << ANY << Sent(ENDPOINT, "1", {"a": "1"})
    story >> server.receive(ack(ENDPOINT, 99))
    assert server.pending() == {(ENDPOINT, "a")}
    story.ends()


def test_asking_again_is_answered_again() -> None:
    _, server, story = running((CLUSTER, "a"), (ENDPOINT, "a"))
    story >> server.receive(want(ENDPOINT, "a")) << Sent(ENDPOINT, "1", {"a": "1"})
    story.ends()


def test_responses_are_bounded_and_a_big_one_goes_alone() -> None:
    _, server, story = started(*((CLUSTER, name * 40) for name in "abc"), max_bytes=10)
    story >> server.receive(want(CLUSTER)) << ANY << (lambda sent: len(sent.changed) == 1)
    story >> server.receive(ack(CLUSTER, 1)) << ANY << (lambda sent: len(sent.changed) == 1)
    story >> server.receive(ack(CLUSTER, 2)) << ANY << (lambda sent: len(sent.changed) == 1)
    story >> server.receive(ack(CLUSTER, 3)) << ANY
    story.ends()
    assert server.is_settled


def test_a_change_looks_at_nothing_but_itself() -> None:
    """The cost of one endpoint change does not grow with what the proxy holds."""
    source, server, _ = running((CLUSTER, "c"), *((ENDPOINT, f"{number:03}") for number in range(1000)))
    looked: list[str] = []
    lookup = source.lookup

    def watched(kind: ResourceType, name: str) -> Resource | None:
        looked.append(name)
        return lookup(kind, name)

    source.lookup = watched  # type: ignore[method-assign]
    server.offer([source.set(fake_resource(ENDPOINT, "007", "2"))])
    server.receive(ack(ENDPOINT, 1))
    assert set(looked) == {"007"}
    assert len(looked) <= 3


def test_garbage_closes_and_unknown_types_are_ignored() -> None:
    _, server, story = started()
    story >> server.receive(b"\xff\xff") << Close(reason="not a DeltaDiscoveryRequest")
    story >> server.receive(b"\x12\x03foo")
    story.ends()


def test_a_peer_that_reads_and_never_answers_costs_no_more_after_a_thousand_changes() -> None:
    source, server, _ = started(*((CLUSTER, name) for name in "abc"))
    server.receive(want(CLUSTER))
    for change in range(2, 1002):
        server.overdue(CLUSTER)
        server.offer([source.set(fake_resource(CLUSTER, "abc"[change % 3], str(change)))])
        assert server.responses_kept() <= 5
        assert server.pending() == {(CLUSTER, name) for name in "abc"}
    # It comes to its senses: the last answers count, and what was forgotten is still known not to be taken.
    server.receive(ack(CLUSTER, 1))
    assert server.pending() == {(CLUSTER, name) for name in "abc"}
    for nonce in range(997, 1002):
        server.receive(ack(CLUSTER, nonce))
    assert server.pending() == set()
    assert server.is_settled


def test_what_a_peer_drops_is_not_waited_for() -> None:
    source, server, _ = started((CLUSTER, "a"), (ENDPOINT, "a"))
    server.receive(want(ENDPOINT, "a"))
    for change in range(2, 12):
        server.overdue(ENDPOINT)
        server.offer([source.set(fake_resource(ENDPOINT, "a", str(change)))])
    server.receive(drop(ENDPOINT, "a"))
    for nonce in range(12):
        server.receive(ack(ENDPOINT, nonce))
    assert server.is_settled


def test_a_peer_that_refuses_for_ever_is_asked_once_per_change() -> None:
    source, server, _ = started((CLUSTER, "a"))
    sent = len([each for each in server.receive(want(CLUSTER)) if isinstance(view(each), Sent)])
    for change in range(2, 502):
        assert server.responses_kept() == 1
        answers = server.receive(nack(CLUSTER, sent, "never"))
        assert not [each for each in answers if isinstance(view(each), Sent)]
        assert server.is_settled
        assert server.offer([(CLUSTER, "a")]) == ()  # nothing has changed: nothing is tried again
        sent += len(server.offer([source.set(fake_resource(CLUSTER, "a", str(change)))]))
        assert sent == change
    assert len(server.rejected()) <= 1
