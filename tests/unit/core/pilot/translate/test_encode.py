"""Bytes are stable, versions are content, and a message says where it came from."""

from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from proa.core.model.names import ObjectRef
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import objects_of, rule_of
from proa.core.pilot.translate.encode import build_resource, millis, provenance


@given(st.permutations(list("abcdef")))
def test_the_order_of_a_map_is_no_content(keys: list[str]) -> None:
    message = Struct(fields={key: Value(string_value=key) for key in keys})
    ordered = Struct(fields={key: Value(string_value=key) for key in sorted(keys)})
    one = build_resource(ResourceType.CLUSTER, "x", message)
    other = build_resource(ResourceType.CLUSTER, "x", ordered)
    assert (one.body, one.digest) == (other.body, other.digest)


def test_durations() -> None:
    assert (millis(1500).seconds, millis(1500).nanos) == (1, 500_000_000)


def test_provenance_can_be_read_back() -> None:
    metadata = provenance([ObjectRef("VirtualService", "default", "a")], "http[1]")
    assert objects_of(metadata) == ("VirtualService/default/a",)
    assert rule_of(metadata) == "http[1]"
    assert not provenance([]).filter_metadata
