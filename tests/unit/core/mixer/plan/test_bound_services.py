import pytest
from immutables import Map

from proa.core.config.istio_service import IstioService, NamedSpec
from proa.core.mixer.plan.bound_services import Binding, BoundServices, bind_services, bound_to, host_of
from proa.core.model.names import ObjectRef

ONE, TWO = ObjectRef("QuotaSpec", "shop", "one"), ObjectRef("QuotaSpec", "other", "two")


@pytest.mark.parametrize(
    ("service", "host"),
    [
        (IstioService(name="a"), "a.shop.svc.cluster.local"),
        (IstioService(name="a", namespace="b"), "a.b.svc.cluster.local"),
        (IstioService(name="a", namespace="b", domain="example.com"), "a.b.example.com"),
        (IstioService(service="A.example"), "a.example"),
    ],
)
def test_services_have_full_names(service: IstioService, host: str) -> None:
    assert host_of(service, "shop") == host


def bound(*services: str, named: tuple[NamedSpec, ...] = (NamedSpec(name="one"),)) -> BoundServices:
    found = (IstioService(service=service) for service in services)
    binding = Binding(namespace="shop", services=tuple(found), named=named)
    return bind_services("QuotaSpec", (ONE, TWO), [binding])


def test_patterns_find_their_services() -> None:
    everything = bound("*", "*.shop.*", "*.example.com", "a.b")
    assert everything.everywhere == (ONE,)
    assert everything.namespaces == Map(shop=(ONE,))
    assert everything.endings == Map({".example.com": (ONE,)})
    assert everything.hosts == Map({"a.b": (ONE,)})
    hosts = (
        "a.shop.svc.cluster.local",
        "a.other.svc.cluster.local",
        "x.example.com",
        "example.com",
        "a.b",
        "b",
    )
    namespaced = bound("*.shop.*", "*.example.com")
    assert [host for host in hosts if bound_to(namespaced, host)] == [hosts[0], hosts[2]]
    assert all(bound_to(bound("*"), host) == (ONE,) for host in hosts)


def test_each_is_bound_once_and_what_is_not_there_is_not() -> None:
    named = (NamedSpec(name="two", namespace="other"), NamedSpec(name="one"), NamedSpec(name="gone"))
    both = bound("*", "a.b", "*.b", named=named)
    assert bound_to(both, "a.b") == (TWO, ONE)
    assert bound_to(bound(), "a.b") == ()
