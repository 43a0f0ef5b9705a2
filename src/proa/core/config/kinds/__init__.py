"""The kinds table: what Proa reads, and what of Istio's it does not read yet.

A kind that is in force, and each of its fields, is in the table only with the tests that show its effect. Kinds that
nothing acts on yet are in it too, marked as not in force: they are read and checked, and refused by whoever puts
objects into force. Callers are `config` (to load) and the CLI (to know `vs` from `dr`).
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias, TypeVar

from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.gateway_api.bound import ApiSpec
from proa.core.config.gateway_api.check.gateways import (
    check_class,
    check_gateway,
    check_grant,
    check_listener_set,
)
from proa.core.config.gateway_api.check.policies import check_backend_tls
from proa.core.config.gateway_api.check.routes import check_route, check_stream_route
from proa.core.config.gateway_api.gateway_schema import Gateway as ApiGateway
from proa.core.config.gateway_api.gateway_schema import GatewayClass, ListenerSet, ReferenceGrant
from proa.core.config.gateway_api.policy_schema import BackendTlsPolicy
from proa.core.config.gateway_api.rules import Route
from proa.core.config.gateway_api.schema import GROUP as GATEWAY_API
from proa.core.config.gateway_api.schema import X_GROUP as GATEWAY_API_TRIED
from proa.core.config.gateway_api.schema import GrpcRoute, HttpRoute, TcpRoute, TlsRoute
from proa.core.config.kinds.authorization_policy.schema import AuthorizationPolicy
from proa.core.config.kinds.authorization_policy.validate import validate as validate_authorization_policy
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.destination_rule.validate import validate as validate_destination_rule
from proa.core.config.kinds.envoy_filter.schema import EnvoyFilter
from proa.core.config.kinds.envoy_filter.validate import validate as validate_envoy_filter
from proa.core.config.kinds.federated_trust_domain.schema import FederatedTrustDomain
from proa.core.config.kinds.federated_trust_domain.validate import (
    validate as validate_federated_trust_domain,
)
from proa.core.config.kinds.gateway.schema import Gateway
from proa.core.config.kinds.gateway.validate import validate as validate_gateway
from proa.core.config.kinds.kind import Kind
from proa.core.config.kinds.mesh_config.schema import MeshConfig
from proa.core.config.kinds.mesh_config.validate import validate as validate_mesh_config
from proa.core.config.kinds.mixer_api_spec.schema import HttpApiSpec, HttpApiSpecBinding
from proa.core.config.kinds.mixer_api_spec.validate import validate_binding as validate_api_spec_binding
from proa.core.config.kinds.mixer_api_spec.validate import validate_spec as validate_api_spec
from proa.core.config.kinds.mixer_attributes.schema import AttributeManifest
from proa.core.config.kinds.mixer_attributes.validate import validate as validate_attribute_manifest
from proa.core.config.kinds.mixer_out_of_process.schema import Adapter, Handler, Template, TemplateInstance
from proa.core.config.kinds.mixer_out_of_process.validate import (
    validate_adapter,
    validate_handler,
    validate_instance,
    validate_template,
)
from proa.core.config.kinds.mixer_quota_spec.schema import QuotaSpec, QuotaSpecBinding
from proa.core.config.kinds.mixer_quota_spec.validate import validate_binding as validate_quota_spec_binding
from proa.core.config.kinds.mixer_quota_spec.validate import validate_spec as validate_quota_spec
from proa.core.config.kinds.mixer_rule.schema import CelRule, Rule
from proa.core.config.kinds.mixer_rule.validate import validate as validate_mixer_rule
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.kinds.peer_authentication.validate import validate as validate_peer_authentication
from proa.core.config.kinds.policy_2018.schema import Policy
from proa.core.config.kinds.proxy_config.schema import ProxyConfig
from proa.core.config.kinds.proxy_config.validate import validate as validate_proxy_config
from proa.core.config.kinds.rbac_2018.schema import RbacConfig, ServiceRole, ServiceRoleBinding
from proa.core.config.kinds.rbac_2018.validate import (
    validate_binding as validate_role_binding,
)
from proa.core.config.kinds.rbac_2018.validate import (
    validate_config as validate_rbac_config,
)
from proa.core.config.kinds.rbac_2018.validate import validate_role
from proa.core.config.kinds.request_authentication.schema import RequestAuthentication
from proa.core.config.kinds.request_authentication.validate import validate as validate_request_authentication
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.config.kinds.service_entry.validate import validate as validate_service_entry
from proa.core.config.kinds.sidecar.schema import Sidecar
from proa.core.config.kinds.sidecar.validate import validate as validate_sidecar
from proa.core.config.kinds.telemetry.schema import Telemetry
from proa.core.config.kinds.telemetry.validate import validate as validate_telemetry
from proa.core.config.kinds.traffic_extension.schema import TrafficExtension
from proa.core.config.kinds.traffic_extension.validate import validate as validate_traffic_extension
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.kinds.virtual_service.validate import validate as validate_virtual_service
from proa.core.config.kinds.wasm_plugin.schema import WasmPlugin
from proa.core.config.kinds.wasm_plugin.validate import validate as validate_wasm_plugin
from proa.core.config.kinds.workload_entry.validate import validate as validate_workload_entry
from proa.core.config.kinds.workload_group.schema import WorkloadGroup
from proa.core.config.kinds.workload_group.validate import validate as validate_workload_group
from proa.core.config.legacy.check import check_old
from proa.core.config.legacy.convert import OldSpec
from proa.core.config.legacy.ingress_schema import Ingress
from proa.core.config.legacy.schema import DestinationPolicy, EgressRule, IngressRule, RouteRule
from proa.core.config.meta import Meta
from proa.core.config.mixer.annotations import handler_annotation_faults
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind
from proa.core.config.mixer.instances import validate as validate_instance_of_template
from proa.core.config.mixer.templates import TEMPLATES
from proa.core.config.problem import Finding
from proa.core.config.record import ReadOnlySpec

Spec: TypeAlias = (
    VirtualService
    | DestinationRule
    | Gateway
    | ServiceEntry
    | Sidecar
    | WorkloadEntry
    | PeerAuthentication
    | EnvoyFilter
    | MeshConfig
    | WorkloadGroup
    | ProxyConfig
    | AuthorizationPolicy
    | ServiceRole
    | ServiceRoleBinding
    | RbacConfig
    | OldSpec
    | ApiSpec
    | RequestAuthentication
    | FederatedTrustDomain
    | Telemetry
    | ReadOnlySpec
)
AnyKind: TypeAlias = (
    Kind[VirtualService]
    | Kind[DestinationRule]
    | Kind[Gateway]
    | Kind[ServiceEntry]
    | Kind[Sidecar]
    | Kind[WorkloadEntry]
    | Kind[PeerAuthentication]
    | Kind[EnvoyFilter]
    | Kind[MeshConfig]
    | Kind[WorkloadGroup]
    | Kind[ProxyConfig]
    | Kind[AuthorizationPolicy]
    | Kind[ServiceRole]
    | Kind[ServiceRoleBinding]
    | Kind[RbacConfig]
    | Kind[RouteRule]
    | Kind[DestinationPolicy]
    | Kind[EgressRule]
    | Kind[IngressRule]
    | Kind[Ingress]
    | Kind[Policy]
    | Kind[GatewayClass]
    | Kind[ApiGateway]
    | Kind[HttpRoute]
    | Kind[GrpcRoute]
    | Kind[TlsRoute]
    | Kind[TcpRoute]
    | Kind[ReferenceGrant]
    | Kind[ListenerSet]
    | Kind[BackendTlsPolicy]
    | Kind[RequestAuthentication]
    | Kind[FederatedTrustDomain]
    | Kind[Telemetry]
    | Kind[ReadOnlySpec]
)
R = TypeVar("R", bound=ReadOnlySpec)

NETWORKING = "networking.istio.io"
SECURITY = "security.istio.io"
TELEMETRY = "telemetry.istio.io"
EXTENSIONS = "extensions.istio.io"
MESH = "mesh.istio.io"
PROA = "proa.dev"
OLD = "config.istio.io"
OLD_AUTHENTICATION = "authentication.istio.io"
OLD_RBAC = "rbac.istio.io"
KUBERNETES = "networking.k8s.io"
_NETWORKING_VERSIONS = ("v1", "v1beta1", "v1alpha3")
# 2018 served v1alpha2 and never minded what else was written.
_OLD_VERSIONS = ("v1alpha2", "v1alpha1", "v1beta1")


def _checked_as(kind: str) -> Callable[[OldSpec, Meta], Iterator[Finding]]:
    """The validator of an old kind: by itself, and by what it becomes."""
    return lambda spec, meta: check_old(kind, spec, meta, KINDS)


def _route_checked_as(kind: str) -> Callable[[Route, Meta], Iterator[Finding]]:
    """As `_checked_as`, of a route of Gateway API."""
    return lambda spec, meta: check_route(kind, spec, meta, KINDS)


def _read_only(
    api: str,
    plural: str,
    spec: type[R],
    validate: Callable[[R, Meta], Iterator[Finding]],
    *short_names: str,
    kind: str = "",
    may_be_absent: bool = False,
    in_force: bool = False,
) -> Kind[ReadOnlySpec]:
    """A row that is not in force, or that Mixer acts on. `api` is the group and its versions:
    `security.istio.io/v1,v1beta1`."""
    group, _, versions = api.partition("/")

    def judge(value: ReadOnlySpec, meta: Meta) -> Iterator[Finding]:
        assert isinstance(value, spec)
        yield from validate(value, meta)

    return Kind(
        group=group,
        kind=kind or spec.__name__,
        versions=tuple(versions.split(",")),
        plural=plural,
        short_names=short_names,
        spec=spec,
        validate=judge,
        in_force=in_force,
        spec_may_be_absent=may_be_absent,
    )


_ROWS_IN_FORCE: tuple[AnyKind, ...] = (
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
        kind="Sidecar",
        versions=_NETWORKING_VERSIONS,
        plural="sidecars",
        short_names=(),
        spec=Sidecar,
        validate=validate_sidecar,
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
        group=NETWORKING,
        kind="EnvoyFilter",
        versions=("v1alpha3",),
        plural="envoyfilters",
        short_names=("ef",),
        spec=EnvoyFilter,
        validate=validate_envoy_filter,
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
        group=SECURITY,
        kind="RequestAuthentication",
        versions=("v1", "v1beta1"),
        plural="requestauthentications",
        short_names=("ra",),
        spec=RequestAuthentication,
        validate=validate_request_authentication,
        spec_may_be_absent=True,
    ),
    Kind(
        group=TELEMETRY,
        kind="Telemetry",
        versions=("v1", "v1alpha1"),
        plural="telemetries",
        short_names=(),
        spec=Telemetry,
        validate=validate_telemetry,
        spec_may_be_absent=True,
    ),
    Kind(
        group=NETWORKING,
        kind="WorkloadGroup",
        versions=_NETWORKING_VERSIONS,
        plural="workloadgroups",
        short_names=("wg",),
        spec=WorkloadGroup,
        validate=validate_workload_group,
    ),
    Kind(
        group=NETWORKING,
        kind="ProxyConfig",
        versions=("v1beta1",),
        plural="proxyconfigs",
        short_names=(),
        spec=ProxyConfig,
        validate=validate_proxy_config,
        spec_may_be_absent=True,
    ),
    Kind(
        group=MESH,
        kind="MeshConfig",
        versions=("v1alpha1",),
        plural="meshconfigs",
        short_names=("mesh",),
        spec=MeshConfig,
        validate=validate_mesh_config,
    ),
    Kind(
        group=PROA,
        kind="FederatedTrustDomain",
        versions=("v1alpha1",),
        plural="federatedtrustdomains",
        short_names=("ftd",),
        spec=FederatedTrustDomain,
        validate=validate_federated_trust_domain,
    ),
    Kind(
        group=SECURITY,
        kind="AuthorizationPolicy",
        versions=("v1", "v1beta1"),
        plural="authorizationpolicies",
        short_names=("ap",),
        spec=AuthorizationPolicy,
        validate=validate_authorization_policy,
        spec_may_be_absent=True,
    ),
    Kind(
        group=OLD_RBAC,
        kind="ServiceRole",
        versions=("v1alpha1",),
        plural="serviceroles",
        short_names=(),
        spec=ServiceRole,
        validate=validate_role,
    ),
    Kind(
        group=OLD_RBAC,
        kind="ServiceRoleBinding",
        versions=("v1alpha1",),
        plural="servicerolebindings",
        short_names=(),
        spec=ServiceRoleBinding,
        validate=validate_role_binding,
    ),
    Kind(
        group=OLD_RBAC,
        kind="RbacConfig",
        versions=("v1alpha1",),
        plural="rbacconfigs",
        short_names=(),
        spec=RbacConfig,
        validate=validate_rbac_config,
    ),
    Kind(
        group=OLD_RBAC,
        kind="ClusterRbacConfig",
        versions=("v1alpha1",),
        plural="clusterrbacconfigs",
        short_names=(),
        spec=RbacConfig,
        validate=validate_rbac_config,
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
    Kind(
        group=OLD_AUTHENTICATION,
        kind="Policy",
        versions=("v1alpha1",),
        plural="policies",
        short_names=(),
        spec=Policy,
        validate=_checked_as("Policy"),
        spec_may_be_absent=True,
    ),
    Kind(
        group=OLD_AUTHENTICATION,
        kind="MeshPolicy",
        versions=("v1alpha1",),
        plural="meshpolicies",
        short_names=(),
        spec=Policy,
        validate=_checked_as("MeshPolicy"),
        spec_may_be_absent=True,
    ),
)

_ROWS_GATEWAY_API: tuple[AnyKind, ...] = (
    Kind(
        group=GATEWAY_API,
        kind="GatewayClass",
        versions=("v1", "v1beta1"),
        plural="gatewayclasses",
        short_names=("gc",),
        spec=GatewayClass,
        validate=check_class,
    ),
    Kind(
        group=GATEWAY_API,
        kind="Gateway",
        versions=("v1", "v1beta1"),
        plural="gateways",
        short_names=("gtw",),
        spec=ApiGateway,
        validate=check_gateway,
    ),
    Kind(
        group=GATEWAY_API,
        kind="HTTPRoute",
        versions=("v1", "v1beta1"),
        plural="httproutes",
        short_names=("hr",),
        spec=HttpRoute,
        validate=_route_checked_as("HTTPRoute"),
    ),
    Kind(
        group=GATEWAY_API,
        kind="GRPCRoute",
        versions=("v1", "v1alpha2"),
        plural="grpcroutes",
        short_names=("gr",),
        spec=GrpcRoute,
        validate=_route_checked_as("GRPCRoute"),
    ),
    Kind(
        group=GATEWAY_API,
        kind="TLSRoute",
        versions=("v1", "v1alpha3", "v1alpha2"),
        plural="tlsroutes",
        short_names=("tlsr",),
        spec=TlsRoute,
        validate=check_stream_route,
    ),
    Kind(
        group=GATEWAY_API,
        kind="TCPRoute",
        versions=("v1", "v1alpha2"),
        plural="tcproutes",
        short_names=("tcpr",),
        spec=TcpRoute,
        validate=check_stream_route,
    ),
    Kind(
        group=GATEWAY_API,
        kind="ReferenceGrant",
        versions=("v1", "v1beta1", "v1alpha2"),
        plural="referencegrants",
        short_names=("refgrant",),
        spec=ReferenceGrant,
        validate=check_grant,
    ),
    Kind(
        group=GATEWAY_API,
        kind="ListenerSet",
        versions=("v1",),
        plural="listenersets",
        short_names=("lset",),
        spec=ListenerSet,
        validate=check_listener_set,
    ),
    Kind(
        group=GATEWAY_API_TRIED,
        kind="XListenerSet",
        versions=("v1alpha1",),
        plural="xlistenersets",
        short_names=("xlset",),
        spec=ListenerSet,
        validate=check_listener_set,
    ),
    Kind(
        group=GATEWAY_API,
        kind="BackendTLSPolicy",
        versions=("v1", "v1alpha3"),
        plural="backendtlspolicies",
        short_names=("btlspolicy",),
        spec=BackendTlsPolicy,
        validate=check_backend_tls,
    ),
)

_OLD_API = f"{OLD}/{','.join(_OLD_VERSIONS)}"

# Those of which a test shows what they do in a mesh.
_TEMPLATES_IN_FORCE = frozenset(
    ("authorization", "checknothing", "listentry", "logentry", "metric", "quota", "tracespan")
)

_ROWS_READ_ONLY: tuple[AnyKind, ...] = (
    _read_only(f"{EXTENSIONS}/v1alpha1", "wasmplugins", WasmPlugin, validate_wasm_plugin),
    _read_only(f"{EXTENSIONS}/v1alpha1", "trafficextensions", TrafficExtension, validate_traffic_extension),
    _read_only(_OLD_API, "rules", Rule, validate_mixer_rule, kind="rule", in_force=True),
    _read_only(
        f"{PROA}/v1alpha1",
        "mixerrules",
        CelRule,
        validate_mixer_rule,
        "mr",
        kind="MixerRule",
        in_force=True,
    ),
    _read_only(
        _OLD_API,
        "attributemanifests",
        AttributeManifest,
        validate_attribute_manifest,
        kind="attributemanifest",
        in_force=True,
    ),
    _read_only(_OLD_API, "quotaspecs", QuotaSpec, validate_quota_spec, in_force=True),
    _read_only(_OLD_API, "quotaspecbindings", QuotaSpecBinding, validate_quota_spec_binding, in_force=True),
    _read_only(_OLD_API, "httpapispecs", HttpApiSpec, validate_api_spec, kind="HTTPAPISpec", in_force=True),
    _read_only(
        _OLD_API,
        "httpapispecbindings",
        HttpApiSpecBinding,
        validate_api_spec_binding,
        kind="HTTPAPISpecBinding",
        in_force=True,
    ),
    _read_only(_OLD_API, "handlers", Handler, validate_handler, kind="handler", in_force=True),
    _read_only(_OLD_API, "instances", TemplateInstance, validate_instance, kind="instance", in_force=True),
    _read_only(_OLD_API, "adapters", Adapter, validate_adapter, kind="adapter", may_be_absent=True),
    _read_only(_OLD_API, "templates", Template, validate_template, kind="template"),
    *(
        _read_only(
            _OLD_API,
            f"{name}-instances",
            template.fields,
            validate_instance_of_template,
            kind=name,
            may_be_absent=True,
            in_force=name in _TEMPLATES_IN_FORCE,
        )
        for name, template in TEMPLATES.items()
    ),
)


def handlers_of(adapter: AdapterKind) -> Kind[ReadOnlySpec]:
    """The row of an adapter's handlers in the old style, whose kind is the adapter's name."""

    def judge(parameters: ReadOnlySpec, meta: Meta) -> Iterator[Finding]:
        assert isinstance(parameters, adapter.parameters)
        yield from handler_annotation_faults(meta.annotations)
        yield from adapter.faults(parameters, ("spec",))

    return Kind(
        group=OLD,
        kind=adapter.name,
        versions=_OLD_VERSIONS,
        plural=f"{adapter.name}-handlers",
        short_names=(),
        spec=adapter.parameters,
        validate=judge,
        in_force=adapter.runs,
        why_not=adapter.missing,
        spec_may_be_absent=True,
    )


_ROWS_OF_ADAPTERS = tuple(handlers_of(adapter) for _, adapter in sorted(BUILT_IN.adapters.items()))
_ROWS = (*_ROWS_IN_FORCE, *_ROWS_GATEWAY_API, *_ROWS_READ_ONLY, *_ROWS_OF_ADAPTERS)

KINDS: Mapping[tuple[str, str], AnyKind] = MappingProxyType({(row.group, row.kind): row for row in _ROWS})

# Groups with kinds that come later: Mixer's of 2018 are named by adapters and templates, outsiders' included.
GROUPS_NOT_YET = frozenset([OLD, "gateway.networking.k8s.io"])


def find_kind(word: str) -> AnyKind | None:
    """The row a user means by `vs`, `virtualservice`, `virtualservices`, `VirtualService`, or with `.group` behind. Two
    kinds are called Gateway: without a group Istio's is meant."""
    name, _, group = word.lower().partition(".")
    rows = (row for row in _ROWS if name in row.names() and group in ("", row.group))
    return next(rows, None)


def is_not_yet(group: str, kind: str) -> bool:
    """True for a kind that Istio has and Proa will read one day."""
    return group in GROUPS_NOT_YET and (group, kind) not in KINDS
