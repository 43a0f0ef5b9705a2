"""The way from a proxy to the control planes that answer for Mixer: straight, with the workload's own certificate.

Only proxies of which a rule wants something have it. Where the control planes are comes as endpoints, so that calls
under way outlast one that comes or goes; where some are known by names, which endpoints cannot be, it stands in the
cluster.
"""

from typing import Final

import msgspec
from envoy.config.cluster.v3.circuit_breaker_pb2 import CircuitBreakers
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.cluster.v3.outlier_detection_pb2 import OutlierDetection
from envoy.config.core.v3.base_pb2 import RetryPolicy
from envoy.config.core.v3.grpc_service_pb2 import GrpcService
from envoy.config.core.v3.protocol_pb2 import Http2ProtocolOptions, KeepaliveSettings
from envoy.config.endpoint.v3.endpoint_components_pb2 import Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.retry.priority.previous_priorities.v3.previous_priorities_config_pb2 import (
    PreviousPrioritiesConfig,
)
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions

from proa.core.attributes.addresses import parse_address
from proa.core.auth.spiffe import control_plane_id
from proa.core.model.digest import digest_of
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.translate import tls
from proa.core.pilot.translate.clusters import HTTP_OPTIONS
from proa.core.pilot.translate.encode import ADS, build_resource, millis, pack, socket_address, uint32

MIXER_CLUSTER: Final = "proa_mixer"
QUOTA_CLUSTER: Final = "proa_mixer_quotas"
CONNECT_TIMEOUT_MS: Final = 1_000
"""Who asks waits no longer than its rules' deadlines; a control plane that is away is passed over."""
MOST_CALLS: Final = 10_000
"""Under way from one proxy at once; more are failed calls, which count by their rules' policies."""
PING_MS: Final = 5_000
"""A connection whose other end says nothing for so long is dead: of a machine that went away nobody tells."""
PASSED_OVER_MS: Final = 500
"""How long one that is away is not asked, and no longer however often: a try costs no more than another call, and when
the others go it is the one that is left."""
RETRIES: Final = 3
"""Within the time that a call has. Each waits a little longer than the last: that a control plane is to be passed over
is known to all of a proxy's workers some milliseconds after one of them found it."""


_AWAY: Final = "connect-failure,refused-stream"
_LOST: Final = f"{_AWAY},reset,unavailable"


def mixer_calls(*, repeatable: bool, in_turn: bool = False) -> GrpcService:
    """Calls to whichever control plane answers: one that is away costs a caller no more than the time to notice it.
    `repeatable`: also what was lost on the way is asked again, for an answer changes nothing. `in_turn` as of the
    cluster."""
    elsewhere = RetryPolicy.RetryHostPredicate(
        name="envoy.retry_host_predicates.previous_hosts", typed_config=pack(PreviousHostsPredicate())
    )
    policy = RetryPolicy(
        retry_on=_LOST if repeatable else _AWAY,
        num_retries=uint32(RETRIES),
        retry_host_predicate=[elsewhere],
        host_selection_retry_max_attempts=RETRIES + 1,
    )
    if in_turn:
        policy.retry_priority.name = "envoy.retry_priorities.previous_priorities"
        policy.retry_priority.typed_config.CopyFrom(pack(PreviousPrioritiesConfig(update_frequency=1)))
    name = QUOTA_CLUSTER if in_turn else MIXER_CLUSTER
    return GrpcService(envoy_grpc=GrpcService.EnvoyGrpc(cluster_name=name), retry_policy=policy)


class MixerClusterIntent(msgspec.Struct, frozen=True, kw_only=True):
    """`servers` are `host:port` of all control planes. `in_turn`: not whichever answers, but the same one for all
    proxies as long as it does, so that what it counts is counted in one place; then the next."""

    servers: tuple[str, ...]
    trust_domain: str
    in_turn: bool = False

    @property
    def name(self) -> str:
        return QUOTA_CLUSTER if self.in_turn else MIXER_CLUSTER

    @property
    def is_told_apart(self) -> bool:
        """Whether endpoints come by themselves: all are addresses."""
        return all(parse_address(_host_and_port(each)[0]) is not None for each in self.servers)


def build_mixer_cluster(intent: MixerClusterIntent) -> Resource:
    options = HttpProtocolOptions()
    http2 = Http2ProtocolOptions(
        connection_keepalive=KeepaliveSettings(interval=millis(PING_MS), timeout=millis(PING_MS))
    )
    options.explicit_http_config.http2_protocol_options.CopyFrom(http2)
    server = str(control_plane_id(intent.trust_domain))
    cluster = Cluster(
        name=intent.name,
        connect_timeout=millis(CONNECT_TIMEOUT_MS),
        transport_socket=tls.client_mtls("", (server,), tls.ALPN_GRPC),
        circuit_breakers=CircuitBreakers(
            thresholds=[
                CircuitBreakers.Thresholds(
                    max_requests=uint32(MOST_CALLS),
                    max_pending_requests=uint32(MOST_CALLS),
                    max_retries=uint32(MOST_CALLS),
                )
            ]
        ),
        # A control plane that went away without a word is asked again now and then; when all are away, any is asked.
        outlier_detection=OutlierDetection(
            split_external_local_origin_errors=True,
            consecutive_local_origin_failure=uint32(1),
            interval=millis(PASSED_OVER_MS),
            base_ejection_time=millis(PASSED_OVER_MS),
            max_ejection_time=millis(PASSED_OVER_MS),
            max_ejection_percent=uint32(100),
            enforcing_consecutive_5xx=uint32(0),
            enforcing_success_rate=uint32(0),
            enforcing_local_origin_success_rate=uint32(0),
        ),
    )
    if intent.is_told_apart:
        cluster.type = Cluster.EDS
        cluster.eds_cluster_config.CopyFrom(
            Cluster.EdsClusterConfig(eds_config=ADS, service_name=intent.name)
        )
    else:
        cluster.type = Cluster.STRICT_DNS
        cluster.dns_lookup_family = Cluster.V4_PREFERRED
        cluster.respect_dns_ttl = True
        cluster.load_assignment.CopyFrom(_assignment(intent))
    cluster.typed_extension_protocol_options[HTTP_OPTIONS].CopyFrom(pack(options))
    return build_resource(ResourceType.CLUSTER, intent.name, cluster)


def _groups(intent: MixerClusterIntent) -> list[list[str]]:
    """By digests: which comes first does not depend on who else is there, and the order stays when one goes."""
    if not intent.in_turn:
        return [sorted(intent.servers)]
    return [[each] for each in sorted(intent.servers, key=lambda each: (digest_of(each), each))]


def build_mixer_endpoints(intent: MixerClusterIntent) -> Resource:
    """Of a cluster whose endpoints are told apart."""
    return build_resource(ResourceType.ENDPOINT, intent.name, _assignment(intent))


def _assignment(intent: MixerClusterIntent) -> ClusterLoadAssignment:
    return ClusterLoadAssignment(
        cluster_name=intent.name,
        endpoints=[
            LocalityLbEndpoints(priority=number, lb_endpoints=[_endpoint(each) for each in group])
            for number, group in enumerate(_groups(intent))
        ],
    )


def _host_and_port(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)


def _endpoint(server: str) -> LbEndpoint:
    return LbEndpoint(endpoint=Endpoint(address=socket_address(*_host_and_port(server))))
