"""When the relay answers the control plane: while the Envoy is away, when it comes back, and what it never wants."""

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.xds.wire import Request, decode_request, decode_response, encode_request, encode_response
from proa.core.pilot.xds.wire import encode_resource as piece
from proa.core.sidecar.relay import Down, RelayActions, RelayTable, Up
from proa.testing.xds import CLUSTER, ENDPOINT, LISTENER, ROUTE, fake_resource


def response(kind: ResourceType, nonce: str, *resources: Resource) -> bytes:
    return encode_response(kind, nonce, [piece(each) for each in resources], [])


def up(actions: RelayActions) -> list[Request]:
    return [decode_request(action.body) for action in actions if isinstance(action, Up)]


def answers(actions: RelayActions) -> list[tuple[str, str | None]]:
    """(nonce, error) of each answer that goes up."""
    return [(each.nonce, each.error) for each in up(actions) if each.nonce]


def sent_nonce(actions: RelayActions, kind: ResourceType) -> str:
    """The nonce of the one response of `kind` that goes to the Envoy."""
    bodies = [decode_response(action.body) for action in actions if isinstance(action, Down)]
    (nonce,) = (each.nonce for each in bodies if each.type is kind)
    return nonce


def new_table(*stored: Resource) -> RelayTable:
    table = RelayTable(stored=stored)
    table.up_connected()
    return table


def introduce(table: RelayTable) -> None:
    """An Envoy that wants clusters and listeners, and has answered whatever it was sent."""
    table.down_connected()
    for kind in (CLUSTER, LISTENER):
        actions = table.down_received(encode_request(kind))
        for action in actions:
            if isinstance(action, Down):
                table.down_received(encode_request(kind, nonce=decode_response(action.body).nonce))


def test_no_answer_while_the_envoy_is_away() -> None:
    table = new_table()
    assert answers(table.up_received(response(CLUSTER, "u1", fake_resource(CLUSTER, "c", "1")))) == []
    table.down_connected()
    nonce = sent_nonce(table.down_received(encode_request(CLUSTER)), CLUSTER)
    assert answers(table.down_received(encode_request(CLUSTER, nonce=nonce))) == [("u1", None)]


def test_an_envoy_that_comes_later_may_refuse() -> None:
    table = new_table()
    table.up_received(response(CLUSTER, "u1", fake_resource(CLUSTER, "c", "1")))
    table.down_connected()
    nonce = sent_nonce(table.down_received(encode_request(CLUSTER)), CLUSTER)
    actions = table.down_received(encode_request(CLUSTER, nonce=nonce, error="bad"))
    assert answers(actions) == [("u1", "c: bad")]


def test_what_was_owed_when_the_envoy_left_waits_for_its_return() -> None:
    table = new_table()
    introduce(table)
    table.up_received(response(CLUSTER, "u1", fake_resource(CLUSTER, "c", "1")))
    assert answers(table.down_lost()) == []
    table.down_connected()
    held = encode_request(CLUSTER, initial={"c": "1"})
    assert answers(table.down_received(held)) == [("u1", None)], "it held that version when it came back"


def test_a_name_the_envoy_does_not_want_is_excused_once_it_is_quiet() -> None:
    table = new_table(fake_resource(CLUSTER, "c", "1"), fake_resource(ENDPOINT, "gone", "1"))
    table.up_received(response(LISTENER, "u1"))
    table.up_received(response(ENDPOINT, "u2", fake_resource(ENDPOINT, "gone", "2")))
    introduce(table)
    actions = table.down_quiet()
    assert answers(actions) == [("u2", None)]
    assert [each.unsubscribe for each in up(actions) if not each.nonce] == [("gone",)]


def test_a_quiet_envoy_that_has_not_asked_for_listeners_has_not_said_all() -> None:
    table = new_table(fake_resource(ROUTE, "r", "1"))
    table.up_received(response(ROUTE, "u1", fake_resource(ROUTE, "r", "2")))
    table.down_connected()
    table.down_received(encode_request(CLUSTER))
    assert table.down_quiet() == ()


def test_an_unwanted_name_does_not_hold_up_a_wanted_one() -> None:
    """The control plane sends no second response of a type before the first is answered."""
    table = new_table(fake_resource(ENDPOINT, "gone", "1"))
    table.up_received(response(ENDPOINT, "u1", fake_resource(ENDPOINT, "gone", "2")))
    table.down_connected()
    actions = table.down_received(encode_request(ENDPOINT, subscribe=["new"]))
    assert answers(actions) == [("u1", None)]


def test_only_what_an_envoy_took_is_claimed_to_be_held() -> None:
    table = new_table(fake_resource(CLUSTER, "old", "1"))
    table.up_received(response(CLUSTER, "u1", fake_resource(CLUSTER, "c", "1")))
    table.up_lost()
    (clusters,) = (each for each in up(table.up_connected()) if each.type_url == CLUSTER.url)
    assert clusters.initial == {"old": "1", "c": ""}
