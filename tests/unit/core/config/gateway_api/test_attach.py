import pytest

from proa.core.config.gateway_api.attach import (
    Door,
    allows,
    attach,
    covers,
    intersection,
    is_permitted,
    is_service,
    listener_hosts,
    specificity,
    supported_kinds,
)
from proa.core.config.gateway_api.gateway_schema import (
    AllowedRoutes,
    GrantFrom,
    GrantTo,
    Listener,
    ReferenceGrant,
    RouteKind,
    RouteNamespaces,
)
from proa.core.config.gateway_api.schema import GROUP, BackendObject, ParentRef
from proa.core.model.names import ObjectRef

ROUTE = ObjectRef("HTTPRoute", "default", "r")
OWNER = ObjectRef("Gateway.gateway.networking.k8s.io", "default", "web")
WIDE = Listener(name="wide", port=80, protocol="HTTP")
NARROW = Listener(name="narrow", port=81, protocol="HTTP", hostname="*.Example.com")
BOTH = tuple(Door(listener=each, owner=OWNER, index=index) for index, each in enumerate((WIDE, NARROW)))


@pytest.mark.parametrize(
    ("one", "other", "met"),
    [
        ("*", "a.example.com", "a.example.com"),
        ("*.example.com", "a.b.example.com", "a.b.example.com"),
        ("*.example.com", "*.b.example.com", "*.b.example.com"),
        ("*.example.com", "example.com", ""),
        ("a.example.com", "b.example.com", ""),
    ],
)
def test_names_meet_in_the_narrower(one: str, other: str, met: str) -> None:
    assert intersection(one, other) == intersection(other, one) == met
    assert covers(one, other) == bool(met)


def test_the_longest_exact_name_is_most_specific() -> None:
    names = ["*", "*.example.com", "a.example.com", "*.b.example.com"]
    assert sorted(names, key=specificity) == ["a.example.com", "*.b.example.com", "*.example.com", "*"]


@pytest.mark.parametrize(
    ("parent", "hostnames", "reason", "bound"),
    [
        (ParentRef(name="web"), (), "Accepted", {"wide": ("*",), "narrow": ("*.example.com",)}),
        (
            ParentRef(name="web", section_name="narrow"),
            ("a.example.com", "b.org"),
            "Accepted",
            {"narrow": ("a.example.com",)},
        ),
        (ParentRef(name="web", port=81), ("b.org",), "NoMatchingListenerHostname", {}),
        (ParentRef(name="web", port=80, section_name="narrow"), (), "NoMatchingParent", {}),
    ],
)
def test_where_a_route_is_bound(
    parent: ParentRef, hostnames: tuple[str, ...], reason: str, bound: dict[str, tuple[str, ...]]
) -> None:
    condition, found = attach(ROUTE, hostnames, parent, BOTH)
    assert (condition.reason, condition.status) == (reason, reason == "Accepted")
    assert {each.door.listener.name: each.hosts for each in found} == bound
    assert [name for name, _ in listener_hosts(BOTH, 81)] == ["*.example.com"]


def test_who_is_let_in() -> None:
    def listener(namespaces: RouteNamespaces, *kinds: str) -> Listener:
        allowed = AllowedRoutes(namespaces=namespaces, kinds=tuple(RouteKind(kind=kind) for kind in kinds))
        return Listener(name="a", port=80, protocol="HTTP", allowed_routes=allowed)

    other = ObjectRef("HTTPRoute", "other", "r")
    assert allows(listener(RouteNamespaces()), ROUTE, "default")
    assert not allows(listener(RouteNamespaces()), other, "default")
    assert allows(listener(RouteNamespaces(from_="All")), other, "default")
    assert not allows(listener(RouteNamespaces(from_="None")), ROUTE, "default")
    only = listener(RouteNamespaces(from_="All"), "GRPCRoute", "TCPRoute")
    assert supported_kinds(only) == ("GRPCRoute",)
    assert not allows(only, ROUTE, "default")


def test_other_namespaces_must_grant() -> None:
    grant = ReferenceGrant(
        from_=(GrantFrom(group=GROUP, kind="HTTPRoute", namespace="default"),),
        to=(GrantTo(group="", kind="Service", name="a"),),
    )
    a, b = (BackendObject(name=name, namespace="open", port=80) for name in ("a", "b"))
    assert is_service(a)
    assert is_permitted(ROUTE, a, [("open", grant)])
    assert not is_permitted(ROUTE, b, [("open", grant)])
    assert not is_permitted(ROUTE, a, [("elsewhere", grant)])
    assert is_permitted(ROUTE, BackendObject(name="x", port=80), [])
