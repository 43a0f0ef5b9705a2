"""The message of ours is Envoy's on the wire."""

from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import Config

from proa.core.pilot.translate.filters.handshake_state import TYPE_URL, HandshakeState


def test_it_is_envoys_message_with_one_field_more() -> None:
    value = FilterStateValue(object_key="key")
    packed = HandshakeState.after(value)
    assert packed.type_url == TYPE_URL == f"type.googleapis.com/{Config.DESCRIPTOR.full_name}"
    # Field 2, of the same kind as field 1: as Envoy 1.40's own descriptor has it.
    as_new_connection = Config(on_new_connection=[value]).SerializeToString()
    assert packed.value == bytes([2 << 3 | 2]) + as_new_connection[1:]
