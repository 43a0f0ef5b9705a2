"""The walk itself: listener, filter chain, route, cluster, endpoints."""

from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import TypeVar

import msgspec
from envoy.config.listener.v3.listener_components_pb2 import FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy

from proa.core.pilot.simulate.clusters import candidates_of, internal_listener_of
from proa.core.pilot.simulate.filters import (
    STREAM_POLICIES,
    AskPolicies,
    PolicyPlace,
    claims_in,
    pass_filters,
)
from proa.core.pilot.simulate.outcome import Answered, Check, End, Forwarded, Outcome, Refused, RouteTaken
from proa.core.pilot.simulate.reception import received
from proa.core.pilot.simulate.request import (
    HTTP1,
    RAW,
    Connect,
    Connection,
    Gateway,
    Inbound,
    Own,
    Request,
    Upstream,
    Via,
)
from proa.core.pilot.simulate.resources import Decoder, Lookup, unpack
from proa.core.pilot.simulate.routing import Routed, find_route

M = TypeVar("M", HttpConnectionManager, TcpProxy)


class Simulation:
    """One proxy's resources, each decoded once for all the requests that are asked about. `ask`: who knows its
    authorization policies; without him they let everything pass."""

    def __init__(self, lookup: Lookup, ask: AskPolicies | None = None) -> None:
        self.decoder = Decoder(lookup)
        self._ask = ask

    def run(self, request: Request, via: Via) -> Outcome:
        """What the proxy does with the request. Raises BadResource."""
        walk = _Walk(self.decoder, self._ask)
        match via:
            case Connect():
                tunnel = msgspec.structs.replace(request, method="CONNECT", authority=via.authority, path="")
                return walk.tunnel(via, tunnel, request)
            case Inbound() | Gateway() | Own():
                return walk.enter(via.listener, via.carries, request)
            case Upstream():
                return walk.enter(via.listener, RAW, request)
            case _:
                return walk.enter(via.listener, HTTP1, request, is_absolute=True)


def simulate(lookup: Lookup, request: Request, via: Via) -> Outcome:
    """One request of a proxy that holds these resources. Raises BadResource."""
    return Simulation(lookup).run(request, via)


