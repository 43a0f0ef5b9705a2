"""Spliced bytes equal the message built the slow way."""

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf import any_pb2
from google.rpc import status_pb2
from hypothesis import given
from hypothesis import strategies as st

from proa.core.pilot.resource import ORDER, Resource, ResourceType
from proa.core.pilot.xds import wire

TEXT = st.text(max_size=200)
RESOURCES = st.builds(
    lambda name, version, value: Resource(
        type=ResourceType.CLUSTER,
        name=name,
        digest=version,
        body=any_pb2.Any(type_url=ResourceType.CLUSTER.url, value=value).SerializeToString(),
    ),
    TEXT,
    TEXT,
    st.binary(max_size=300) | st.integers(100, 40_000).map(bytes),
)


@given(
    kind=st.sampled_from(ORDER), nonce=TEXT, resources=st.lists(RESOURCES, max_size=5), removed=st.lists(TEXT)
)
def test_a_spliced_response_is_the_message(
    kind: ResourceType, nonce: str, resources: list[Resource], removed: list[str]
) -> None:
    slow = discovery_pb2.DeltaDiscoveryResponse(type_url=kind.url, nonce=nonce, removed_resources=removed)
    for resource in resources:
        item = slow.resources.add(name=resource.name, version=resource.digest)
        item.resource.ParseFromString(resource.body)
    spliced = wire.encode_response(kind, nonce, map(wire.encode_resource, resources), removed)
    assert discovery_pb2.DeltaDiscoveryResponse.FromString(spliced) == slow
    read = wire.decode_response(spliced)
    assert (read.type, read.nonce, read.removed) == (kind, nonce, tuple(removed))
    assert [(r.name, r.digest, r.body) for r in read.changed] == [
        (r.name, r.digest, r.body) for r in resources
    ]


def test_a_request_reads_as_it_was_written() -> None:
    node = b"\x0a\x01n"
    body = wire.encode_request(
        ResourceType.ROUTE,
        node=node,
        nonce="7",
        error="",
        subscribe=["a"],
        unsubscribe=["b"],
        initial={"a": "1"},
    )
    message = discovery_pb2.DeltaDiscoveryRequest.FromString(body)
    assert message.node.id == "n"
    assert message.error_detail == status_pb2.Status(code=3)
    assert wire.decode_request(body) == wire.Request(
        type_url=ResourceType.ROUTE.url,
        nonce="7",
        error="",
        subscribe=("a",),
        unsubscribe=("b",),
        initial={"a": "1"},
    )
    assert wire.decode_request(wire.encode_request(ResourceType.ROUTE)).error is None


def test_what_is_no_message_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="DeltaDiscoveryRequest"):
        wire.decode_request(b"\xff\xff")
    with pytest.raises(ValueError, match="DeltaDiscoveryResponse"):
        wire.decode_response(b"\xff\xff")
    with pytest.raises(ValueError, match="unknown type"):
        wire.decode_response(discovery_pb2.DeltaDiscoveryResponse(type_url="x").SerializeToString())


def test_pieces_are_made_once_and_forgotten_within_the_budget() -> None:
    one, two, three = (Resource(type=ResourceType.CLUSTER, name=n, body=bytes(60), digest="1") for n in "abc")
    pieces = wire.Pieces(budget_bytes=150)
    first = pieces.encode(one)
    assert first == wire.encode_resource(one)
    assert pieces.encode(one) is first
    pieces.encode(two)
    pieces.encode(three)  # a new generation: `one` is old, and is still found
    assert pieces.encode(one) is first
    newer = Resource(type=ResourceType.CLUSTER, name="a", body=b"", digest="2")
    assert pieces.encode(newer) == wire.encode_resource(newer)
