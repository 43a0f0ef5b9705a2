"""What mesh TLS needs at a gateway that lets it pass unopened (AUTO_PASSTHROUGH): a cluster per SNI.

The client's sidecar has already encrypted for the server's, and names in SNI where it wants to go. So the cluster is
the service's own with nothing added: no TLS of the gateway's, no HTTP, the same endpoints.
"""

from collections.abc import Iterator

import msgspec

from proa.core.model.endpoint import Endpoint
from proa.core.model.locality import Standpoint
from proa.core.model.names import mesh_sni, parse_cluster_name
from proa.core.model.settings import MeshSettings
from proa.core.pilot.scope.views import HostView
from proa.core.pilot.translate.clusters import ClientTls, ClusterIntent
from proa.core.pilot.translate.nearness import preference_of
from proa.core.pilot.translate.outbound import cluster_intents, nearness_by_cluster


def through_names(view: HostView) -> Iterator[str]:
    """The SNIs by which a service is reached, which are its clusters' names as well. A wildcard has none."""
    service = view.service
    if service is None or not service.has_endpoints or view.host.startswith("*"):
        return
    for port in service.ports:
        yield mesh_sni(port.number, "", view.host)
        for subset in view.policy.subsets if view.policy else ():
            yield mesh_sni(port.number, subset.name, view.host)


def through_clusters(
    view: HostView, endpoints: tuple[Endpoint, ...], settings: MeshSettings, gateway: Standpoint
) -> Iterator[ClusterIntent]:
    """`gateway`: where it stands, which counts for sets that are part of their clusters."""
    nearness = nearness_by_cluster(view, settings)
    if view.host.startswith("*") or view.service is None or not view.service.has_endpoints:
        return
    for intent in cluster_intents(view, endpoints, settings):
        _, port, subset, host = parse_cluster_name(intent.name)
        near = nearness.get(intent.name) if intent.resolution == "DNS" else None
        yield msgspec.structs.replace(
            intent,
            name=mesh_sni(port, subset, host),
            members=intent.name,
            protocol="TCP",
            tls=ClientTls(mode="plain"),
            preference=preference_of(near, gateway) if near is not None else None,
            proxy_protocol="",
        )
