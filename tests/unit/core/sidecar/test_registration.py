"""What a node may say of a workload at all: every value that would harm others is named and refused."""

import pytest
from immutables import Map
from msgspec.structs import replace

from proa.core.sidecar.registration import MAX_ITEMS, MAX_WEIGHT, registration_faults
from proa.core.sidecar.session import GatewayPort, RegisteredPort, Registration, Upstream
from proa.testing.builders import registered_port, registration, simple

GOOD = simple("a")


def faults(changed: Registration, *, from_this_host: bool = False) -> tuple[str, ...]:
    return registration_faults(changed, from_this_host=from_this_host)


def port(**changes: int | str) -> tuple[RegisteredPort, ...]:
    return (replace(registered_port("a"), **changes),)


def test_what_agents_say_is_taken() -> None:
    assert faults(GOOD) == ()
    gateway = registration(
        "g", kind="gateway", gateway_ports=(GatewayPort(server_port=80, bound_port=20001),)
    )
    assert faults(gateway) == ()
    caller = registration("c", upstreams=(Upstream(host="redis", port=6379, local_port=30001),))
    assert faults(replace(caller, labels=Map({"app.kubernetes.io/name": "c"}), locality="eu/a/1")) == ()
    assert faults(replace(GOOD, address="2001:db8::1")) == ()


@pytest.mark.parametrize(
    "address",
    [
        "unix:///run/docker.sock",
        "unix://@abstract",
        "metadata.internal",
        "localhost",
        "",
        "10.1",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "2130706433",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "169.254.169.254",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "10.0.0.1\n",
    ],
)
def test_an_address_is_one_at_which_others_reach_the_node(address: str) -> None:
    (fault,) = faults(replace(GOOD, address=address))
    assert "address" in fault


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_is_an_address_on_the_control_planes_own_host(address: str) -> None:
    assert faults(replace(GOOD, address=address), from_this_host=True) == ()
    assert "--address" in faults(replace(GOOD, address=address))[0]


def test_other_addresses_are_refused_on_the_same_host_too() -> None:
    for address in ("unix:///run/docker.sock", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0"):
        assert faults(replace(GOOD, address=address), from_this_host=True)


@pytest.mark.parametrize(
    "changed",
    [
        replace(GOOD, ports=port(sidecar_port=-1)),
        replace(GOOD, ports=port(sidecar_port=65536)),
        replace(GOOD, ports=port(service_port=2**40)),
        replace(GOOD, ports=port(app_port=0)),
        replace(GOOD, outbound_port=-1),
        replace(GOOD, gateway_ports=(GatewayPort(server_port=80, bound_port=-80),)),
        replace(GOOD, upstreams=(Upstream(host="redis", port=0, local_port=1),)),
    ],
)
def test_a_port_is_a_port(changed: Registration) -> None:
    (fault,) = faults(changed)
    assert fault.endswith("is not a port")


@pytest.mark.parametrize(
    "changed",
    [
        replace(GOOD, gateway_ports=(GatewayPort(server_port=80, bound_port=80, address="unix:///a"),)),
        replace(GOOD, gateway_ports=(GatewayPort(server_port=80, bound_port=80, fault="a\nb"),)),
        replace(GOOD, weight=0),
        replace(GOOD, weight=MAX_WEIGHT + 1),
        replace(GOOD, ports=port(name="x\ny")),
        replace(GOOD, ports=port(protocol="é")),
        replace(GOOD, locality="x" * 300),
        replace(GOOD, labels=Map({"app": "x" * 100})),
        replace(GOOD, labels=Map({"a b": "x"})),
        replace(GOOD, labels=Map({f"l{number}": "" for number in range(MAX_ITEMS + 1)})),
        replace(GOOD, upstreams=(Upstream(host="a|b\n", port=1, local_port=1),)),
        replace(GOOD, metadata=Map({"k": "\x1b[2J"})),
    ],
)
def test_nothing_else_is_out_of_bounds(changed: Registration) -> None:
    (fault,) = faults(changed)
    assert fault.isascii()
    assert fault.isprintable()
