"""All old objects together to today's objects, in groups that do not concern each other.

One VirtualService has all RouteRules for a host, in the order of their precedence; one DestinationRule all
DestinationPolicies for a host and all versions that rules name there; one PeerAuthentication what all policies say of
a service's peers, one RequestAuthentication what they say of its end users. `groups_of` tells which old objects make
one object of today, `convert_group` makes it: who converts again and again (a live mesh) keeps what a group of the
same members gave before. Nothing here looks at the order in which objects come.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, Protocol, TypeAlias, TypeVar

import msgspec

from proa.core.config.kinds.policy_2018.schema import Policy
from proa.core.config.legacy import origins, peers
from proa.core.config.legacy.draft import SPEC, Derived, Place
from proa.core.config.legacy.egress import service_entry
from proa.core.config.legacy.ingress import CLASS_ANNOTATION, convert_ingress, is_ours
from proa.core.config.legacy.ingress_rules import convert_ingress_rules
from proa.core.config.legacy.ingress_schema import Ingress
from proa.core.config.legacy.policies import (
    LabelledPolicy,
    Version,
    destination_rule,
    policies_of,
    versions_of,
)
from proa.core.config.legacy.routes import http_rule
from proa.core.config.legacy.schema import (
    DestinationPolicy,
    EgressRule,
    IngressRule,
    IstioService,
    RouteRule,
)
from proa.core.config.legacy.services import full_host, home_of, object_name, spelled_host
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import Json
from proa.core.model.names import DOMAIN_SUFFIX, ObjectRef

OldSpec: TypeAlias = RouteRule | DestinationPolicy | EgressRule | IngressRule | Ingress | Policy
R = TypeVar("R", RouteRule, IngressRule)
OLD_SPECS = (RouteRule, DestinationPolicy, EgressRule, IngressRule, Ingress, Policy)


class OldObject(Protocol):
    """A Config whose spec is of an old kind."""

    @property
    def ref(self) -> ObjectRef: ...
    @property
    def meta(self) -> Meta: ...
    @property
    def spec(self) -> object: ...


class Group(msgspec.Struct, frozen=True, order=True):
    """What old objects have in common that become one object: `about` is a host in full, or a name. Peers and
    users of no service are those of the whole namespace."""

    makes: Literal["routes", "destination", "egress", "ingress", "ingress rules", "peers", "users"]
    namespace: str
    about: str = ""


class Converted(msgspec.Struct, frozen=True, kw_only=True):
    """`findings` tell what does not go together, with the old object they are about."""

    derived: tuple[Derived, ...] = ()
    findings: tuple[tuple[ObjectRef, Finding], ...] = ()


def convert(objects: Iterable[OldObject]) -> Converted:
    """Everything at once, for files."""
    groups = groups_of(objects)
    parts = [convert_group(group, members) for group, members in sorted(groups.items())]
    findings = [finding for part in parts for finding in part.findings]
    return Converted(
        derived=tuple(derived for part in parts for derived in part.derived),
        findings=(*findings, *silenced(groups)),
    )


def silenced(groups: Mapping[Group, tuple[OldObject, ...]]) -> Iterator[tuple[ObjectRef, Finding]]:
    """Rules for a host that those of another namespace have: a mesh obeys one VirtualService a host."""
    first: dict[str, str] = {}
    for group in sorted(group for group in groups if group.makes == "routes"):
        owner = first.setdefault(group.about, group.namespace)
        if owner != group.namespace:
            message = f"namespace {owner} has rules for {group.about}, and they alone count; write all in one namespace"
            for each in groups[group]:
                if isinstance(each.spec, RouteRule):
                    yield each.ref, warning((*SPEC, "destination"), "no-effect", message)


def groups_of(objects: Iterable[OldObject]) -> Mapping[Group, tuple[OldObject, ...]]:
    """Each group with its members, by name."""
    found: dict[Group, list[OldObject]] = {}
    for each in sorted(objects, key=lambda each: each.ref):
        for group in groups_for(each):
            found.setdefault(group, []).append(each)
    return {group: tuple(members) for group, members in found.items()}


def groups_for(each: OldObject) -> list[Group]:
    """The groups that one object is a member of."""
    namespace, name = each.ref.namespace, each.ref.name
    match each.spec:
        case RouteRule() as rule:
            own = full_host(rule.destination, namespace)
            hosts = [own, *(full_host(to.destination, namespace) for to in rule.route if to.destination)]
            hosts += [full_host(rule.mirror, namespace)] if rule.mirror else []
            named = [
                host for host in dict.fromkeys(hosts) if any(True for _ in versions_of(each.ref, rule, host))
            ]
            return [Group("routes", namespace, own), *(_destination(host, namespace) for host in named)]
        case DestinationPolicy() as policy:
            return [_destination(full_host(policy.destination, namespace), namespace)]
        case EgressRule():
            return [Group("egress", namespace, name)]
        case IngressRule() as rule:
            groups = [Group("ingress rules", namespace)]
            if rule.destination.labels:
                groups.append(_destination(full_host(rule.destination, namespace), namespace))
            return groups
        case Ingress() as ingress:
            annotation = each.meta.annotations.get(CLASS_ANNOTATION)
            ours = is_ours(ingress.ingress_class_name, annotation)
            return [Group("ingress", namespace, name)] if ours else []
        case Policy() as policy:
            home = peers.home_of_policy(each.ref)
            services = peers.services_of(policy) or ("",)
            makes: tuple[Literal["peers", "users"], ...] = (
                ("peers", "users") if policy.origins else ("peers",)
            )
            return [Group(each, home, service) for service in services for each in makes]
        case _:
            return []


def _destination(host: str, namespace: str) -> Group:
    return Group("destination", home_of(host, namespace), host)


def convert_group(group: Group, members: Iterable[OldObject]) -> Converted:
    """`members` are the group's, as groups_of gives them."""
    match group.makes:
        case "routes":
            return _routes(group, _ranked(members, RouteRule))
        case "destination":
            return _destination_rules(group, list(members))
        case "egress":
            made = [
                service_entry(each.ref, each.spec) for each in members if isinstance(each.spec, EgressRule)
            ]
            return Converted(derived=tuple(made))
        case "ingress":
            sets = [
                convert_ingress(each.ref, each.spec) for each in members if isinstance(each.spec, Ingress)
            ]
            return Converted(derived=tuple(derived for made in sets for derived in made))
        case "ingress rules":
            return Converted(derived=convert_ingress_rules(group.namespace, _ranked(members, IngressRule)))
        case "peers":
            policies = [(each.ref, each.spec) for each in members if isinstance(each.spec, Policy)]
            made_of, told = (
                peers.of_service(group.namespace, group.about, policies)
                if group.about
                else peers.of_all(group.namespace, policies)
            )
            return Converted(derived=made_of, findings=told)
        case "users":
            policies = [(each.ref, each.spec) for each in members if isinstance(each.spec, Policy)]
            users, told = origins.users_of(group.namespace, group.about, policies)
            return Converted(derived=users, findings=told)


