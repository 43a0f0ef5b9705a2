"""What a registration may say: the bounds of its values, before anything is built of them.

The registrations' owner asks this of whatever a node tells; rights are `core.auth.grants`' business. A node is trusted
with its own workloads and with nothing else: a value that no proxy would take, or an address that means something
else to others than it does to the node (a Unix socket, loopback, a name), must not leave this door.
"""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from proa.core.config.hostnames import is_ip, name_fault
from proa.core.config.labels import is_label_key, is_label_value
from proa.core.sidecar.session import Registration

MAX_WEIGHT: Final = 10_000
"""So that the weights of a whole locality stay within Envoy's 32 bits."""
MAX_ITEMS: Final = 256
"""Ports, upstreams, labels of one workload."""
MAX_TEXT: Final = 253
SHOWN: Final = 80

Fault = str


def registration_faults(registration: Registration, *, from_this_host: bool) -> tuple[Fault, ...]:
    """Why the registration is not taken whatever the node's grant, in words for its user; empty when it may be.

    `from_this_host`: the node speaks from the control plane's own host. Only there loopback is an address that
    other workloads can mean, too.
    """
    return (
        *_address_faults(registration.address, from_this_host),
        *_number_faults(registration),
        *_text_faults(registration),
        *_label_faults(registration.labels),
        *_size_faults(registration),
    )


def _address_faults(text: str, from_this_host: bool) -> Iterator[Fault]:
    """An IP address is meant and nothing else: elsewhere `unix://` would be a socket of the client's own host."""
    try:
        address = ip_address(text)
    except ValueError:
        yield f"address {_shown(text)} is not an IP address"
        return
    if isinstance(address, IPv6Address) and (address.ipv4_mapped is not None or address.scope_id is not None):
        yield f"address {address} is an IPv6 spelling that means one host only; write the plain address"
    elif address.is_loopback and not from_this_host:
        yield f"address {address} leads every other host to itself; start the agent with --address"
    elif not address.is_loopback and not _is_reachable(address):
        yield f"address {address} is not one at which a host is reached"


def _is_reachable(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address) and (address.packed[0] == 0 or address.packed[0] >= 224):
        return False  # "this network", multicast, reserved, broadcast
    return not (address.is_unspecified or address.is_multicast or address.is_link_local)


def _number_faults(registration: Registration) -> Iterator[Fault]:
    ports = [
        *(
            number
            for port in registration.ports
            for number in (port.service_port, port.app_port, port.sidecar_port)
        ),
        *(number for each in registration.upstreams for number in (each.port, each.local_port)),
        *(number for each in registration.gateway_ports for number in (each.server_port, each.bound_port)),
    ]
    if registration.outbound_port is not None:
        ports.append(registration.outbound_port)
    yield from (f"{number} is not a port" for number in dict.fromkeys(ports) if not 0 < number < 65536)
    if not 0 < registration.weight <= MAX_WEIGHT:
        yield f"weight {registration.weight} is not between 1 and {MAX_WEIGHT}"


def _text_faults(registration: Registration) -> Iterator[Fault]:
    for upstream in registration.upstreams:
        if name_fault(upstream.host):
            yield f"upstream {_shown(upstream.host)} is not a host name"
    for door in registration.gateway_ports:
        if door.address and not is_ip(door.address):
            yield f"listener {_shown(door.address)} is not at an IP address"
    texts = [
        *(("fault", door.fault) for door in registration.gateway_ports),
        ("network", registration.network),
        ("locality", registration.locality),
        ("cluster", registration.cluster),
        *(("port name", port.name) for port in registration.ports),
        *(("protocol", port.protocol) for port in registration.ports),
    ]
    for what, text in texts:
        if not _is_plain(text):
            yield f"{what} {_shown(text)} is no short word of ASCII"


def _label_faults(labels: Mapping[str, str]) -> Iterator[Fault]:
    for key, value in labels.items():
        if not (is_label_key(key) and is_label_value(value)):
            yield f"label {_shown(key)}={_shown(value)} is no label"


def _size_faults(registration: Registration) -> Iterator[Fault]:
    for what, items in (
        ("ports", registration.ports),
        ("upstreams", registration.upstreams),
        ("gateway ports", registration.gateway_ports),
        ("labels", registration.labels),
        ("metadata", registration.metadata),
    ):
        if len(items) > MAX_ITEMS:
            yield f"{len(items)} {what}; a workload has {MAX_ITEMS} at most"
    if not all(_is_plain(text) for text in _flat(registration.metadata.items())):
        yield "metadata are short words of ASCII"


def _flat(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for pair in pairs:
        yield from pair


def _is_plain(text: str) -> bool:
    return len(text) <= MAX_TEXT and text.isascii() and (not text or text.isprintable())


def _shown(text: str) -> str:
    """What a stranger wrote, safe for a log and a terminal."""
    return ascii(text if len(text) <= SHOWN else f"{text[:SHOWN]}...")
