"""A registered workload in the terms of the model."""

from proa.core.auth.peer_policy import PortTls, settled
from proa.core.model.names import WorkloadId
from proa.core.model.workload import GatewayPort, UpstreamListener
from proa.core.pilot.registry.registration import workload_source
from proa.core.sidecar import session
from proa.testing.builders import contribution, registered_port, registration, simple


def test_its_service_its_endpoint_and_its_sidecar() -> None:
    found = contribution(simple("shop/a", "v2", address="10.0.0.5"))
    (claim,) = found.claims
    assert found.source == workload_source(WorkloadId("shop", "a-v2"))
    assert claim.service.hostname == "a.shop.svc.cluster.local"
    assert claim.service.accounts == ("spiffe://cluster.local/ns/shop/sa/a",)
    (endpoint,) = claim.endpoints
    assert (endpoint.address, endpoint.port, endpoint.service_port) == ("10.0.0.5", 20000, 9080)
    assert (endpoint.tls, endpoint.workload, endpoint.labels["version"]) == ("mutual", "shop/a-v2", "v2")
    assert found.workload is not None
    (inbound,) = found.workload.inbound
    assert (inbound.app_port, inbound.sidecar_port, inbound.mode) == (9080, 20000, "STRICT")
    assert found.workload.bind == "10.0.0.5"


def test_who_registers_does_not_say_who_may_serve() -> None:
    (claim,) = contribution(simple("a"), accounts={"a": ()} | {"b": ("x",)}).claims
    assert claim.service.accounts == ()


def test_what_is_starting_is_served_to_nobody_but_has_its_sidecar() -> None:
    found = contribution(registration("a", registered_port("a", health="STARTING")))
    assert found.claims[0].endpoints == ()
    assert found.instances == ()
    assert found.workload is not None
    assert len(found.workload.inbound) == 1


def test_each_port_has_its_own_mode_and_health() -> None:
    placed = registration(
        "a",
        registered_port("a", 80),
        registered_port("a", 81, health="UNHEALTHY", sidecar_port=20001),
    )
    moving = PortTls(serving="PERMISSIVE", advertised="disabled", target="DISABLE", heard=False)
    found = contribution(placed, port_tls={80: settled("STRICT"), 81: moving})
    (claim,), (instance,) = found.claims, found.instances
    assert [(each.tls, each.health) for each in claim.endpoints] == [
        ("mutual", "HEALTHY"),
        ("disabled", "UNHEALTHY"),
    ]
    assert [instance.templates[number].tls for number in (20000, 20001)] == ["mutual", "disabled"]
    assert instance.ports["http-81"] == instance.ports["81"] == 20001
    assert found.workload is not None
    assert [each.mode for each in found.workload.inbound] == ["STRICT", "PERMISSIVE"]


def test_a_program_without_a_sidecar_takes_plaintext() -> None:
    (claim,) = contribution(registration("a", registered_port("a"), kind="proxyless")).claims
    assert [each.tls for each in claim.endpoints] == ["disabled"]


def test_upstreams_are_named_in_full_and_gateway_ports_are_kept() -> None:
    placed = registration(
        "shop/a",
        kind="gateway",
        upstreams=(session.Upstream(host="db", port=1, local_port=2),),
        gateway_ports=(session.GatewayPort(server_port=80, bound_port=8080),),
    )
    workload = contribution(placed).workload
    assert workload is not None
    assert workload.upstreams == (UpstreamListener(host="db.shop.svc.cluster.local", port=1, local_port=2),)
    assert workload.gateway_ports == (GatewayPort(port=80, bound_port=8080),)
    assert workload.outbound_port == 0