def _ranked(members: Iterable[OldObject], kind: type[R]) -> list[tuple[ObjectRef, R]]:
    """The highest precedence first; names break ties."""
    rules = [(each.ref, each.spec) for each in members if isinstance(each.spec, kind)]
    return sorted(rules, key=lambda rule: (-rule[1].precedence, rule[0]))


def _spelled(host: str, namespace: str, services: Iterable[IstioService]) -> str:
    """The full host as the objects of a namespace spell it: short where one of them does."""
    spellings = {spelled_host(service, namespace) for service in services} | {host}
    is_own = home_of(host, "") == namespace and host.endswith("." + DOMAIN_SUFFIX)
    return min(spellings, key=lambda text: (len(text), text)) if is_own else host


def _routes(group: Group, rules: list[tuple[ObjectRef, RouteRule]]) -> Converted:
    host = _spelled(group.about, group.namespace, (rule.destination for _, rule in rules))
    http: list[Json] = []
    places: list[Place] = []
    for ref, rule in rules:
        draft, at = http_rule(ref, rule), (*SPEC, "http", len(http))
        places += [Place(at, ref, SPEC), *draft.below(at)]
        http.append(draft.value)
    if not any("match" not in rule for rule in http if isinstance(rule, dict)):
        # Without rules that hold, a request of 2018 went to the service; one without a route today gets 404.
        places.append(Place((*SPEC, "http", len(http)), rules[-1][0], (*SPEC, "destination")))
        http.append({"route": [{"destination": {"host": host}}]})
    first = rules[0][0]
    places.append(Place((*SPEC, "hosts"), first, (*SPEC, "destination")))
    derived = Derived(
        kind="VirtualService",
        namespace=group.namespace,
        name=object_name(host),
        spec={"hosts": [host], "http": http},
        sources=tuple(ref for ref, _ in rules),
        places=tuple(places),
    )
    return Converted(derived=(derived,), findings=tuple(_unreachable(rules)))


