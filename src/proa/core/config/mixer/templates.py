"""Mixer's own templates: what their instances say, each field an expression over attributes, and of which type.

Validators check instances by it, plans build them. A literal text is written with quotes inside quotes: `'"GET"'`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.config.record import ReadOnlySpec, Record

Variety = Literal["check", "quota", "report", "generator"]
"""When an instance is made: before a request goes on, when a quota is charged, after it, or to learn attributes."""


class Yields(msgspec.Struct, frozen=True):
    """Mark of a text that is an expression: the type it must have, None for any. `also`: or one of these."""

    type: ValueType | None
    also: tuple[ValueType, ...] = ()


Expression: TypeAlias = Annotated[str, Yields(None)]
Text: TypeAlias = Annotated[str, Yields(ValueType.STRING)]
TextOrAddress: TypeAlias = Annotated[str, Yields(ValueType.STRING, (ValueType.IP_ADDRESS,))]
Time: TypeAlias = Annotated[str, Yields(ValueType.TIMESTAMP)]
Number: TypeAlias = Annotated[str, Yields(ValueType.INT64)]
Truth: TypeAlias = Annotated[str, Yields(ValueType.BOOL)]
Address: TypeAlias = Annotated[str, Yields(ValueType.IP_ADDRESS)]
Span: TypeAlias = Annotated[str, Yields(ValueType.DURATION)]
Expressions: TypeAlias = Map[str, Expression]


class Instance(ReadOnlySpec, frozen=True, kw_only=True):
    """Base of all: `attribute_bindings` name attributes made of what a generator gives (`$out.field`)."""

    SNAKE_TOO = True

    attribute_bindings: Map[str, str] = Map()


class ApiKey(Instance, frozen=True, kw_only=True):
    api: Text = ""
    api_version: Text = ""
    api_operation: Text = ""
    api_key: Text = ""
    timestamp: Time = ""


class Subject(Record, frozen=True, kw_only=True):
    user: Text = ""
    groups: Text = ""
    properties: Expressions = Map()


class Action(Record, frozen=True, kw_only=True):
    namespace: Text = ""
    service: Text = ""
    method: Text = ""
    path: Text = ""
    properties: Expressions = Map()


class Authorization(Instance, frozen=True, kw_only=True):
    subject: Subject | None = None
    action: Action | None = None


class CheckNothing(Instance, frozen=True, kw_only=True):
    """Asks nothing: the answer depends on the rule alone."""


class ReportNothing(Instance, frozen=True, kw_only=True):
    """Tells nothing but that the rule matched."""


class ListEntry(Instance, frozen=True, kw_only=True):
    """An address may be asked for as one, as Mixer's own task did (`source.ip | ip("0.0.0.0")`), which 1.0 refused."""

    value: TextOrAddress = ""


class Quota(Instance, frozen=True, kw_only=True):
    dimensions: Expressions = Map()


class Metric(Instance, frozen=True, kw_only=True):
    value: Expression = ""
    dimensions: Expressions = Map()
    monitored_resource_type: Text = ""
    monitored_resource_dimensions: Expressions = Map()


class LogEntry(Instance, frozen=True, kw_only=True):
    variables: Expressions = Map()
    timestamp: Time = ""
    severity: Text = ""
    monitored_resource_type: Text = ""
    monitored_resource_dimensions: Expressions = Map()


class TraceSpan(Instance, frozen=True, kw_only=True):
    trace_id: Text = ""
    span_id: Text = ""
    parent_span_id: Text = ""
    span_name: Text = ""
    start_time: Time = ""
    end_time: Time = ""
    span_tags: Expressions = Map()
    http_status_code: Number = ""
    client_span: Truth = ""
    rewrite_client_span_id: Truth = ""


class Edge(Instance, frozen=True, kw_only=True):
    timestamp: Time = ""
    source_uid: Text = ""
    source_owner: Text = ""
    source_workload_name: Text = ""
    source_workload_namespace: Text = ""
    destination_uid: Text = ""
    destination_owner: Text = ""
    destination_workload_name: Text = ""
    destination_workload_namespace: Text = ""
    destination_service_namespace: Text = ""
    destination_service_name: Text = ""
    context_protocol: Text = ""
    api_protocol: Text = ""


class Kubernetes(Instance, frozen=True, kw_only=True):
    """`origin` is of 0.7."""

    source_uid: Text = ""
    source_ip: Address = ""
    destination_uid: Text = ""
    destination_ip: Address = ""
    destination_port: Number = ""
    origin_uid: Text = ""
    origin_ip: Address = ""


class ServiceControlReport(Instance, frozen=True, kw_only=True):
    api_version: Text = ""
    api_operation: Text = ""
    api_protocol: Text = ""
    api_service: Text = ""
    api_key: Text = ""
    request_time: Time = ""
    request_method: Text = ""
    request_path: Text = ""
    request_bytes: Number = ""
    response_time: Time = ""
    response_code: Number = ""
    response_bytes: Number = ""
    response_latency: Span = ""


class TemplateKind(msgspec.Struct, frozen=True, kw_only=True):
    """`outputs`: what a generator gives, as `$out.name` in attribute bindings."""

    name: str
    variety: Variety
    fields: type[Instance]
    outputs: Mapping[str, ValueType] = Map()


def _outputs_of_kubernetes() -> Mapping[str, ValueType]:
    """Those of 1.0, and behind them what 0.7 had besides."""
    texts = (
        "pod_uid pod_name namespace service_account_name workload_uid workload_name workload_namespace owner"
    )
    found: dict[str, ValueType] = {"destination_container_name": ValueType.STRING}
    for end in ("source", "destination", "origin"):
        found |= {f"{end}_{name}": ValueType.STRING for name in (*texts.split(), "service")}
        found |= {f"{end}_{name}": ValueType.IP_ADDRESS for name in ("pod_ip", "host_ip")}
        found[f"{end}_labels"] = ValueType.STRING_MAP
    return Map(found)


def _table() -> Mapping[str, TemplateKind]:
    rows: tuple[tuple[str, Variety, type[Instance]], ...] = (
        ("apikey", "check", ApiKey),
        ("authorization", "check", Authorization),
        ("checknothing", "check", CheckNothing),
        ("edge", "report", Edge),
        ("kubernetes", "generator", Kubernetes),
        ("listentry", "check", ListEntry),
        ("logentry", "report", LogEntry),
        ("metric", "report", Metric),
        ("quota", "quota", Quota),
        ("reportnothing", "report", ReportNothing),
        ("servicecontrolreport", "report", ServiceControlReport),
        ("tracespan", "report", TraceSpan),
    )
    outputs = {"kubernetes": _outputs_of_kubernetes()}
    return MappingProxyType(
        {
            name: TemplateKind(name=name, variety=variety, fields=fields, outputs=outputs.get(name, Map()))
            for name, variety, fields in rows
        }
    )


TEMPLATES: Final = _table()
"""By the name of the template, which is the kind of its instances."""
