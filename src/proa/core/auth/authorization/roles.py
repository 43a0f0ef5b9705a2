"""ServiceRoles, ServiceRoleBindings and RbacConfigs of 2018 into the policy value.

A role that is bound is an ALLOW policy; an RbacConfig that is on for a service is an ALLOW policy without rules, which
is what "deny by default" means. What 2018 passed over (groups, keys nobody knew) counts here: a role never allows more
than it says. Facts of the server (its service, labels, account) are decided here, so proxies are asked of callers
alone."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.core.auth.authorization.reading import TrustDomains, pattern
from proa.core.auth.authorization.values import Attribute, Policy, Rule, Term, Terms, Value, rule_name
from proa.core.config.config import Config
from proa.core.config.kinds.rbac_2018.schema import (
    AccessRule,
    Constraint,
    RbacConfig,
    RbacTarget,
    ServiceRole,
    ServiceRoleBinding,
    Subject,
)

_KEYED: Final = re.compile(r"([a-z.]+)\[([^\]]+)\]")
_CALLER: Final[Mapping[str, Attribute]] = {
    "source.ip": "source_ip",
    "source.namespace": "namespace",
    "source.user": "principal",
    "source.principal": "principal",
    "source.name": "workload_name",
    "request.auth.principal": "request_principal",
}
_CLAIMS: Final = {"request.auth.audiences": "aud", "request.auth.presenter": "azp"}
_GROUPS: Final = "groups"
"""The claim that says of which groups an end user is, as in Istio 1.1, which was the first to look at groups."""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """One served port, as roles may ask for it. `service` is its full name."""

    service: str
    workload: str
    namespace: str
    principal: str
    labels: Map[str, str] = Map()


Wearing = Callable[[str, Value], tuple[str, ...]]
"""The workloads, as `name.namespace`, that have a label of such a value."""


def read_roles(
    configs: Iterable[Config], server: Server, domains: TrustDomains, wearing: Wearing
) -> tuple[Policy, ...]:
    """What 2018's objects come to at one port; nothing where no RbacConfig is on. `configs` may hold other kinds, and
    roles of other namespaces."""
    ordered = sorted(configs, key=lambda config: config.ref)
    switches = [
        (config, config.spec)
        for config in ordered
        if isinstance(config.spec, RbacConfig) and _is_on(config.spec, server)
    ]
    if not switches:
        return ()
    is_dry = all(spec.enforcement_mode == "PERMISSIVE" for _, spec in switches)
    closed = [Policy(ref=config.ref, action="ALLOW", is_dry_run=is_dry) for config, _ in switches]
    near = [config for config in ordered if config.meta.namespace == server.namespace]
    roles = {config.meta.name: config.spec for config in near if isinstance(config.spec, ServiceRole)}
    reader = _Reader(server, domains, wearing)
    for config in near:
        if isinstance(config.spec, ServiceRoleBinding):
            role = roles.get(config.spec.role_ref.name)
            rules = tuple(reader.rules(config, config.spec, role)) if role else ()
            dry = is_dry or config.spec.mode == "PERMISSIVE"
            if rules:
                closed.append(Policy(ref=config.ref, action="ALLOW", rules=rules, is_dry_run=dry))
    return tuple(closed)


def _is_on(spec: RbacConfig, server: Server) -> bool:
    match spec.mode:
        case "ON":
            return True
        case "ON_WITH_INCLUSION":
            return _names(spec.inclusion, server)
        case "ON_WITH_EXCLUSION":
            return not _names(spec.exclusion, server)
        case "OFF":
            return False


def _names(target: RbacTarget | None, server: Server) -> bool:
    return target is not None and (
        server.namespace in target.namespaces
        or server.service in {service.lower() for service in target.services}
    )


def matches(text: str, value: Value) -> bool:
    """Of facts that are known when policies are read."""
    match value.shape:
        case "present":
            return bool(text)
        case "prefix":
            return text.startswith(value.text)
        case "suffix":
            return text.endswith(value.text)
        case _:
            return text == value.text


class _Reader:
    def __init__(self, server: Server, domains: TrustDomains, wearing: Wearing) -> None:
        self._server = server
        self._domains = domains
        self._wearing = wearing

    def rules(self, config: Config, binding: ServiceRoleBinding, role: ServiceRole) -> Iterator[Rule]:
        sources = tuple(self._subject(subject) for subject in binding.subjects)
        anybody = any(not source for source in sources)
        for number, rule in enumerate(role.rules):
            if self._is_for_server(rule):
                yield Rule(
                    name=rule_name(config.ref, f"{binding.role_ref.name}.{number}"),
                    sources=() if anybody else sources,
                    operations=(self._operation(rule),),
                )

    def _is_for_server(self, rule: AccessRule) -> bool:
        return any(
            matches(self._server.service, pattern(service.lower())) for service in rule.services
        ) and all(
            any(matches(fact, pattern(value)) for value in constraint.values)
            for constraint in rule.constraints
            if (fact := self._fact(constraint)) is not None
        )

    def _fact(self, constraint: Constraint) -> str | None:
        """What is known of the server already; None for what a request says."""
        match constraint.key:
            case "destination.name":
                return self._server.workload
            case "destination.namespace":
                return self._server.namespace
            case "destination.user":
                return self._server.principal
        keyed = _KEYED.fullmatch(constraint.key)
        if keyed is not None and keyed[1] == "destination.labels":
            return self._server.labels.get(keyed[2], "")
        return None

    def _operation(self, rule: AccessRule) -> Terms:
        terms = [
            Term(attribute=attribute, values=tuple(pattern(value) for value in values))
            for attribute, values in _requested(rule)
            if values
        ]
        for constraint in rule.constraints:
            if self._fact(constraint) is None:
                terms.append(_asked(constraint))
        return tuple(terms)

    def _subject(self, subject: Subject) -> Terms:
        """None at all: everybody."""
        terms: list[Term] = []
        if subject.user and subject.user != "*":
            terms.append(self._property("source.principal", subject.user))
        if subject.group:
            terms.append(Term(attribute="claim", key=(_GROUPS,), values=(pattern(subject.group),)))
        terms += [self._property(key, value) for key, value in sorted(subject.properties.items())]
        return tuple(terms)

    def _property(self, key: str, text: str) -> Term:
        """A key that is not known matches nobody."""
        value = pattern(text)
        if key in _CLAIMS:
            return Term(attribute="claim", key=(_CLAIMS[key],), values=(value,))
        keyed = _KEYED.fullmatch(key)
        if keyed is not None:
            match keyed[1]:
                case "request.auth.claims":
                    return Term(attribute="claim", key=(keyed[2],), values=(value,))
                case "request.headers":
                    return Term(attribute="header", key=(keyed[2].lower(),), values=(value,))
                case "source.labels":
                    worn = tuple(Value("exact", name) for name in self._wearing(keyed[2], value))
                    return Term(attribute="workload", values=worn)
                case _:
                    return Term(attribute="principal", values=())
        match _CALLER.get(key):
            case None:
                return Term(attribute="principal", values=())
            case "source_ip":
                return Term(attribute="source_ip", values=(Value("block", text),))
            case "principal":
                spelled = self._domains.spellings(value.text) if value.shape != "suffix" else (value.text,)
                return Term(attribute="principal", values=tuple(Value(value.shape, each) for each in spelled))
            case attribute:
                return Term(attribute=attribute, values=(value,))


def _requested(rule: AccessRule) -> Iterator[tuple[Attribute, tuple[str, ...]]]:
    yield "path", rule.paths
    yield "method", rule.methods


def _asked(constraint: Constraint) -> Term:
    """A constraint on what a request says; one that is not known never holds."""
    keyed = _KEYED.fullmatch(constraint.key)
    if keyed is not None and keyed[1] == "request.headers":
        values = tuple(pattern(value) for value in constraint.values)
        return Term(attribute="header", key=(keyed[2].lower(),), values=values)
    match constraint.key:
        case "destination.ip":
            return Term(
                attribute="destination_ip", values=tuple(Value("block", value) for value in constraint.values)
            )
        case "destination.port":
            return Term(attribute="port", values=tuple(Value("number", value) for value in constraint.values))
        case _:
            return Term(attribute="header", key=("",), values=())
