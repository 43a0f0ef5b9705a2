"""`proa`, with bundles that hold a bad resource for one object: what a translation with a bug would offer.

No document can say anything that Envoy refuses, or so we hope; hence the fault is put in between. What a document says
chooses it: 666 ms as a cluster's time to connect or as a route's time limit, 666 as a gateway's port.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import RouteMatch
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from google.protobuf import any_pb2
from google.protobuf.message import Message

from proa.cli.main import main
from proa.control_plane import scope_bundle, workload_bundle
from proa.core.pilot.resource import Resource
from proa.core.pilot.translate.encode import build_resource

M = TypeVar("M", bound=Message)
MARK_MS = 666


def spoil_cluster(cluster: Cluster) -> None:
    """Refused by the schema's own rules."""
    if cluster.connect_timeout.ToMilliseconds() == MARK_MS:
        cluster.connect_timeout.FromMilliseconds(-1)


def spoil_routes(routes: RouteConfiguration) -> None:
    """Refused when it is compiled."""
    for host in routes.virtual_hosts:
        for route in [each for each in host.routes if each.route.timeout.ToMilliseconds() == MARK_MS]:
            route.match.CopyFrom(RouteMatch(safe_regex=RegexMatcher(regex="[")))


def spoil_listener(listener: Listener) -> None:
    """Refused when the chain is made: no such filter."""
    if listener.name.endswith(f"_{MARK_MS}"):
        listener.filter_chains[0].filters.add(
            name="proa.test.nothing"
        ).typed_config.type_url = "type.googleapis.com/proa.test.Nothing"


def spoiling(
    builder: Callable[..., Resource], kind: type[M], spoil: Callable[[M], None]
) -> Callable[..., Resource]:
    @wraps(builder)
    def build(*arguments: object) -> Resource:
        good = builder(*arguments)
        message = kind()
        any_pb2.Any.FromString(good.body).Unpack(message)
        spoil(message)
        return build_resource(good.type, good.name, message, good.objects)

    return build


if __name__ == "__main__":
    for module, builder, kind, spoil in (
        (scope_bundle, "build_cluster", Cluster, spoil_cluster),
        (scope_bundle, "build_route_configuration", RouteConfiguration, spoil_routes),
        (workload_bundle, "build_route_configuration", RouteConfiguration, spoil_routes),
        (workload_bundle, "build_gateway_listener", Listener, spoil_listener),
    ):
        setattr(module, builder, spoiling(getattr(module, builder), kind, spoil))  # type: ignore[arg-type]
    main()
