"""One line per request or connection: Proa's own in JSON, with the peer's SPIFFE id, or what the mesh's settings say.

Most go to Envoy's standard output; the node agent decides which file that is, so the same bytes serve every workload.
"""

from typing import Final

from envoy.config.accesslog.v3.accesslog_pb2 import AccessLog
from envoy.config.core.v3.base_pb2 import DataSource
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.core.v3.substitution_format_string_pb2 import SubstitutionFormatString
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter
from envoy.extensions.access_loggers.open_telemetry.v3.logs_service_pb2 import OpenTelemetryAccessLogConfig
from envoy.extensions.access_loggers.stream.v3.stream_pb2 import StdoutAccessLog
from google.protobuf.json_format import Parse
from google.protobuf.struct_pb2 import Struct, Value

from proa.core.mixer.rate_limits.answers import DRY_RUN, EXHAUSTED, NAMESPACE
from proa.core.model.names import cluster_name
from proa.core.model.settings import STDOUT, Handling, LogSink, Observed, OtelLog
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

_QUOTAS: Final = {
    "quota_exhausted": f"%DYNAMIC_METADATA({NAMESPACE}:{EXHAUSTED})%",
    "dry_run_quota": f"%DYNAMIC_METADATA({NAMESPACE}:{DRY_RUN})%",
}
"""Which quotas refused the request, and which would have if they did not only try."""


_ISTIO_LINE: Final = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    "%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
    '"%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% '
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" '
    '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% '
    "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n"
)
"""What Istio writes as text when it is told no form."""


def build_access_logs(direction: str, handling: Handling, observed: Observed) -> list[AccessLog]:
    """What a Telemetry says, else the mesh's own log."""
    if observed.logs is not None:
        return [_build_sink(direction, sink) for sink in observed.logs]
    return [build_access_log(direction, handling.access_log)] if handling.access_log is not None else []


def _build_sink(direction: str, sink: LogSink) -> AccessLog:
    if sink.otel is not None:
        log = _build_otel(sink.otel)
    else:
        log = build_access_log(direction, sink.file or Wanted())
    if sink.only:
        log.filter.extension_filter.name = "envoy.access_loggers.extension_filters.cel"
        log.filter.extension_filter.typed_config.CopyFrom(pack(ExpressionFilter(expression=sink.only)))
    return log


def _build_otel(sink: OtelLog) -> AccessLog:
    config = OpenTelemetryAccessLogConfig()
    config.common_config.log_name = sink.name
    config.common_config.transport_api_version = ApiVersion.V3
    cluster = cluster_name("outbound", sink.port, "", sink.host)
    config.common_config.grpc_service.envoy_grpc.cluster_name = cluster
    # The cluster's name, which Envoy would put there, is no name of a host.
    config.common_config.grpc_service.envoy_grpc.authority = f"{sink.host}:{sink.port}"
    config.body.string_value = sink.text or _ISTIO_LINE
    for name, text in sink.attributes:
        config.attributes.values.add(key=name).value.string_value = text
    return AccessLog(name="envoy.access_loggers.open_telemetry", typed_config=pack(config))


def build_access_log(direction: str, settings: Wanted) -> AccessLog:
    form = _form(direction, settings)
    if settings.omits_empty:
        form.omit_empty_values = True
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
        fields |= _POLICIES | _QUOTAS
    json_format = Struct(fields={key: Value(string_value=text) for key, text in fields.items()})
    return SubstitutionFormatString(json_format=json_format, omit_empty_values=True)
