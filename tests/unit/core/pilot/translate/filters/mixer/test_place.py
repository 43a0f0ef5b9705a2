"""The place of Mixer's filters, and what stands in it."""

from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.mixer.needs import Needs
from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL, held_filters
from proa.core.pilot.resource import Resource
from proa.core.pilot.translate.filters.mixer.place import build_mixer, mixer_intent, mixer_name, mixer_place


def held(resource: Resource) -> tuple[TypedExtensionConfig, ...]:
    extension = TypedExtensionConfig.FromString(AnyMessage.FromString(resource.body).value)
    found = held_filters(extension.typed_config)
    assert found is not None
    return found


def test_a_place_is_asked_for_by_name_and_never_left_open() -> None:
    place = mixer_place(mixer_name(80, has_peer=True))
    assert place.name == "proa.mixer.80"
    assert place.config_discovery.type_urls == [FILTER_CHAIN_URL]
    assert not place.config_discovery.HasField("default_config"), "what has not arrived serves nobody"
    assert not place.disabled
    assert mixer_name(80, has_peer=False) == "proa.mixer.80.plain"


def test_without_needs_everything_passes() -> None:
    resource = build_mixer(mixer_intent(80, Needs(), has_peer=True))
    assert resource.name == "proa.mixer.80"
    assert held(resource) == ()
    assert resource.objects == ()
