"""One line per request or connection: Proa's own in JSON, with the peer's SPIFFE id, or what the mesh's settings say.

Most go to Envoy's standard output; the node agent decides which file that is, so the same bytes serve every workload.
"""

from typing import Final

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.access_loggers.stream.v3.stream_pb2 import StdoutAccessLog
from google.protobuf.json_format import Parse
from google.protobuf.struct_pb2 import Struct, Value

from proa.core.model.settings import STDOUT
from proa.core.model.settings import AccessLog as Wanted
from proa.core.pilot.translate.authorization.shadows import AUDIT, DRY_ALLOW, DRY_DENY
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
    "termination": "%CONNECTION_TERMINATION_DETAILS%",
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


_FOUND: Final = "%DYNAMIC_METADATA(envoy.filters.http.rbac:{}shadow_effective_policy_id)%"
_POLICIES: Final = {
    "audit": _FOUND.format(AUDIT),
    "dry_run_deny": _FOUND.format(DRY_DENY),
    "dry_run_allow": _FOUND.format(DRY_ALLOW),
}
"""Which rule a policy found that refuses nobody; `none` when none did. A rule that refuses stands in `details`."""


_ISTIO_LINE: Final = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" '
    '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% '
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)
"""What Istio writes as text when it is told no form."""


def build_access_log(direction: str, settings: Wanted) -> AccessLog:
    form = _form(direction, settings)
    if settings.path == STDOUT:
        return AccessLog(
            name="envoy.access_loggers.stdout", typed_config=pack(StdoutAccessLog(log_format=form))
        )
    file = FileAccessLog(path=settings.path, log_format=form)
    return AccessLog(name="envoy.access_loggers.file", typed_config=pack(file))


def _form(direction: str, settings: Wanted) -> SubstitutionFormatString:
    if settings.encoding == "TEXT":
        text = DataSource(inline_string=settings.form or _ISTIO_LINE)
        return SubstitutionFormatString(text_format_source=text)
    if settings.form:
        return SubstitutionFormatString(json_format=Parse(settings.form, Struct()))
    fields = {"direction": direction, **_FIELDS}
    if direction == "inbound":
        fields["path"] = _OWN_PATH
    if direction != "outbound":
        fields |= _POLICIES
    json_format = Struct(fields={key: Value(string_value=text) for key, text in fields.items()})
    return SubstitutionFormatString(json_format=json_format, omit_empty_values=True)
