"""The bootstrap of a sidecar: what stands in an Envoy before it has heard a word of xDS, and its command line.

`proa.node.envoy` writes it to a file. Everything else an Envoy does comes over ADS from the node agent's Unix
socket. What only a bootstrap can hold is decided here: internal listeners, which statistics exist, limits.
"""

from typing import Final

import msgspec
from envoy.config.bootstrap.v3.bootstrap_pb2 import Bootstrap
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.core.v3.config_source_pb2 import ApiConfigSource, ApiVersion
from envoy.config.overload.v3.overload_pb2 import ResourceMonitor
from envoy.extensions.bootstrap.internal_listener.v3.internal_listener_pb2 import InternalListener
from envoy.extensions.resource_monitors.downstream_connections.v3.downstream_connections_pb2 import (
    DownstreamConnectionsConfig,
)
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from google.protobuf.json_format import MessageToJson
from immutables import Map

from proa.core.model.metering import BYTE_BOUNDS, STAT_PREFIX
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import WorkloadKind

PARTING_S: Final = 1
"""Between the end of an Envoy's drain and its end, when another has taken its place."""
ADS_CLUSTER: Final = "proa_agent"
REGEX_PROGRAM_SIZE: Final = 32_768
"""Envoy's own limit of 100 refuses regexes that validation accepts; this is Istio's figure."""
MAX_CONNECTIONS: Final = 100_000
META: Final = "ISTIO_META_"
"""Variables that begin so become metadata of the node, without it."""
EPOCH_FLAG: Final = "--restart-epoch"
RETRY_BASE_MS: Final = 100
RETRY_MAX_MS: Final = 1_000

_PREFIXES: Final = (
    f"{STAT_PREFIX}.",
    "server.",
    "listener_manager.",
    "cluster_manager.",
    "control_plane.",
    "runtime.",
    "overload.",
    "access_logs.",
)
_INFIXES: Final = (
    ".upstream_rq_",
    ".upstream_cx_",
    ".downstream_rq_",
    ".downstream_cx_",
    ".membership_",
    ".outlier_detection.ejections_",
    ".rbac.",
    ".jwt_authn.",
    ".ext_authz.",
    ".fault.",
    ".ssl.fail_",
    ".ssl.connection_error",
    ".ssl.handshake",
    ".ssl.no_certificate",
    ".no_filter_chain_match",
    ".circuit_breakers.default.",
)
_SUFFIXES: Final = (".update_rejected", ".update_success", ".update_failure", ".connected_state")

_TAGS: Final = (
    ("cluster_name", r"^cluster\.((.+?(\..+?\.svc\.cluster\.local)?)\.)"),
    ("tcp_prefix", r"^tcp\.((.*?)\.)\w+?$"),
    ("http_conn_manager_prefix", r"^http\.((\w+)\.)"),
    ("listener_address", r"^listener\.(((?:[_.[:digit:]]*|[_\[\]aAbBcCdDeEfF[:digit:]]*))\.)"),
    ("response_code", r"_rq(_(\d{3}))$"),
    ("response_code_class", r"_rq(_(\dxx))$"),
)
"""Prometheus labels cut out of statistics' names. A mesh host has dots, which Envoy's default for clusters
takes for an end."""


