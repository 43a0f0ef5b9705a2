"""The spelling of an agent's table on disk: what one workload was registered as, and what its Envoy last took.

`node.table_store` writes and reads the file; this module decides what stands in it and what is not believed. A table
is of one workload, one mesh and one place: with other ports its listeners would be somebody else's. No SECRET is ever
in it. One line of header, then the body:

    proa-table <format> <digest of the body>\\n<msgpack>
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from proa.core.model.digest import digest_bytes
from proa.core.pilot.resource import Resource
from proa.core.sidecar.relay_shelf import LOCAL_TYPES
from proa.core.sidecar.session import GatewayPort, MessageError, NodeState, Registration, decode, encode

FORMAT: Final = 1
_MAGIC: Final = b"proa-table"
_HEADER_MAX: Final = 128


class BadTable(Exception):
    """Bytes that are no table of this format; the text says why."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` is the registration that the control plane had accepted; `roots` are the digests of the roots that the
    node trusted then; `gateway_ports` are those a gateway held; `resources` come from `RelayTable.stored`."""

    facts: Registration
    roots: tuple[str, ...]
    gateway_ports: tuple[GatewayPort, ...] = ()
    resources: tuple[Resource, ...] = ()

    def is_of(self, registration: Registration, roots: Iterable[str]) -> bool:
        """Whether this is the table of that very registration in a mesh with one of those roots."""
        return self.facts == facts_of(registration) and not set(self.roots).isdisjoint(roots)


class _Body(msgspec.Struct, frozen=True, kw_only=True):
    facts: bytes
    roots: tuple[str, ...]
    gateway_ports: tuple[GatewayPort, ...]
    resources: tuple[Resource, ...]


def facts_of(registration: Registration) -> Registration:
    """What the control plane's consent does not hang on is left out: health, and ports that Gateways ask for."""
    ports = tuple(msgspec.structs.replace(port, health="STARTING") for port in registration.ports)
    return msgspec.structs.replace(registration, ports=ports, gateway_ports=())


def encode_table(table: Table) -> bytes:
    """Equal tables have equal bytes."""
    body = msgspec.msgpack.encode(
        _Body(
            facts=encode(NodeState(version=0, workloads=(facts_of(table.facts),))),
            roots=table.roots,
            gateway_ports=table.gateway_ports,
            resources=tuple(each for each in table.resources if each.type not in LOCAL_TYPES),
        )
    )
    return b"%s %d %s\n%s" % (_MAGIC, FORMAT, digest_bytes(body).encode(), body)


def decode_table(data: bytes) -> Table:
    """Raises BadTable."""
    header, newline, body = data[:_HEADER_MAX].partition(b"\n")
    words = header.split(b" ")
    if not newline or len(words) != 3 or words[0] != _MAGIC:
        raise BadTable("it is no table, or cut off")
    if words[1] != b"%d" % FORMAT:
        raise BadTable(f"format {words[1].decode(errors='replace')}, this agent reads {FORMAT}")
    body = data[len(header) + 1 :]
    if digest_bytes(body).encode() != words[2]:
        raise BadTable("the checksum is wrong")
    try:
        read = msgspec.msgpack.decode(body, type=_Body)
        (facts,) = decode(read.facts, NodeState).workloads
    except (msgspec.DecodeError, MessageError, ValueError) as error:
        raise BadTable(f"it cannot be read: {error}") from None
    if any(each.type in LOCAL_TYPES for each in read.resources):
        raise BadTable("there is a secret in it")
    return Table(facts=facts, roots=read.roots, gateway_ports=read.gateway_ports, resources=read.resources)
