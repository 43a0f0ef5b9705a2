"""One JSON line per request or connection, with the peer's SPIFFE id, to Envoy's standard output.

The node agent decides which file that is, so the same bytes serve every workload.
"""

from typing import Final

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.access_loggers.stream.v3.stream_pb2 import StdoutAccessLog
from google.protobuf.struct_pb2 import Struct, Value

from proa.core.pilot.translate.encode import pack

_FIELDS: Final = {
    "time": "%START_TIME%",
    "peer": "%DOWNSTREAM_PEER_URI_SAN%",
    "method": "%REQ(:METHOD)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "duration_ms": "%DURATION%",
    "bytes_in": "%BYTES_RECEIVED%",
    "bytes_out": "%BYTES_SENT%",
    "route": "%ROUTE_NAME%",
    "cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream": "%UPSTREAM_HOST%",
    "upstream_peer": "%UPSTREAM_PEER_URI_SAN%",
    "upstream_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "downstream_failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "sni": "%REQUESTED_SERVER_NAME%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "from": "%DOWNSTREAM_REMOTE_ADDRESS%",
}


_OWN_PATH: Final = "%REQ(:PATH)%"
"""A server's sidecar rewrites nothing, so there an original path is only what the client says of itself."""


def build_access_log(direction: str) -> AccessLog:
    fields = {"direction": direction, **_FIELDS}
    if direction == "inbound":
        fields["path"] = _OWN_PATH
    json_format = Struct(fields={key: Value(string_value=text) for key, text in fields.items()})
    return AccessLog(
        name="envoy.access_loggers.stdout",
        typed_config=pack(
            StdoutAccessLog(
                log_format=SubstitutionFormatString(json_format=json_format, omit_empty_values=True),
            )
        ),
    )