class _Walk:
    """One request's way, with what was decided so far in `why`."""

    def __init__(self, decoder: Decoder, ask: AskPolicies | None) -> None:
        self._decoder = decoder
        self._ask = ask
        self._why: list[str] = []
        self._checks: tuple[Check, ...] = ()
        self._routes = ""
        self._seen: Request | None = None

    def enter(
        self,
        name: str,
        connection: Connection,
        request: Request,
        fallback: str = "",
        *,
        is_absolute: bool = False,
    ) -> Outcome:
        """`fallback`: the cluster that the tunnel names for streams that are no HTTP."""
        listener = self._decoder.listener(name)
        if listener is None:
            return self._end(name, Refused(), f"there is no listener {name}")
        chain = find_chain(listener, connection)
        if chain is None:
            offered = ", ".join(connection.protocols) or "nothing more"
            asked = f" for {connection.sni}" if connection.sni else ""
            why = f"listener {name} takes no {connection.transport} connection{asked} with {offered}"
            return self._end(name, Refused(), why)
        manager, proxy = _manager(chain), _tcp_proxy(chain)
        if manager is not None:
            self._why.append(f"listener {name}, filter chain {chain.name or '(only one)'}: HTTP")
            seen = received(manager, request, is_absolute=is_absolute)
            seen = msgspec.structs.replace(seen, claims=claims_in(self._decoder, manager, seen))
            return self._route(name, chain.name, manager, seen)
        if proxy is not None:
            self._why.append(f"listener {name}, filter chain {chain.name or '(only one)'}: a raw stream")
            cluster = fallback or _cluster_of(proxy, request.roll)
            if not self._admits(chain, request):
                return self._end(name, Refused(cluster=cluster), "", chain.name)
            return self._reach(name, chain.name, None, cluster, request, is_http=False)
        return self._end(
            name, Refused(), f"filter chain {chain.name} of {name} ends in nothing known", chain.name
        )

    def tunnel(self, via: Connect, connect: Request, inner: Request) -> Outcome:
        """The CONNECT itself, and if it is accepted what flows inside."""
        listener = self._decoder.listener(via.listener)
        chain = find_chain(listener, HTTP1) if listener is not None else None
        manager = _manager(chain) if chain is not None else None
        if chain is None or manager is None:
            return self._end(via.listener, Refused(), f"there is no explicit proxy at {via.listener}")
        routes = self._routes_of(manager)
        if routes is None:
            return self._end(
                via.listener, Answered(status=404, flag="NR"), "its routes are not there", chain.name
            )
        asked = received(manager, connect)
        self._routes, self._seen = routes.name, asked
        routed = find_route(routes, asked)
        self._why.append(f"CONNECT {via.authority}: {routed.why}")
        passed = self._pass(manager, routed, asked)
        if passed.answer is not None:
            return self._end(via.listener, passed.answer, "", chain.name, passed.taken)
        cluster = self._decoder.cluster(routed.cluster)
        inside = internal_listener_of(cluster) if cluster is not None else ""
        if not inside:
            return self._reach(via.listener, chain.name, passed.taken, routed.cluster, asked)
        self._checks, self._routes, self._seen = (), "", None
        return self.enter(inside, via.carries, inner, routed.fallback)

    def _route(self, listener: str, chain: str, manager: HttpConnectionManager, request: Request) -> Outcome:
        routes = self._routes_of(manager)
        if routes is None:
            why = f"routes {manager.rds.route_config_name} are not there"
            return self._end(listener, Answered(status=404, flag="NR"), why, chain)
        self._routes, self._seen = routes.name, request
        routed = find_route(routes, request)
        self._why.append(routed.why)
        passed = self._pass(manager, routed, request)
        if passed.answer is not None:
            return self._end(listener, passed.answer, "", chain, passed.taken)
        return self._reach(listener, chain, passed.taken, routed.cluster, request)

    def _pass(self, manager: HttpConnectionManager, routed: Routed, request: Request) -> Routed:
        """The route, once the filters have seen the request: with their answer if one of them answers. They are asked
        where there is no route as well, and before anybody says so."""
        passage = pass_filters(self._decoder, manager, routed.levels, request, self._ask)
        self._checks = passage.checks
        self._why += [check.why for check in passage.checks]
        answer = passage.answer
        if routed.taken is None:
            return msgspec.structs.replace(routed, answer=answer) if answer is not None else routed
        taken = msgspec.structs.replace(routed.taken, fault=passage.fault)
        if answer is None:
            return msgspec.structs.replace(routed, taken=taken)
        answer = msgspec.structs.replace(answer, cluster=routed.cluster)
        return msgspec.structs.replace(routed, taken=taken, answer=answer)

    def _admits(self, chain: FilterChain, request: Request) -> bool:
        """Whether policies let a stream in."""
        if self._ask is None:
            return True
        ends_tls = chain.HasField("transport_socket")
        for each in chain.filters:
            if each.typed_config.type_url.rpartition("/")[2] in STREAM_POLICIES:
                place = PolicyPlace(filter=each.name, is_stream=True, ends_tls=ends_tls)
                ruling = self._ask(place, request)
                check = ruling.check if ruling is not None else None
                if check is not None and check not in self._checks:
                    self._checks += (check,)
                    self._why.append(check.why)
        return all(check.passed is not False for check in self._checks)

    def _routes_of(self, manager: HttpConnectionManager) -> RouteConfiguration | None:
        if manager.HasField("rds"):
            return self._decoder.routes(manager.rds.route_config_name)
        return manager.route_config

    def _reach(
        self,
        listener: str,
        chain: str,
        taken: RouteTaken | None,
        name: str,
        request: Request,
        *,
        is_http: bool = True,
    ) -> Outcome:
        def fail(why: str, flag: str) -> Outcome:
            end: End = Answered(status=503, cluster=name, flag=flag) if is_http else Refused(cluster=name)
            return self._end(listener, end, why, chain, taken)

        cluster = self._decoder.cluster(name)
        if cluster is None:
            return fail(f"there is no cluster {name}", "NC")
        authority = taken.authority if taken is not None else request.authority
        candidates = candidates_of(self._decoder, cluster, authority)
        if not candidates:
            return fail(f"cluster {name} has no healthy endpoint", "UH")
        end = Forwarded(cluster=name, candidates=candidates)
        return self._end(listener, end, f"cluster {name}", chain, taken)

    def _end(
        self, listener: str, end: End, why: str, chain: str = "", taken: RouteTaken | None = None
    ) -> Outcome:
        words = (*self._why, why) if why else tuple(self._why)
        return Outcome(
            listener=listener,
            filter_chain=chain,
            routes=self._routes,
            seen=self._seen,
            route=taken,
            checks=self._checks,
            end=end,
            why=words,
        )


