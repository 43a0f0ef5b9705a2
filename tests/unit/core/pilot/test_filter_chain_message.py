from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig

from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, filter_chain


def test_the_message() -> None:
    one = filter_chain([TypedExtensionConfig(name="a")])
    assert f"type.googleapis.com/{one.DESCRIPTOR.full_name}" == FILTER_CHAIN_URL
    # Field 1, a chain; its field 1, a filter; its field 1, a name: the numbers of Envoy's .proto.
    assert one.SerializeToString() == b"\n\x05\n\x03\n\x01a"
    assert filter_chain(()).SerializeToString() == b""
    assert filter_chain((), per_route=True).DESCRIPTOR.name == "FilterChainConfigPerRoute"
