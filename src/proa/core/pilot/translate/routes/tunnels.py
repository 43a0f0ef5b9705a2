"""What becomes of CONNECT at one virtual host: routes into internal listeners, straight out, or a refusal.

A tunnel's stream may have several clusters by weight, but the one it falls back to is a fact of its route. So each
share is a route of its own, taken by chance: Envoy draws one number per request, and the shares are laid end to end.
"""

from collections.abc import Iterator

from envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from envoy.config.route.v3.route_components_pb2 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteMatch,
)
from envoy.type.matcher.v3.string_pb2 import StringMatcher
from envoy.type.v3.percent_pb2 import FractionalPercent

from proa.core.pilot.translate.encode import millis, pack, provenance
from proa.core.pilot.translate.filters import filter_state
from proa.core.pilot.translate.filters.names import FILTER_STATE
from proa.core.pilot.translate.routes.intents import Connect, ConnectStream, Stream, VirtualHostIntent

MILLION = 1_000_000


def connect_routes(intent: VirtualHostIntent) -> Iterator[Route]:
    """Of one that goes straight out the caller adds the guard: its cluster is `connect.guarded`."""
    connect = intent.connect
    if connect is None:
        return
    for stream in connect.streams:
        for name in stream.names or ("",):
            yield from _stream_routes(intent, connect, stream, name)
    if connect.refusal:
        route = _route(intent)
        route.direct_response.CopyFrom(DirectResponseAction(status=connect.refusal))
        yield route
    elif connect.guarded:
        route = _route(intent)
        route.route.CopyFrom(_tunnel(connect.guarded))
        yield route


def _route(intent: VirtualHostIntent, name: str = "", port: int = 0) -> Route:
    match = RouteMatch(connect_matcher=RouteMatch.ConnectMatcher())
    if name and name != "*":
        matcher = StringMatcher(ignore_case=True)
        if name.startswith("*"):
            matcher.suffix = f"{name[1:]}:{port}"
        else:
            matcher.exact = f"{name}:{port}"
        match.headers.append(HeaderMatcher(name=":authority", string_match=matcher))
    return Route(name="connect", match=match, metadata=provenance(intent.objects))


def _stream_routes(
    intent: VirtualHostIntent, connect: Connect, stream: ConnectStream, name: str
) -> Iterator[Route]:
    targets = stream.stream.targets
    total, share = sum(target.weight for target in targets), 0
    for target in targets:
        share += target.weight
        route = _route(intent, name, connect.port)
        if stream.rule:
            route.metadata.CopyFrom(provenance(stream.objects, stream.rule))
        if share < total:
            fraction = FractionalPercent(
                numerator=share * MILLION // total, denominator=FractionalPercent.MILLION
            )
            route.match.runtime_fraction.CopyFrom(RuntimeFractionalPercent(default_value=fraction))
        route.route.CopyFrom(_tunnel(connect.tunnel))
        _limit(route.route, stream.stream)
        state = filter_state.fall_back_to(target.cluster)
        route.typed_per_filter_config[FILTER_STATE].CopyFrom(pack(state))
        yield route


def _limit(action: RouteAction, stream: Stream) -> None:
    if stream.idle_timeout_ms is not None:
        action.idle_timeout.CopyFrom(millis(stream.idle_timeout_ms))
    if stream.max_duration_ms:
        action.max_stream_duration.max_stream_duration.CopyFrom(millis(stream.max_duration_ms))


def _tunnel(cluster: str) -> RouteAction:
    return RouteAction(
        cluster=cluster,
        timeout=millis(0),
        upgrade_configs=[
            RouteAction.UpgradeConfig(
                upgrade_type="CONNECT", connect_config=RouteAction.UpgradeConfig.ConnectConfig()
            )
        ],
    )
