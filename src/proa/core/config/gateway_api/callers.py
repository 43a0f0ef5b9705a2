"""A service with the routes bound to it: one VirtualService for its callers (GAMMA)."""

from collections.abc import Iterator

from proa.core.config.gateway_api.attach import (
    Condition,
)
from proa.core.config.gateway_api.bound import NOT_FOUND, Bound, Derivation, virtual_service
from proa.core.config.gateway_api.rules import HTTP_ERROR, Place, Ruled
from proa.core.config.legacy.draft import Draft
from proa.core.config.tree import Json
from proa.core.model.names import service_hostname


def derive_callers(name: str, own: str, bound: list[Bound]) -> Derivation:
    """Of service `name` in namespace `own`. Routes of that namespace are for all its callers; those of another for the
    callers there, and instead of the former."""
    host = service_hostname(name, own)
    rules: list[Ruled] = []
    by_namespace: dict[str, list[Bound]] = {}
    for each in bound:
        by_namespace.setdefault(each.ref.namespace, []).append(each)
    for namespace in sorted(by_namespace, key=lambda name: (name == own, name)):
        asked = "" if namespace == own else namespace
        found = [
            ordered
            for each in by_namespace[namespace]
            for ordered in each.rules(Place(port=each.parent.port, namespace=asked))
        ]
        rules += [rule for _, rule in sorted(found, key=lambda one: one[0])]
        rules += _nothing_else(by_namespace[namespace], asked)
    if all(each.parent.port for each in by_namespace.get(own, ())):
        # What no route is about is as without routes.
        rules.append(_plain(bound[0], {"route": [{"destination": {"host": host}}]}))
    sources = tuple(dict.fromkeys(rule.draft.source for rule in rules))
    head: dict[str, Json] = {"hosts": [host]}
    made = virtual_service(own, f"{name}-gateway-api", head, rules, sources)
    accepted = Condition(type="Accepted", status=True, reason="Accepted")
    standings = [each.standing(accepted, (made.derived.ref,), host) for each in bound]
    return Derivation(made=(made,), standings=tuple(standings))


def _nothing_else(bound: list[Bound], namespace: str) -> Iterator[Ruled]:
    """A request that no rule matches, on ports that routes are about, is not found."""
    for port in dict.fromkeys(each.parent.port for each in bound):
        match: dict[str, Json] = {"sourceNamespace": namespace} if namespace else {}
        if port is not None:
            match["port"] = port
        yield _plain(bound[0], {**NOT_FOUND, **({"match": [match]} if match else {})})


def _plain(source: Bound, rule: dict[str, Json]) -> Ruled:
    draft = Draft(source.ref)
    draft.value = rule
    return Ruled(rank=(), place=(0, 0, 0), draft=draft, missing=HTTP_ERROR)
