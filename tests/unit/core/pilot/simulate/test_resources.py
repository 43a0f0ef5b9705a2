"""Bytes back into messages, and what is wrong with bytes that are none."""

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Metadata
from envoy.config.listener.v3.listener_pb2 import Listener
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate.resources import BadResource, Decoder, decode, objects_of, rule_of, unpack
from proa.core.pilot.translate.clusters import build_black_hole

BLACK_HOLE = build_black_hole()


def test_a_resource_is_decoded_once() -> None:
    asked: list[str] = []

    def lookup(kind: ResourceType, name: str) -> Resource | None:
        asked.append(name)
        return BLACK_HOLE if kind is ResourceType.CLUSTER else None

    decoder = Decoder(lookup)
    assert decoder.cluster("b") is decoder.cluster("b")
    assert decoder.routes("r") is None
    assert decoder.endpoints("e") is None
    assert decoder.listener("l") is None
    assert asked == ["b", "r", "e", "l"]


def test_bytes_of_another_kind() -> None:
    with pytest.raises(BadResource, match=r"BlackHoleCluster: a .*Cluster, not a .*Listener"):
        decode(BLACK_HOLE, Listener)


@pytest.mark.parametrize(
    "body", [b"\xff", AnyMessage(type_url="x/" + Cluster.DESCRIPTOR.full_name, value=b"\xff")]
)
def test_bytes_of_no_kind(body: bytes | AnyMessage) -> None:
    raw = body if isinstance(body, bytes) else body.SerializeToString()
    with pytest.raises(BadResource):
        decode(Resource(type=ResourceType.CLUSTER, name="x", body=raw, digest=""), Cluster)


def test_an_any_of_another_kind_is_none() -> None:
    assert unpack(AnyMessage(type_url="x/y"), Cluster) is None


def test_a_message_without_an_origin() -> None:
    assert (objects_of(Metadata()), rule_of(Metadata())) == ((), "")
