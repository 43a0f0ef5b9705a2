"""The kinds table: what Proa reads, and what of Istio's it does not read yet.

A kind or field is in the table only with the tests that show its effect. Callers are `config` (to load) and the CLI
(to know `vs` from `dr`).
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.destination_rule.validate import validate as validate_destination_rule
from proa.core.config.kinds.gateway.schema import Gateway
from proa.core.config.kinds.gateway.validate import validate as validate_gateway
from proa.core.config.kinds.kind import Kind
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.kinds.peer_authentication.validate import validate as validate_peer_authentication
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.config.kinds.service_entry.validate import validate as validate_service_entry
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.kinds.virtual_service.validate import validate as validate_virtual_service
from proa.core.config.kinds.workload_entry.validate import validate as validate_workload_entry
from proa.core.config.legacy.check import check_old
from proa.core.config.legacy.convert import OldSpec
from proa.core.config.legacy.ingress_schema import Ingress
from proa.core.config.legacy.schema import DestinationPolicy, EgressRule, IngressRule, RouteRule
from proa.core.config.meta import Meta
from proa.core.config.problem import Finding

Spec: TypeAlias = (
    VirtualService | DestinationRule | Gateway | ServiceEntry | WorkloadEntry | PeerAuthentication | OldSpec
)
AnyKind: TypeAlias = (
    Kind[VirtualService]
    | Kind[DestinationRule]
    | Kind[Gateway]
    | Kind[ServiceEntry]
    | Kind[WorkloadEntry]
    | Kind[PeerAuthentication]
    | Kind[RouteRule]
    | Kind[DestinationPolicy]
    | Kind[EgressRule]
    | Kind[IngressRule]
    | Kind[Ingress]
)

NETWORKING = "networking.istio.io"
SECURITY = "security.istio.io"
OLD = "config.istio.io"
KUBERNETES = "networking.k8s.io"
_NETWORKING_VERSIONS = ("v1", "v1beta1", "v1alpha3")
# 2018 served v1alpha2 and never minded what else was written.
_OLD_VERSIONS = ("v1alpha2", "v1alpha1", "v1beta1")


def _checked_as(kind: str) -> Callable[[OldSpec, Meta], Iterator[Finding]]:
    """The validator of an old kind: by itself, and by what it becomes."""
    return lambda spec, meta: check_old(kind, spec, meta, KINDS)


_ROWS: tuple[AnyKind, ...] = (
    Kind(
        group=NETWORKING,
        kind="VirtualService",
        versions=_NETWORKING_VERSIONS,
        plural="virtualservices",
        short_names=("vs",),
        spec=VirtualService,
        validate=validate_virtual_service,
    ),
    Kind(
        group=NETWORKING,
        kind="DestinationRule",
        versions=_NETWORKING_VERSIONS,
        plural="destinationrules",
        short_names=("dr",),
        spec=DestinationRule,
        validate=validate_destination_rule,
    ),
    Kind(
        group=NETWORKING,
        kind="Gateway",
        versions=_NETWORKING_VERSIONS,
        plural="gateways",
        short_names=("gw",),
        spec=Gateway,
        validate=validate_gateway,
    ),
    Kind(
        group=NETWORKING,
        kind="ServiceEntry",
        versions=_NETWORKING_VERSIONS,
        plural="serviceentries",
        short_names=("se",),
        spec=ServiceEntry,
        validate=validate_service_entry,
    ),
    Kind(
        group=NETWORKING,
        kind="WorkloadEntry",
        versions=_NETWORKING_VERSIONS,
        plural="workloadentries",
        short_names=("we",),
        spec=WorkloadEntry,
        validate=validate_workload_entry,
    ),
    Kind(
        group=SECURITY,
        kind="PeerAuthentication",
        versions=("v1", "v1beta1"),
        plural="peerauthentications",
        short_names=("pa",),
        spec=PeerAuthentication,
        validate=validate_peer_authentication,
    ),
    Kind(
        group=OLD,
        kind="RouteRule",
        versions=_OLD_VERSIONS,
        plural="routerules",
        short_names=("rr", "route-rule"),
        spec=RouteRule,
        validate=_checked_as("RouteRule"),
    ),
    Kind(
        group=OLD,
        kind="DestinationPolicy",
        versions=_OLD_VERSIONS,
        plural="destinationpolicies",
        short_names=("dp", "destination-policy"),
        spec=DestinationPolicy,
        validate=_checked_as("DestinationPolicy"),
    ),
    Kind(
        group=OLD,
        kind="EgressRule",
        versions=_OLD_VERSIONS,
        plural="egressrules",
        short_names=("er", "egress-rule"),
        spec=EgressRule,
        validate=_checked_as("EgressRule"),
    ),
    Kind(
        group=OLD,
        kind="IngressRule",
        versions=_OLD_VERSIONS,
        plural="ingressrules",
        short_names=("ir", "ingress-rule"),
        spec=IngressRule,
        validate=_checked_as("IngressRule"),
    ),
    Kind(
        group=KUBERNETES,
        kind="Ingress",
        versions=("v1",),
        plural="ingresses",
        short_names=("ing",),
        spec=Ingress,
        validate=_checked_as("Ingress"),
    ),
)

KINDS: Mapping[tuple[str, str], AnyKind] = MappingProxyType({(row.group, row.kind): row for row in _ROWS})

# Groups whose every kind comes later: Mixer's 2018 kinds are named by adapters and templates, outsiders' included.
GROUPS_NOT_YET = frozenset(
    [
        "config.istio.io",
        "authentication.istio.io",
        "rbac.istio.io",
        "telemetry.istio.io",
        "extensions.istio.io",
        "gateway.networking.k8s.io",
    ]
)
KINDS_NOT_YET = frozenset(
    [
        *((NETWORKING, kind) for kind in ("Sidecar", "WorkloadGroup", "EnvoyFilter", "ProxyConfig")),
        *((SECURITY, kind) for kind in ("RequestAuthentication", "AuthorizationPolicy")),
    ]
)


def find_kind(word: str) -> AnyKind | None:
    """The row a user means by `vs`, `virtualservice`, `virtualservices`, `VirtualService`, or with `.group` behind."""
    name, _, group = word.lower().partition(".")
    rows = (row for row in _ROWS if name in row.names() and group in ("", row.group))
    return next(rows, None)


def is_not_yet(group: str, kind: str) -> bool:
    """True for a kind that Istio has and Proa will read one day."""
    return (group in GROUPS_NOT_YET or (group, kind) in KINDS_NOT_YET) and (group, kind) not in KINDS
