"""The bytes are protobuf's, whatever is spliced."""

import pytest
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.resource import Resource
from proa.core.pilot.xds.sotw_wire import (
    decode_sotw_request,
    decode_sotw_response,
    encode_sotw_request,
    encode_sotw_response,
)
from proa.testing.xds import CLUSTER


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300_000])
def test_a_response_is_what_protobuf_reads(size: int) -> None:
    body = AnyMessage(type_url=CLUSTER.url, value=b"x" * size).SerializeToString()
    resource = Resource(type=CLUSTER, name="c", body=body, digest="1")
    encoded = encode_sotw_response(CLUSTER, [resource, resource], version="v", nonce="7")
    message = discovery_pb2.DiscoveryResponse.FromString(encoded)
    assert (message.version_info, message.nonce, message.type_url) == ("v", "7", CLUSTER.url)
    assert [each.value for each in message.resources] == [b"x" * size] * 2
    assert decode_sotw_response(encoded).bodies == (body, body)


def test_a_request_comes_back_as_it_was_written() -> None:
    request = decode_sotw_request(
        encode_sotw_request(CLUSTER, ("a", "b"), version="v", nonce="7", error="no")
    )
    assert (request.names, request.version, request.nonce, request.error) == (("a", "b"), "v", "7", "no")
    assert decode_sotw_request(encode_sotw_request(CLUSTER)).error is None


def test_what_is_something_else_is_said_to_be() -> None:
    with pytest.raises(ValueError, match="DiscoveryRequest"):
        decode_sotw_request(b"\xff")
    with pytest.raises(ValueError, match="DiscoveryResponse"):
        decode_sotw_response(b"\xff")
    with pytest.raises(ValueError, match="unknown type"):
        decode_sotw_response(discovery_pb2.DiscoveryResponse(type_url="x").SerializeToString())