def find_chain(listener: Listener, connection: Connection) -> FilterChain | None:
    """Envoy's order: the narrowest network dialled, the most exact name asked for, the transport protocol, then the
    first offered application protocol that any chain names; at each step a chain that says nothing comes last, and
    there is no way back to a less exact one."""
    connection = _seen(listener, connection)
    chains = _best(listener.filter_chains, lambda chain: _network_rank(chain, connection.address))
    chains = _best(chains, lambda chain: _name_rank(chain, connection.sni))
    exact = [chain for chain in chains if chain.filter_chain_match.transport_protocol == connection.transport]
    chains = exact or [chain for chain in chains if not chain.filter_chain_match.transport_protocol]
    for protocol in (*connection.protocols, ""):
        for chain in chains:
            named = chain.filter_chain_match.application_protocols
            if protocol in named or (not protocol and not named):
                return chain
    return listener.default_filter_chain if listener.HasField("default_filter_chain") else None


def _best(chains: Iterable[FilterChain], rank: Callable[[FilterChain], int]) -> list[FilterChain]:
    """Those of the highest rank; -1 is out of the question."""
    ranked = [(rank(chain), chain) for chain in chains]
    best = max((number for number, _ in ranked), default=-1)
    return [chain for number, chain in ranked if number == best and best >= 0]


def _network_rank(chain: FilterChain, address: str) -> int:
    ranges = chain.filter_chain_match.prefix_ranges
    if not ranges:
        return 0
    if not address:
        return -1
    networks = [ip_network(f"{each.address_prefix}/{each.prefix_len.value}", strict=False) for each in ranges]
    return max((1 + each.prefixlen for each in networks if ip_address(address) in each), default=-1)


def _name_rank(chain: FilterChain, sni: str) -> int:
    """The whole name beats a wildcard, a longer wildcard a shorter one."""
    names = chain.filter_chain_match.server_names
    if not names:
        return 0
    asked = sni.lower()
    ranks = [10_000 for name in names if name == asked]
    ranks += [len(name) for name in names if name.startswith("*.") and asked.endswith(name[1:])]
    return max(ranks, default=-1)


def _cluster_of(proxy: TcpProxy, roll: float) -> str:
    weighted = proxy.weighted_clusters.clusters
    point = int(roll * sum(each.weight for each in weighted))
    for each in weighted:
        point -= each.weight
        if point < 0:
            return each.name
    return proxy.cluster


def _seen(listener: Listener, connection: Connection) -> Connection:
    """What the listener's inspectors tell: without them TLS and HTTP are bytes like any others, and nobody knows what
    was asked for. The explicit proxy and plain ports of gateways have none and need none."""
    inspectors = {each.name.rpartition(".")[2] for each in listener.listener_filters}
    needed = "tls_inspector" if connection.transport == "tls" else "http_inspector"
    if needed in inspectors:
        return connection
    return msgspec.structs.replace(RAW, address=connection.address)


def _manager(chain: FilterChain) -> HttpConnectionManager | None:
    return next((found for found in _unpacked(chain, HttpConnectionManager)), None)


def _tcp_proxy(chain: FilterChain) -> TcpProxy | None:
    return next((found for found in _unpacked(chain, TcpProxy)), None)


def _unpacked(chain: FilterChain, kind: type[M]) -> Iterator[M]:
    for each in chain.filters:
        found = unpack(each.typed_config, kind)
        if found is not None:
            yield found
