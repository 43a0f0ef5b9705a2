from proa.core.config.gateway_api.bound import Member
from proa.core.config.gateway_api.doors import entrance, gateway_standing, set_standings
from proa.core.config.gateway_api.gateway_schema import (
    AllowedListeners,
    Gateway,
    GatewayRef,
    Listener,
    ListenerNamespaces,
    ListenerSet,
)
from proa.core.model.names import ObjectRef

WEB = ObjectRef("Gateway.gateway.networking.k8s.io", "default", "web")
OWN = Listener(name="own", port=80, protocol="HTTP")
OPEN = AllowedListeners(namespaces=ListenerNamespaces(from_="Same"))


def added(name: str, created: float, *listeners: Listener, namespace: str = "default") -> Member:
    spec = ListenerSet(parent_ref=GatewayRef(name="web"), listeners=listeners)
    return Member(ref=ObjectRef("ListenerSet", namespace, name), spec=spec, created=created)


def test_the_older_set_has_a_port() -> None:
    first, second = (Listener(name=name, port=81, protocol="HTTP") for name in ("first", "second"))
    mixed = Listener(name="mixed", port=80, protocol="TCP")
    spec = Gateway(gateway_class_name="proa", listeners=(OWN,), allowed_listeners=OPEN)
    young, old = added("a", 2.0, first, mixed), added("b", 1.0, second)
    found = entrance(WEB, spec, [young, old])
    assert [each.listener.name for each in found.doors] == ["own", "second"]
    assert [(each.listener.name, why) for each, why in found.conflicts] == [
        ("first", "HostnameConflict"),
        ("mixed", "ProtocolConflict"),
    ]
    reasons = {each.ref.name: each.conditions[0].reason for each in set_standings(WEB, found, [], ())}
    assert reasons == {"b": "Accepted", "a": "ListenersNotValid"}
    assert gateway_standing(WEB, found, [], ()).sets == 2


def test_nobody_adds_where_nothing_is_said() -> None:
    spec = Gateway(gateway_class_name="proa", listeners=(OWN,))
    found = entrance(WEB, spec, [added("a", 1.0, Listener(name="x", port=81, protocol="HTTP"))])
    assert [each.listener for each in found.doors] == [OWN]
    (told,) = set_standings(WEB, found, [], ())
    assert told.conditions[0].reason == "NotAllowed"
