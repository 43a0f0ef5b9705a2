"""Variables by which an agent tells its Envoy who it is, and the tags of spans that read them.

A listener is one for all workloads of a scope, so what is the workload's own cannot stand in it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from proa.core.model.names import WorkloadId

RESOURCE: Final = "OTEL_RESOURCE_ATTRIBUTES"
SERVICE: Final = "PROA_CANONICAL_SERVICE"
REVISION: Final = "PROA_CANONICAL_REVISION"
NAMESPACE: Final = "PROA_NAMESPACE"
SPAN_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "istio.canonical_service": SERVICE,
        "istio.canonical_revision": REVISION,
        "istio.namespace": NAMESPACE,
    }
)
"""Istio's tags of spans, and where their values are."""


def variables_of(workload: WorkloadId, service: str, revision: str) -> dict[str, str]:
    """Of the workload's Envoy. A resource's attributes stand between commas; what has one is left out."""
    attributes = {
        "service.name": f"{service}.{workload.namespace}",
        "service.namespace": workload.namespace,
        "service.version": revision,
        "service.instance.id": str(workload),
    }
    said = ",".join(
        f"{name}={value}" for name, value in attributes.items() if not set(value) & set(",=%\n\r\t ")
    )
    return {RESOURCE: said, SERVICE: service, REVISION: revision, NAMESPACE: workload.namespace}