class SidecarProcess(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one Envoy process is made from. Paths are text; both sockets are shorter than 100 bytes."""

    id: WorkloadId
    kind: WorkloadKind
    account: str
    labels: Map[str, str] = Map()
    locality: str = ""
    xds_socket: str
    admin_socket: str
    binary: str
    bootstrap_file: str
    concurrency: int = 1
    drain_s: int = 5
    environment: Map[str, str] = Map()

    @property
    def parting_s(self) -> int:
        """How long an Envoy that is replaced by its heir may take to end its open requests."""
        return self.drain_s + PARTING_S

    @property
    def base_id_file(self) -> str:
        """Where the Envoy writes under which number a successor finds it."""
        return f"{self.bootstrap_file}.base-id"


def node_id(workload: WorkloadId, kind: WorkloadKind) -> str:
    """`sidecar~default/reviews-v1`. For readers of logs: identity is the socket, nobody trusts this text."""
    return f"{'router' if kind == 'gateway' else 'sidecar'}~{workload}"


def build_node(process: SidecarProcess) -> Node:
    """The node message of the bootstrap, and the one the agent sends upstream on the workload's behalf."""
    node = Node(id=node_id(process.id, process.kind), cluster=f"{process.id.name}.{process.id.namespace}")
    said = {
        name.removeprefix(META): value for name, value in process.environment.items() if name.startswith(META)
    }
    node.metadata.update(
        {
            **dict(sorted(said.items())),
            "NAMESPACE": process.id.namespace,
            "NAME": process.id.name,
            "SERVICE_ACCOUNT": process.account,
            "LABELS": dict(sorted(process.labels.items())),
        }
    )
    region, _, rest = process.locality.partition("/")
    zone, _, sub_zone = rest.partition("/")
    node.locality.region, node.locality.zone, node.locality.sub_zone = region, zone, sub_zone
    return node


def build_bootstrap(process: SidecarProcess) -> Bootstrap:
    """The typed bootstrap; equal processes give equal messages."""
    bootstrap = Bootstrap(node=build_node(process))
    bootstrap.admin.address.pipe.path = process.admin_socket
    bootstrap.admin.address.pipe.mode = 0o600
    _add_dynamic(bootstrap)
    bootstrap.static_resources.clusters.append(_ads_cluster(process.xds_socket))
    extension = bootstrap.bootstrap_extensions.add(name="envoy.bootstrap.internal_listener")
    extension.typed_config.Pack(InternalListener())
    _add_stats(bootstrap)
    _add_limits(bootstrap)
    return bootstrap


def bootstrap_json(process: SidecarProcess) -> str:
    """What stands in the file: JSON, because people read it. Equal processes have equal texts."""
    return MessageToJson(build_bootstrap(process), preserving_proto_field_name=True, sort_keys=True)


class Descent(msgspec.Struct, frozen=True, kw_only=True):
    """Of an Envoy that takes over from the one of the epoch before with the same base id."""

    base_id: int
    epoch: int


def command_line(process: SidecarProcess, heir: Descent | None = None) -> tuple[str, ...]:
    """The Envoy's argv, of an heir when `heir` is given. Its log goes to stderr, labelled with the workload; access
    logs go to stdout. The heir ends its parent when that has had `parting_s`."""
    if heir is None:
        name: tuple[str, ...] = ("--use-dynamic-base-id", "--base-id-path", process.base_id_file)
    else:
        name = ("--base-id", str(heir.base_id), EPOCH_FLAG, str(heir.epoch))
    return (
        process.binary,
        "--config-path",
        process.bootstrap_file,
        *name,
        "--parent-shutdown-time-s",
        str(process.parting_s),
        "--concurrency",
        str(process.concurrency),
        "--drain-time-s",
        str(process.drain_s),
        "--file-flush-interval-msec",
        "500",
        "--drain-strategy",
        "immediate",
        "--log-level",
        "warning",
        # Its warnings tell of deprecated fields, a line for each listener, and it is not the user who wrote them.
        "--component-log-level",
        "misc:error",
        "--log-format",
        f"%Y-%m-%dT%T.%e [{process.id}] [%l] [%n] %v",
    )


def _add_dynamic(bootstrap: Bootstrap) -> None:
    dynamic = bootstrap.dynamic_resources
    dynamic.ads_config.api_type = ApiConfigSource.ApiType.DELTA_GRPC
    dynamic.ads_config.transport_api_version = ApiVersion.V3
    dynamic.ads_config.set_node_on_first_message_only = True
    grpc = dynamic.ads_config.grpc_services.add().envoy_grpc
    grpc.cluster_name = ADS_CLUSTER
    backoff = grpc.retry_policy.retry_back_off
    backoff.base_interval.FromMilliseconds(RETRY_BASE_MS)
    backoff.max_interval.FromMilliseconds(RETRY_MAX_MS)
    for source in (dynamic.cds_config, dynamic.lds_config):
        source.ads.SetInParent()
        source.resource_api_version = ApiVersion.V3
        # An agent that waits for its control plane must not let the Envoy go live with no listeners.
        source.initial_fetch_timeout.FromSeconds(0)


def _ads_cluster(socket: str) -> Cluster:
    cluster = Cluster(name=ADS_CLUSTER, type=Cluster.DiscoveryType.STATIC)
    cluster.connect_timeout.FromSeconds(1)
    cluster.load_assignment.cluster_name = ADS_CLUSTER
    endpoint = cluster.load_assignment.endpoints.add().lb_endpoints.add().endpoint
    endpoint.address.pipe.path = socket
    protocol = HttpProtocolOptions()
    protocol.explicit_http_config.http2_protocol_options.SetInParent()
    cluster.typed_extension_protocol_options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"].Pack(
        protocol
    )
    return cluster


def _add_stats(bootstrap: Bootstrap) -> None:
    """A statistic costs memory for every cluster of the mesh, so only those that answer a question exist, and
    those of a cluster only once it is used."""
    config = bootstrap.stats_config
    config.use_all_default_tags.value = False
    for name, regex in _TAGS:
        config.stats_tags.add(tag_name=name, regex=regex)
    wanted = config.stats_matcher.inclusion_list.patterns
    for prefix in _PREFIXES:
        wanted.add(prefix=prefix)
    for infix in _INFIXES:
        wanted.add(contains=infix)
    for suffix in _SUFFIXES:
        wanted.add(suffix=suffix)
    for metric in ("request_bytes", "response_bytes"):
        bounds = config.histogram_bucket_settings.add(buckets=BYTE_BOUNDS)
        bounds.match.prefix = f"{STAT_PREFIX}.{metric}."
    bootstrap.deferred_stat_options.enable_deferred_creation_stats = True


def _add_limits(bootstrap: Bootstrap) -> None:
    layer = bootstrap.layered_runtime.layers.add(name="proa")
    layer.static_layer.update(
        {
            "re2.max_program_size.error_level": REGEX_PROGRAM_SIZE,
            "re2.max_program_size.warn_level": REGEX_PROGRAM_SIZE,
        }
    )
    connections = DownstreamConnectionsConfig(max_active_downstream_connections=MAX_CONNECTIONS)
    monitor = ResourceMonitor(name="envoy.resource_monitors.global_downstream_max_connections")
    monitor.typed_config.Pack(connections)
    bootstrap.overload_manager.resource_monitors.append(monitor)
