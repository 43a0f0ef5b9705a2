from proa.core.config.gateway_api.check.gateways import (
    check_class,
    check_gateway,
    check_grant,
    check_listener_set,
)
from proa.core.config.gateway_api.gateway_schema import (
    Gateway,
    GatewayClass,
    GatewayRef,
    Listener,
    ListenerSet,
    ListenerTls,
    ReferenceGrant,
)
from proa.core.config.meta import Meta

META = Meta(name="a", namespace="default")
LISTENER = Listener(name="http", port=80, protocol="HTTP", hostname="*.example.com")


def test_what_is_fine_has_no_findings() -> None:
    assert list(check_gateway(Gateway(gateway_class_name="proa", listeners=(LISTENER,)), META)) == []
    assert list(check_class(GatewayClass(controller_name="proa.dev/gateway-controller"), META)) == []
    added = ListenerSet(parent_ref=GatewayRef(name="web"), listeners=(LISTENER,))
    assert list(check_listener_set(added, META)) == []


def test_tls_that_ends_needs_a_certificate() -> None:
    ended = Listener(name="tls", port=80, protocol="TLS", tls=ListenerTls())
    (found,) = check_gateway(Gateway(gateway_class_name="proa", listeners=(ended,)), META)
    assert found.path == ("spec", "listeners", 0, "tls", "certificateRefs")


def test_an_empty_grant_is_told_twice() -> None:
    assert [each.path for each in check_grant(ReferenceGrant(from_=(), to=()), META)] == [
        ("spec", "from"),
        ("spec", "to"),
    ]
