"""What instances of Mixer's own templates say: each field an expression over attributes. Read by their validator.

A literal text is written with quotes inside quotes: `'"GET"'`.
"""

from immutables import Map

from proa.core.config.record import ReadOnlySpec, Record

Expression = str
Expressions = Map[str, str]


class Instance(ReadOnlySpec, frozen=True, kw_only=True):
    """Base of all: `attribute_bindings` name attributes made of what a generator gives (`$out.field`)."""

    SNAKE_TOO = True

    attribute_bindings: Expressions = Map()


class ApiKey(Instance, frozen=True, kw_only=True):
    api: Expression = ""
    api_version: Expression = ""
    api_operation: Expression = ""
    api_key: Expression = ""
    timestamp: Expression = ""


class Subject(Record, frozen=True, kw_only=True):
    user: Expression = ""
    groups: Expression = ""
    properties: Expressions = Map()


class Action(Record, frozen=True, kw_only=True):
    namespace: Expression = ""
    service: Expression = ""
    method: Expression = ""
    path: Expression = ""
    properties: Expressions = Map()


class Authorization(Instance, frozen=True, kw_only=True):
    subject: Subject | None = None
    action: Action | None = None


class CheckNothing(Instance, frozen=True, kw_only=True):
    """Asks nothing: the answer depends on the rule alone."""


class ReportNothing(Instance, frozen=True, kw_only=True):
    """Tells nothing but that the rule matched."""


class ListEntry(Instance, frozen=True, kw_only=True):
    value: Expression = ""


class Quota(Instance, frozen=True, kw_only=True):
    dimensions: Expressions = Map()


class Metric(Instance, frozen=True, kw_only=True):
    value: Expression = ""
    dimensions: Expressions = Map()
    monitored_resource_type: Expression = ""
    monitored_resource_dimensions: Expressions = Map()


class LogEntry(Instance, frozen=True, kw_only=True):
    variables: Expressions = Map()
    timestamp: Expression = ""
    severity: Expression = ""
    monitored_resource_type: Expression = ""
    monitored_resource_dimensions: Expressions = Map()


class TraceSpan(Instance, frozen=True, kw_only=True):
    trace_id: Expression = ""
    span_id: Expression = ""
    parent_span_id: Expression = ""
    span_name: Expression = ""
    start_time: Expression = ""
    end_time: Expression = ""
    span_tags: Expressions = Map()
    http_status_code: Expression = ""
    client_span: Expression = ""
    rewrite_client_span_id: Expression = ""


class Edge(Instance, frozen=True, kw_only=True):
    timestamp: Expression = ""
    source_uid: Expression = ""
    source_owner: Expression = ""
    source_workload_name: Expression = ""
    source_workload_namespace: Expression = ""
    destination_uid: Expression = ""
    destination_owner: Expression = ""
    destination_workload_name: Expression = ""
    destination_workload_namespace: Expression = ""
    destination_service_namespace: Expression = ""
    destination_service_name: Expression = ""
    context_protocol: Expression = ""
    api_protocol: Expression = ""


class Kubernetes(Instance, frozen=True, kw_only=True):
    source_uid: Expression = ""
    source_ip: Expression = ""
    destination_uid: Expression = ""
    destination_ip: Expression = ""
    destination_port: Expression = ""
    origin_uid: Expression = ""
    origin_ip: Expression = ""


class ServiceControlReport(Instance, frozen=True, kw_only=True):
    api_version: Expression = ""
    api_operation: Expression = ""
    api_protocol: Expression = ""
    api_service: Expression = ""
    api_key: Expression = ""
    request_time: Expression = ""
    request_method: Expression = ""
    request_path: Expression = ""
    request_bytes: Expression = ""
    response_time: Expression = ""
    response_code: Expression = ""
    response_bytes: Expression = ""
    response_latency: Expression = ""


TEMPLATES: dict[str, type[Instance]] = {
    "apikey": ApiKey,
    "authorization": Authorization,
    "checknothing": CheckNothing,
    "edge": Edge,
    "kubernetes": Kubernetes,
    "listentry": ListEntry,
    "logentry": LogEntry,
    "metric": Metric,
    "quota": Quota,
    "reportnothing": ReportNothing,
    "servicecontrolreport": ServiceControlReport,
    "tracespan": TraceSpan,
}
"""By the name of the template, which is the kind."""