def _unreachable(rules: list[tuple[ObjectRef, RouteRule]]) -> Iterable[tuple[ObjectRef, Finding]]:
    """Rules behind one that takes everything; told of each, for each stands in a place of its own."""
    taker: ObjectRef | None = None
    for ref, rule in rules:
        if taker is not None:
            message = (
                f"never reached: {taker} comes first and takes every request; give this one more precedence"
            )
            yield ref, warning(SPEC, "no-effect", message)
        elif "match" not in http_rule(ref, rule).value:
            taker = ref


def _destination_rules(group: Group, members: list[OldObject]) -> Converted:
    policies: list[LabelledPolicy] = []
    versions: list[Version] = []
    services: list[IstioService] = []
    for each in members:
        if isinstance(each.spec, DestinationPolicy):
            policies += policies_of(each.ref, each.spec)
            services += _own_services(each.ref, group, each.spec.destination)
    for ref, rule in _ranked(members, RouteRule):
        versions += versions_of(ref, rule, group.about)
        named = [rule.destination, *(to.destination for to in rule.route if to.destination)]
        services += [service for one in named for service in _own_services(ref, group, one)]
    for ref, ingress in _ranked(members, IngressRule):
        old: Path = (*SPEC, "destination", "labels")
        versions.append(Version(labels=ingress.destination.labels, source=ref, old=old))
    host = _spelled(group.about, group.namespace, services)
    clients = dict.fromkeys(tuple(sorted(policy.client.items())) for policy in policies)
    derived: list[Derived] = []
    findings: list[tuple[ObjectRef, Finding]] = []
    for client in {(): None, **clients}:
        held = _held_for(client, policies)
        spec, places, found = destination_rule(host, held, versions, dict(client))
        findings += found
        if "subsets" in spec or "trafficPolicy" in spec:
            sources = dict.fromkeys(
                [*(each.version.source for each in held), *(each.source for each in versions)]
            )
            suffix = "".join(f"-from-{value}" for _, value in client)
            derived.append(
                Derived(
                    kind="DestinationRule",
                    namespace=group.namespace,
                    name=object_name(f"{host}{suffix}"),
                    spec=spec,
                    sources=tuple(sources),
                    places=(*places, *_client_places(held, client)),
                )
            )
    return Converted(derived=tuple(derived), findings=tuple(dict.fromkeys(findings)))


def _held_for(client: tuple[tuple[str, str], ...], policies: list[LabelledPolicy]) -> list[LabelledPolicy]:
    """A client's own policies, then those for all of what it has none of its own for."""
    own = [policy for policy in policies if policy.client and tuple(sorted(policy.client.items())) == client]
    taken = [policy.version.labels for policy in own]
    return [*own, *(each for each in policies if not each.client and each.version.labels not in taken)]


def _own_services(ref: ObjectRef, group: Group, service: IstioService) -> list[IstioService]:
    """The spelling counts only of objects that live beside the DestinationRule."""
    is_it = ref.namespace == group.namespace and full_host(service, ref.namespace) == group.about
    return [service] if is_it else []


def _client_places(held: list[LabelledPolicy], client: tuple[tuple[str, str], ...]) -> list[Place]:
    own = [policy.version.source for policy in held if policy.client]
    return [Place((*SPEC, "workloadSelector"), own[0], (*SPEC, "source"))] if client and own else []
