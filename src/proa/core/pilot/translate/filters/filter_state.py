"""Facts that a route hands to what lies further down: which cluster a tunnel falls back to, which ALPN a hop has."""

from typing import Final

from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.filters.common.set_filter_state.v3.value_pb2 import FilterStateValue
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config as HttpConfig
from envoy.extensions.filters.network.set_filter_state.v3.set_filter_state_pb2 import Config as NetworkConfig

from proa.core.pilot.translate import tls
from proa.core.pilot.translate.filters.names import ALPN_KEY, TCP_CLUSTER_KEY

_FOLLOW_CLIENT: Final = (
    f"%CEL(request.protocol == 'HTTP/2' ? '{','.join(tls.ALPN_HTTP2)}' : '{','.join(tls.ALPN_HTTP1)}')%"
)


def _value(key: str, text: str, *, to_upstream: bool = False) -> FilterStateValue:
    value = FilterStateValue(
        object_key=key,
        format_string=SubstitutionFormatString(text_format_source=DataSource(inline_string=text)),
    )
    if to_upstream:
        # ONCE: the internal listener's connection gets it, and nothing behind that.
        value.shared_with_upstream = FilterStateValue.ONCE
    return value


def fall_back_to(cluster: str) -> HttpConfig:
    """For a CONNECT route: a stream that is no HTTP goes to `cluster`."""
    return HttpConfig(on_request_headers=[_value(TCP_CLUSTER_KEY, cluster, to_upstream=True)])


def follow_client() -> HttpConfig:
    """For a route to a port with undeclared protocol: the ALPN says what the client spoke."""
    return HttpConfig(on_request_headers=[_value(ALPN_KEY, _FOLLOW_CLIENT)])


def as_stream() -> NetworkConfig:
    """For a TCP chain: whatever the cluster's protocol, this connection is a raw stream."""
    return NetworkConfig(on_new_connection=[_value(ALPN_KEY, ",".join(tls.ALPN_TCP))])
