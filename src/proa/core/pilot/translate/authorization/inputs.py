"""What Envoy's matchers are given of a request or a connection, and how it comes there.

Who the peer is comes from its certificate. Without TLS Envoy answers that as "not known yet", which would leave a whole
tree undecided, so only chains that end mesh TLS ask for it (`Place.has_peer`). The path is kept without its query.
"""

from collections.abc import Iterable
from typing import Final

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as HttpState
from envoy.extensions.matching.common_inputs.network.v3.network_inputs_pb2 import (
    DestinationIPInput,
    DirectSourceIPInput,
    DynamicMetadataInput,
    FilterStateInput,
    ServerNameInput,
    SourceIPInput,
)
from envoy.extensions.matching.common_inputs.ssl.v3.ssl_inputs_pb2 import DnsSanInput, UriSanInput
from envoy.type.matcher.v3.http_inputs_pb2 import HttpRequestHeaderMatchInput
from google.protobuf.message import Message
from xds.core.v3.extension_pb2 import TypedExtensionConfig

from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.filters import names

PATH: Final = "proa.path"
REQUEST_PRINCIPAL: Final = "proa.request_principal"

JWT_FILTER: Final = names.JWT
JWT_PAYLOAD: Final = names.JWT_PAYLOAD
"""Where the filter that verifies tokens must leave a token's claims, under its own name, for policies to find them."""

_FORMATS: Final = {
    # Without `PATH` Envoy prefers x-envoy-original-path, which any caller can write.
    PATH: "%PATH(NQ:PATH)%",
    REQUEST_PRINCIPAL: (
        f"%DYNAMIC_METADATA({JWT_FILTER}:{JWT_PAYLOAD}:iss)%/%DYNAMIC_METADATA({JWT_FILTER}:{JWT_PAYLOAD}:sub)%"
    ),
}


def _value(key: str) -> FilterStateValue:
    text = DataSource(inline_string=_FORMATS[key])
    return FilterStateValue(
        object_key=key,
        factory_key="envoy.string",
        format_string=SubstitutionFormatString(text_format_source=text, omit_empty_values=True),
    )


def request_state(keys: Iterable[str]) -> HttpState:
    return HttpState(on_request_headers=[_value(key) for key in sorted(keys)])


def _input(name: str, config: Message) -> TypedExtensionConfig:
    return TypedExtensionConfig(name=name, typed_config=pack(config))


def state(key: str) -> TypedExtensionConfig:
    return _input("envoy.matching.inputs.filter_state", FilterStateInput(key=key))


def header(name: str) -> TypedExtensionConfig:
    return _input("envoy.matching.inputs.request_headers", HttpRequestHeaderMatchInput(header_name=name))


def metadata(name: str, path: Iterable[str]) -> TypedExtensionConfig:
    config = DynamicMetadataInput(filter=name)
    for key in path:
        config.path.add(key=key)
    return _input("envoy.matching.inputs.dynamic_metadata", config)


PEER: Final = _input("envoy.matching.inputs.uri_san", UriSanInput())
PEER_WORKLOAD: Final = _input("envoy.matching.inputs.dns_san", DnsSanInput())
SNI: Final = _input("envoy.matching.inputs.server_name", ServerNameInput())
ADDRESSES: Final = {
    "source_ip": _input("envoy.matching.inputs.direct_source_ip", DirectSourceIPInput()),
    "remote_ip": _input("envoy.matching.inputs.source_ip", SourceIPInput()),
    "destination_ip": _input("envoy.matching.inputs.destination_ip", DestinationIPInput()),
}
