"""The attributes that there are: name, type, and who produces each.

The table is that of Istio 1.0, the names that it had deprecated included. Manifests extend it (`manifests`). Whoever
checks or compiles an expression is handed a Vocabulary.
"""

import enum
from collections.abc import Mapping

import msgspec
from immutables import Map

from proa.core.attributes.value_types import ValueType


class Producer(enum.Enum):
    """Where an attribute's value comes from."""

    PROXY_CONFIG = "Pilot knows it of the workload whose proxy asks"
    ROUTE_CONFIG = "Pilot knows it of the service that the route leads to"
    TRAFFIC = "the proxy sees it when the request or connection begins"
    REPORT = "the proxy sees it when the request or connection ends; only reports have it"
    GENERATOR = "an adapter that looks up workloads, or Pilot in its place"
    API_SPEC = "an HTTPAPISpec that the request matches"
    PEER = "the caller's proxy says it"


class AttributeInfo(msgspec.Struct, frozen=True):
    """One row. No producer: declared, and nothing sets it. `deprecated_for` names what to use instead."""

    name: str
    type: ValueType
    producers: tuple[Producer, ...] = ()
    deprecated_for: str = ""


class Vocabulary(msgspec.Struct, frozen=True):
    """Types by attribute name."""

    types: Map[str, ValueType]

    def type_of(self, name: str) -> ValueType | None:
        return self.types.get(name)


def vocabulary_of(types: Mapping[str, ValueType]) -> Vocabulary:
    return Vocabulary(Map(types))


_PF, _PR, _E, _ER = Producer.PROXY_CONFIG, Producer.ROUTE_CONFIG, Producer.TRAFFIC, Producer.REPORT
_K, _S, _F = Producer.GENERATOR, Producer.API_SPEC, Producer.PEER
_STRING, _INT64, _BOOL = ValueType.STRING, ValueType.INT64, ValueType.BOOL
_IP, _MAP, _TIME, _SPAN = (
    ValueType.IP_ADDRESS,
    ValueType.STRING_MAP,
    ValueType.TIMESTAMP,
    ValueType.DURATION,
)


def _rows(
    value_type: ValueType, producers: tuple[Producer, ...], names: str, deprecated_for: str = ""
) -> tuple[AttributeInfo, ...]:
    return tuple(AttributeInfo(name, value_type, producers, deprecated_for) for name in names.split())


ATTRIBUTES: tuple[AttributeInfo, ...] = (
    *_rows(_STRING, (_PF, _F, _K), "source.uid"),
    *_rows(_STRING, (_PF, _K), "source.namespace"),
    *_rows(_IP, (_K, _E), "source.ip"),
    *_rows(_INT64, (), "source.port"),
    *_rows(_STRING, (_E,), "source.principal"),
    *_rows(_STRING, (_E,), "source.user", "source.principal"),
    *_rows(_MAP, (_K,), "source.labels"),
    *_rows(_STRING, (_K,), "source.name source.owner source.serviceAccount"),
    *_rows(_STRING, (_K,), "source.workload.uid source.workload.name source.workload.namespace"),
    *_rows(_MAP, (), "source.metadata"),
    *_rows(_STRING, (), "source.services"),
    *_rows(_STRING, (), "source.service", "source.workload.name"),
    *_rows(_STRING, (), "source.domain", "source.workload.namespace"),
    *_rows(_STRING, (_PF, _ER, _K), "destination.uid destination.namespace"),
    *_rows(_IP, (_PF, _ER, _K), "destination.ip"),
    *_rows(_INT64, (_PF, _ER), "destination.port"),
    *_rows(_STRING, (_E,), "destination.principal"),
    *_rows(_STRING, (_E,), "destination.user", "destination.principal"),
    *_rows(_MAP, (_K,), "destination.labels"),
    *_rows(_STRING, (_K,), "destination.name destination.owner destination.serviceAccount"),
    *_rows(
        _STRING, (_K,), "destination.workload.uid destination.workload.name destination.workload.namespace"
    ),
    *_rows(_STRING, (_K,), "destination.container.name"),
    *_rows(_STRING, (), "destination.container.image"),
    *_rows(_STRING, (_PR,), "destination.service", "destination.service.host"),
    *_rows(_STRING, (_PR,), "destination.service.host destination.service.name"),
    *_rows(_STRING, (_PR,), "destination.service.namespace destination.service.uid"),
    *_rows(_MAP, (), "destination.metadata"),
    *_rows(_STRING, (), "destination.domain", "destination.service.namespace"),
    *_rows(_IP, (_E,), "origin.ip"),
    *_rows(_STRING, (), "origin.uid origin.user"),
    *_rows(_MAP, (_E,), "request.headers"),
    *_rows(_STRING, (_E,), "request.host request.path request.method request.scheme"),
    *_rows(_STRING, (_E,), "request.referer request.useragent"),
    *_rows(_STRING, (), "request.id request.reason"),
    *_rows(_TIME, (_E,), "request.time"),
    *_rows(_INT64, (_ER,), "request.size request.total_size"),
    *_rows(_STRING, (_E,), "request.auth.principal request.auth.audiences request.auth.presenter"),
    *_rows(_MAP, (_E,), "request.auth.claims"),
    *_rows(_STRING, (_E,), "request.auth.raw_claims"),
    *_rows(_STRING, (_S,), "request.api_key"),
    *_rows(_MAP, (_ER,), "response.headers"),
    *_rows(_INT64, (_ER,), "response.code response.size response.total_size"),
    *_rows(_TIME, (_ER,), "response.time"),
    *_rows(_SPAN, (_ER,), "response.duration"),
    *_rows(_STRING, (_ER,), "response.grpc_status response.grpc_message"),
    *_rows(_INT64, (_ER,), "check.error_code"),
    *_rows(_STRING, (_ER,), "check.error_message"),
    *_rows(_BOOL, (_E,), "check.cache_hit quota.cache_hit"),
    *_rows(_STRING, (_E,), "connection.id"),
    *_rows(_STRING, (_ER,), "connection.event"),
    *_rows(_INT64, (_ER,), "connection.received.bytes connection.sent.bytes"),
    *_rows(_INT64, (_ER,), "connection.received.bytes_total connection.sent.bytes_total"),
    *_rows(_SPAN, (_ER,), "connection.duration"),
    *_rows(_BOOL, (_E,), "connection.mtls"),
    *_rows(_STRING, (_E,), "connection.requested_server_name"),
    *_rows(_STRING, (_E,), "context.protocol"),
    *_rows(_TIME, (_E,), "context.time"),
    *_rows(_TIME, (_E,), "context.timestamp", "context.time"),
    *_rows(_STRING, (_PF,), "context.reporter.kind context.reporter.uid"),
    *_rows(_BOOL, (), "context.reporter.local", "context.reporter.kind"),
    *_rows(_STRING, (), "context.reporter.type", "context.reporter.kind"),
    *_rows(_STRING, (_S,), "api.service api.version api.operation api.protocol"),
)

STANDARD: Vocabulary = vocabulary_of({row.name: row.type for row in ATTRIBUTES})
