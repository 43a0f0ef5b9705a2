"""Rules that are for some clients only: which labels a rule asks its client's workload for, and what is left for whom.

A scope's proxies share a view whoever they are. What of it a client is routed by is decided here: rules that name its
labels, and its namespace, are its own. Labels are compared once, when a workload or a rule comes; from then on a client
is the set of selectors that it wears, so all who wear the same share what is built for them.
"""

import msgspec
from immutables import Map

from proa.core.config.kinds.virtual_service.schema import HttpMatch, HttpRoute
from proa.core.pilot.scope.selectors import Labels, labels_of, selectors_of, worn
from proa.core.pilot.scope.views import GatewayView, HostView, Rules


class Client(msgspec.Struct, frozen=True):
    """`wears`: of the selectors that rules name, those that hold for its workload."""

    namespace: str
    wears: frozenset[Labels] = frozenset()


def served_to(view: HostView, client: Client) -> HostView:
    """The view with the rules that are for this client."""
    return view if view.rules is None else msgspec.structs.replace(view, rules=rules_for(view.rules, client))


def gateway_served(view: GatewayView) -> GatewayView:
    """At a gateway the gateway itself is the client."""
    labels = view.workload.labels
    rules = tuple(
        rules_for(each, Client(view.workload.id.namespace, worn(selectors_of(each.spec), labels)))
        for each in view.rules
    )
    return msgspec.structs.replace(view, rules=rules)


def rules_for(rules: Rules, client: Client) -> Rules:
    """Rules keep their numbers: those for others are named as skipped."""
    if not any(_asks(match) for rule in rules.spec.http for match in rule.match):
        return rules
    kept = [_for_client(rule, client) for rule in rules.spec.http]
    http = tuple(found or rule for found, rule in zip(kept, rules.spec.http, strict=True))
    return msgspec.structs.replace(
        rules,
        spec=msgspec.structs.replace(rules.spec, http=http),
        skipped=frozenset(number for number, found in enumerate(kept) if found is None),
    )


def _for_client(rule: HttpRoute, client: Client) -> HttpRoute | None:
    """None when it has conditions and none of them is for this client."""
    if not rule.match:
        return rule
    match = tuple(_answered(each) for each in rule.match if _holds(each, client))
    return msgspec.structs.replace(rule, match=match) if match else None


def _asks(match: HttpMatch) -> bool:
    return bool(match.source_labels or match.source_namespace)


def _holds(match: HttpMatch, client: Client) -> bool:
    if match.source_namespace not in ("", client.namespace):
        return False
    return not match.source_labels or labels_of(match.source_labels) in client.wears


def _answered(match: HttpMatch) -> HttpMatch:
    """Without what has been asked: equal rules for different clients are then equal."""
    return msgspec.structs.replace(match, source_labels=Map(), source_namespace="") if _asks(match) else match
