"""Rules that are for some clients only: which labels a rule asks its client's workload for, and what is left for whom.

A scope's proxies share a view whoever they are. What of it a client is routed by is decided here: rules that name its
labels, and its namespace, are its own. Labels are compared once, when a workload or a rule comes; from then on a client
is the set of selectors that it wears, so all who wear the same share what is built for them.
"""

from typing import TypeVar

import msgspec
from immutables import Map

from proa.core.config.kinds.virtual_service.schema import (
    HttpMatch,
    HttpRoute,
    TcpMatch,
    TcpRoute,
    TlsMatch,
    TlsRoute,
)
from proa.core.model.workload import Workload
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.selectors import Labels, labels_of, matches_of, selectors_of, worn
from proa.core.pilot.scope.views import GatewayView, HostView, Rules

Match = TypeVar("Match", HttpMatch, TlsMatch, TcpMatch)
Route = TypeVar("Route", HttpRoute, TlsRoute, TcpRoute)


class Client(msgspec.Struct, frozen=True):
    """`wears`: of the selectors that rules name, those that hold for its workload."""

    scope: Scope
    wears: frozenset[Labels] = frozenset()


def served_to(view: HostView, client: Client) -> HostView:
    """The view with the rules that are for this client."""
    return view if view.rules is None else msgspec.structs.replace(view, rules=rules_for(view.rules, client))


def client_of(scope: Scope, workload: Workload, view: HostView) -> Client:
    """A workload of this scope as a client of one host."""
    asked = selectors_of(view.rules.spec) if view.rules is not None else frozenset[Labels]()
    return Client(scope, worn(asked, workload.labels))


def gateway_served(view: GatewayView) -> GatewayView:
    """At a gateway the gateway itself is the client."""
    labels = view.workload.labels
    rules = tuple(
        rules_for(each, Client(Scope(view.workload.id.namespace), worn(selectors_of(each.spec), labels)))
        for each in view.rules
    )
    return msgspec.structs.replace(view, rules=rules)


def rules_for(rules: Rules, client: Client) -> Rules:
    """Rules keep their numbers: those for others are named as skipped."""
    if not any(_asks(match) for match in matches_of(rules.spec)):
        return rules
    spec = rules.spec
    http, skipped = _for_client(spec.http, client)
    tls, skipped_tls = _for_client(spec.tls, client)
    tcp, skipped_tcp = _for_client(spec.tcp, client)
    return msgspec.structs.replace(
        rules,
        spec=msgspec.structs.replace(spec, http=http, tls=tls, tcp=tcp),
        skipped=skipped,
        skipped_tls=skipped_tls,
        skipped_tcp=skipped_tcp,
    )


def _for_client(routes: tuple[Route, ...], client: Client) -> tuple[tuple[Route, ...], frozenset[int]]:
    """The rules with the conditions that are left for this client, and the numbers of those with none of many left:
    they are not for it."""
    kept: list[Route] = []
    skipped: set[int] = set()
    for number, rule in enumerate(routes):
        matches = tuple(_answered(each) for each in rule.match if _holds(each, client))
        if rule.match and not matches:
            skipped.add(number)
        kept.append(msgspec.structs.replace(rule, match=matches) if matches else rule)
    return tuple(kept), frozenset(skipped)


def _asks(match: HttpMatch | TlsMatch | TcpMatch) -> bool:
    return bool(match.source_labels or match.source_namespace)


def _holds(match: HttpMatch | TlsMatch | TcpMatch, client: Client) -> bool:
    if match.source_namespace not in ("", client.scope.namespace):
        return False
    return not match.source_labels or labels_of(match.source_labels) in client.wears


def _answered(match: Match) -> Match:
    """Without what has been asked: equal rules for different clients are then equal."""
    return msgspec.structs.replace(match, source_labels=Map(), source_namespace="") if _asks(match) else match
