"""What a table on disk says, and which files are not believed."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.sidecar.session import GatewayPort, RegisteredPort, Registration
from proa.core.sidecar.table_file import BadTable, Table, decode_table, encode_table, facts_of

PORT = RegisteredPort(
    service="web", service_port=80, name="http", protocol="HTTP", app_port=8000, sidecar_port=20_001
)
FACTS = Registration(
    id=WorkloadId("default", "web-1"),
    node="here",
    account="web",
    labels=Map({"version": "v1", "app": "web"}),
    address="127.0.0.1",
    ports=(PORT,),
    outbound_port=20_002,
    capture="explicit",
)
CLUSTER = Resource(
    type=ResourceType.CLUSTER,
    name="outbound|80||web",
    body=b"\n\x00\xff",
    digest="d1",
    objects=(ObjectRef("DestinationRule", "default", "web"),),
)
SECRET = Resource(type=ResourceType.SECRET, name="default", body=b"key", digest="d2")
BOUND = (GatewayPort(server_port=80, bound_port=20_080),)
TABLE = Table(facts=FACTS, roots=("r1",), gateway_ports=BOUND, resources=(CLUSTER,))


def test_what_was_written_is_read() -> None:
    assert decode_table(encode_table(TABLE)) == TABLE


def test_a_secret_is_never_written() -> None:
    data = encode_table(msgspec.structs.replace(TABLE, resources=(CLUSTER, SECRET)))
    assert SECRET.body not in data
    assert decode_table(data) == TABLE


def test_health_and_the_ports_of_gateways_are_no_facts() -> None:
    healthy = msgspec.structs.replace(PORT, health="HEALTHY")
    later = msgspec.structs.replace(FACTS, ports=(healthy,), gateway_ports=BOUND)
    assert facts_of(later) == FACTS
    assert TABLE.is_of(later, ("r1",))


def test_another_port_account_or_mesh_is_another_table() -> None:
    moved = msgspec.structs.replace(PORT, sidecar_port=20_003)
    assert not TABLE.is_of(msgspec.structs.replace(FACTS, ports=(moved,)), ("r1",))
    assert not TABLE.is_of(msgspec.structs.replace(FACTS, account="other"), ("r1",))
    assert not TABLE.is_of(FACTS, ("r2",))
    assert TABLE.is_of(FACTS, ("r2", "r1")), "roots overlap while they are rotated"


def test_another_format_is_said_so() -> None:
    data = encode_table(TABLE).replace(b"proa-table 1 ", b"proa-table 2 ", 1)
    with pytest.raises(BadTable, match="format 2"):
        decode_table(data)


@given(st.binary(max_size=300))
def test_noise_is_no_table(data: bytes) -> None:
    with pytest.raises(BadTable):
        decode_table(data)


@given(st.data())
def test_a_table_that_was_cut_or_changed_is_not_believed(data: st.DataObject) -> None:
    whole = encode_table(TABLE)
    at = data.draw(st.integers(0, len(whole) - 1))
    for damaged in (whole[:at], whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :]):
        with pytest.raises(BadTable):
            decode_table(damaged)
