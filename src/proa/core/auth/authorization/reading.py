"""An AuthorizationPolicy into the policy value.

Callers hand it valid configs; should one hold what is not known here all the same (it came out of another program's
store), it refuses everything in its name and never vanishes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from immutables import Map

from proa.core.auth.authorization.values import (
    Attribute,
    Policy,
    Rule,
    Shape,
    Term,
    Terms,
    Value,
    closing,
    rule_name,
)
from proa.core.config.config import Config
from proa.core.config.kinds.authorization_policy.schema import (
    AuthorizationPolicy,
    Condition,
    Operation,
    Source,
)
from proa.core.config.kinds.authorization_policy.schema import Rule as WrittenRule
from proa.core.model.names import DEFAULT_TRUST_DOMAIN

DRY_RUN: Final = "istio.io/dry-run"
_KEYS: Final = re.compile(r"\[([^\[\]]+)\]")
_FILTERS: Final = "experimental.envoy.filters."
_CONDITIONS: Final[Mapping[str, Attribute]] = {
    "source.ip": "source_ip",
    "remote.ip": "remote_ip",
    "source.namespace": "namespace",
    "source.principal": "principal",
    "source.serviceAccount": "account",
    "source.trustDomain": "trust_domain",
    "request.auth.principal": "request_principal",
    "destination.ip": "destination_ip",
    "destination.port": "port",
    "connection.sni": "sni",
}
_CLAIMS: Final = {"request.auth.audiences": "aud", "request.auth.presenter": "azp"}
_SHAPES: Final[Mapping[Attribute, Shape]] = {
    "source_ip": "block",
    "remote_ip": "block",
    "destination_ip": "block",
    "port": "number",
    "account": "exact",
}


class TrustDomains(msgspec.Struct, frozen=True, kw_only=True):
    """The mesh's own and its other names."""

    own: str = DEFAULT_TRUST_DOMAIN
    aliases: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.own, *self.aliases)))

    def spellings(self, principal: str) -> Iterator[str]:
        """A principal of any of the mesh's names, or of Istio's word for it (`cluster.local`), means all of them."""
        domain, slash, rest = principal.partition("/")
        names = dict.fromkeys((self.own, *self.aliases))
        if slash and domain in {*names, DEFAULT_TRUST_DOMAIN}:
            yield from (f"{name}/{rest}" for name in names)
        else:
            yield principal


def read_policy(config: Config, domains: TrustDomains) -> Policy:
    """The policy of one object; one that refuses everything when it cannot be read."""
    spec = config.spec
    assert isinstance(spec, AuthorizationPolicy)
    reader = _Reader(config.meta.namespace, domains)
    try:
        rules = tuple(
            reader.rule(rule_name(config.ref, number), rule) for number, rule in enumerate(spec.rules)
        )
    except _Unreadable:
        return closing(config.ref, "unreadable")
    return Policy(
        ref=config.ref,
        action=spec.action,
        rules=rules,
        is_dry_run=config.meta.annotations.get(DRY_RUN) == "true",
        provider=spec.provider.name if spec.provider else "",
    )


class _Unreadable(Exception):
    """A key that is none."""


class _Reader:
    def __init__(self, namespace: str, domains: TrustDomains) -> None:
        self._namespace = namespace
        self._domains = domains

    def rule(self, name: str, rule: WrittenRule) -> Rule:
        return Rule(
            name=name,
            sources=tuple(self._source(each.source) for each in rule.from_),
            operations=tuple(self._operation(each.operation) for each in rule.to),
            conditions=tuple(term for each in rule.when for term in self._condition(each)),
        )

    def _source(self, source: Source) -> Terms:
        return (
            *self._terms("principal", source.principals, source.not_principals),
            *self._terms("request_principal", source.request_principals, source.not_request_principals),
            *self._terms("namespace", source.namespaces, source.not_namespaces),
            *self._terms("account", source.service_accounts, source.not_service_accounts),
            *self._terms("source_ip", source.ip_blocks, source.not_ip_blocks),
            *self._terms("remote_ip", source.remote_ip_blocks, source.not_remote_ip_blocks),
            *self._terms("trust_domain", source.trust_domains, source.not_trust_domains),
        )

    def _operation(self, operation: Operation) -> Terms:
        return (
            *self._terms("host", operation.hosts, operation.not_hosts),
            *self._terms("port", operation.ports, operation.not_ports),
            *self._terms("method", operation.methods, operation.not_methods),
            *self._terms("path", operation.paths, operation.not_paths),
        )

    def _condition(self, condition: Condition) -> Iterator[Term]:
        name, _, _ = condition.key.partition("[")
        keys = tuple(_KEYS.findall(condition.key[len(name) :]))
        attribute: Attribute
        match name:
            case _ if name in _CONDITIONS and not keys:
                attribute = _CONDITIONS[name]
            case _ if name in _CLAIMS and not keys:
                attribute, keys = "claim", (_CLAIMS[name],)
            case "request.auth.claims" if keys:
                attribute = "claim"
            case "request.headers" if len(keys) == 1:
                attribute, keys = "header", (keys[0].lower(),)
            case _ if name.startswith(_FILTERS):
                attribute, keys = "metadata", (name.removeprefix("experimental."), *keys)
                if all(is_listed(value) for value in (*condition.values, *condition.not_values)):
                    attribute = "metadata_list"
            case _:
                raise _Unreadable
        yield from self._terms(attribute, condition.values, condition.not_values, keys)

    def _terms(
        self,
        attribute: Attribute,
        values: Iterable[str],
        not_values: Iterable[str],
        key: tuple[str, ...] = (),
    ) -> Iterator[Term]:
        for negated, written in ((False, values), (True, not_values)):
            read = tuple(dict.fromkeys(value for each in written for value in self._values(attribute, each)))
            if read:
                yield Term(attribute=attribute, key=key, values=read, negated=negated)

    def _values(self, attribute: Attribute, text: str) -> Iterator[Value]:
        if attribute == "account" and "/" not in text:
            text = f"{self._namespace}/{text}"
        if attribute in _SHAPES:
            yield Value(_SHAPES[attribute], text)
        elif attribute == "path" and "{" in text:
            yield Value("template", text)
        elif attribute == "metadata_list":
            yield pattern(text[1:-1])
        elif attribute == "principal":
            value = pattern(text)
            yield from (Value(value.shape, each) for each in self._spellings(value))
        else:
            yield pattern(text.lower() if attribute == "host" else text)

    def _spellings(self, value: Value) -> Iterable[str]:
        return (value.text,) if value.shape == "suffix" else self._domains.spellings(value.text)


def is_listed(value: str) -> bool:
    """Istio's spelling for a list that holds the value."""
    return value.startswith("[") and value.endswith("]")


def pattern(text: str) -> Value:
    """`*`, `prefix*`, `*suffix` or the text itself. A trailing star counts first, as in Istio and in 2018."""
    if text == "*":
        return Value("present")
    if text.endswith("*"):
        return Value("prefix", text[:-1])
    if text.startswith("*"):
        return Value("suffix", text[1:])
    return Value("exact", text)


def selects(wanted: Map[str, str], labels: Map[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in wanted.items())
