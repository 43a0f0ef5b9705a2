"""A service with the routes bound to it: one VirtualService for its callers (GAMMA).

Routes of the service's namespace are for all its callers; those of another for the callers there, instead of the
former.
"""

from collections.abc import Iterator

from proa.core.config.gateway_api.attach import Condition, covers, refused
from proa.core.config.gateway_api.backends import shares
from proa.core.config.gateway_api.bound import NOT_FOUND, Bound, Derivation, Made, virtual_service
from proa.core.config.gateway_api.rules import HTTP_ERROR, Place, Ruled
from proa.core.config.gateway_api.schema import GrpcRoute, HttpRoute, TcpRoute, TlsRoute
from proa.core.config.kinds.virtual_service.schema import Beyond
from proa.core.config.legacy.draft import SPEC, Draft
from proa.core.config.legacy.draft import Place as Written
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef, service_hostname, short_names

_ACCEPTED = Condition(type="Accepted", status=True, reason="Accepted")
_PortKey = tuple[int | None, str]
"""Number and name of a port, as far as a route says them."""


def derive_callers(name: str, own: str, bound: list[Bound]) -> Derivation:
    """Of service `name` in namespace `own`."""
    host = service_hostname(name, own)
    requests = [each for each in bound if isinstance(each.spec, HttpRoute | GrpcRoute)]
    rules = list(_rules(host, own, requests))
    streams: list[Json] = []
    beyond: list[Beyond] = []
    places: list[Written] = []
    sources = [rule.draft.source for rule in rules]
    verdicts: dict[tuple[ObjectRef, int], Condition] = {}
    for each in _in_order(bound, own):
        verdict = _misses(each, host)
        if verdict is None:
            places.append(Written((*SPEC, "tcp", len(streams)), each.ref, (*SPEC, "rules", 0)))
            streams.append(_stream(each, own))
            beyond.append(Beyond(port_name=each.parent.section_name))
            sources.append(each.ref)
        verdicts[each.ref, each.number] = verdict or _ACCEPTED
    head: dict[str, Json] = {"hosts": [host]}
    if streams:
        head["tcp"] = streams
    made: tuple[Made, ...] = ()
    if rules or streams:
        made = (
            virtual_service(
                own,
                f"{name}-gateway-api",
                head,
                rules,
                tuple(dict.fromkeys(sources)),
                tuple(beyond),
                tuple(places),
            ),
        )
    refs = tuple(each.derived.ref for each in made)
    standings = [
        each.standing(accepted, refs if accepted.status else (), host)
        for each in bound
        for accepted in (verdicts.get((each.ref, each.number), _ACCEPTED),)
    ]
    return Derivation(made=made, standings=tuple(standings))


# -- requests --


def _rules(host: str, own: str, bound: list[Bound]) -> Iterator[Ruled]:
    by_namespace: dict[str, list[Bound]] = {}
    for each in bound:
        by_namespace.setdefault(each.ref.namespace, []).append(each)
    for namespace in sorted(by_namespace, key=lambda name: (name == own, name)):
        asked = "" if namespace == own else namespace
        found = [
            ordered
            for each in by_namespace[namespace]
            for ordered in each.rules(
                Place(port=each.parent.port, port_name=each.parent.section_name, namespace=asked)
            )
        ]
        yield from (rule for _, rule in sorted(found, key=lambda one: one[0]))
        yield from _nothing_else(by_namespace[namespace], asked)
    if bound and all(_port(each) != (None, "") for each in by_namespace.get(own, ())):
        # What no route is about is as without routes.
        yield _plain(bound[0], {"route": [{"destination": {"host": host}}]})


def _port(bound: Bound) -> _PortKey:
    return (bound.parent.port, bound.parent.section_name)


def _nothing_else(bound: list[Bound], namespace: str) -> Iterator[Ruled]:
    """A request that no rule matches, on ports that routes are about, is not found."""
    for port, port_name in dict.fromkeys(map(_port, bound)):
        match: dict[str, Json] = {"sourceNamespace": namespace} if namespace else {}
        if port is not None:
            match["port"] = port
        yield _plain(bound[0], {**NOT_FOUND, **({"match": [match]} if match else {})}, port_name)


def _plain(source: Bound, rule: dict[str, Json], port_name: str = "") -> Ruled:
    draft = Draft(source.ref)
    draft.value = rule
    return Ruled(rank=(), place=(0, 0, 0), draft=draft, missing=HTTP_ERROR, port_name=port_name)


# -- streams --


def _in_order(bound: list[Bound], own: str) -> list[Bound]:
    """The first that holds has a connection: what is for a namespace or a port before what is for all, TLSRoutes before
    TCPRoutes, then the older, then by name."""
    streams = [each for each in bound if isinstance(each.spec, TlsRoute | TcpRoute)]
    return sorted(
        streams,
        key=lambda each: (
            each.ref.namespace == own,
            _port(each) == (None, ""),
            isinstance(each.spec, TcpRoute),
            each.created,
            each.ref,
            each.number,
        ),
    )


def _misses(each: Bound, host: str) -> Condition | None:
    """Why nothing can come of a route for streams here. Its callers ask for the service by the service's name."""
    assert isinstance(each.spec, TlsRoute | TcpRoute)
    names = short_names(host, each.ref.namespace)
    if each.hostnames and not any(covers(wide.lower(), name) for wide in each.hostnames for name in names):
        return refused("NoMatchingListenerHostname", f"none of its hostnames is {host}")
    if not shares(each.ref, each.spec.rules[0].backend_refs, each.permitted):
        return refused("UnsupportedValue", "it has no backend that may be named and has a weight; add one")
    return None


def _stream(each: Bound, own: str) -> dict[str, Json]:
    assert isinstance(each.spec, TlsRoute | TcpRoute)
    match: dict[str, Json] = {} if each.ref.namespace == own else {"sourceNamespace": each.ref.namespace}
    if each.parent.port is not None:
        match["port"] = each.parent.port
    route = [goal for _, goal in shares(each.ref, each.spec.rules[0].backend_refs, each.permitted)]
    return {**({"match": [match]} if match else {}), "route": list[Json](route)}
