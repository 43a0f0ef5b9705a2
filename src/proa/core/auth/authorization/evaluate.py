"""The reference: what policies say of one request, in plain words and without any cleverness.

`proa authz check` answers by it, and a property holds Envoy's compiled filters to it. It knows the order (CUSTOM, DENY,
ALLOW), what an absent attribute means, and how strictly a repeated header is read.
"""

import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import Literal

import msgspec

from proa.core.auth.authorization.request import Claim, Request, runs, spiffe_parts
from proa.core.auth.authorization.values import (
    ADDRESSES,
    HTTP_ONLY,
    NO_RULE,
    Action,
    Policy,
    Rule,
    Term,
    Terms,
    Value,
)

Outcome = Literal["allowed", "denied", "asked"]


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """What policies that are run dry would have said: the names of the rules that match, and whether they would let it
    pass."""

    allows: bool
    rules: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`rules` are those that decided, all that match (a proxy names one of them): of a refusal the DENY rules, or
    `none` when an ALLOW was wanted; of a pass the ALLOW rules, or nothing when nobody asked. `asked`: `provider`
    decides, after which `then` holds."""

    outcome: Outcome
    rules: tuple[str, ...] = ()
    provider: str = ""
    then: "Decision | None" = None
    dry_deny: Shadow | None = None
    dry_allow: Shadow | None = None
    audited: tuple[str, ...] = ()

    @property
    def final(self) -> "Decision":
        """Once a provider has said yes."""
        return self.then or self


def evaluate(policies: Iterable[Policy], request: Request) -> Decision:
    policies = tuple(policies)
    enforced = tuple(policy for policy in policies if not policy.is_dry_run)
    dry = tuple(policy for policy in policies if policy.is_dry_run)
    decided = msgspec.structs.replace(
        _without_custom(enforced, request),
        dry_deny=_shadow(dry, "DENY", request),
        dry_allow=_shadow(dry, "ALLOW", request),
        audited=_matching(enforced, "AUDIT", request),
    )
    asking = _matching(enforced, "CUSTOM", request)
    if not asking:
        return decided
    provider = next(policy.provider for policy in enforced if policy.action == "CUSTOM")
    return Decision(outcome="asked", rules=asking, provider=provider, then=decided)


def _without_custom(policies: tuple[Policy, ...], request: Request) -> Decision:
    denying = _matching(policies, "DENY", request)
    if denying:
        return Decision(outcome="denied", rules=denying)
    if not any(policy.action == "ALLOW" for policy in policies):
        return Decision(outcome="allowed")
    allowing = _matching(policies, "ALLOW", request)
    if allowing:
        return Decision(outcome="allowed", rules=allowing)
    return Decision(outcome="denied", rules=(NO_RULE,))


def _shadow(policies: tuple[Policy, ...], action: Action, request: Request) -> Shadow | None:
    if not any(policy.action == action for policy in policies):
        return None
    found = _matching(policies, action, request)
    return Shadow(allows=bool(found) == (action == "ALLOW"), rules=found)


def _matching(policies: Iterable[Policy], action: Action, request: Request) -> tuple[str, ...]:
    return tuple(
        rule.name
        for policy in policies
        if policy.action == action
        for rule in policy.rules
        if holds(rule, action, request)
    )


def holds(rule: Rule, action: Action, request: Request) -> bool:
    """What a stream does not have cannot let it in, and does not keep it from being refused, asked about or told."""
    if request.is_stream and action == "ALLOW" and any(term.attribute in HTTP_ONLY for term in rule.terms):
        return False
    return (
        _any_of(rule.sources, action, request)
        and _any_of(rule.operations, action, request)
        and _all_of(rule.conditions, action, request)
    )


def _any_of(choices: tuple[Terms, ...], action: Action, request: Request) -> bool:
    return not choices or any(_all_of(terms, action, request) for terms in choices)


def _all_of(terms: Terms, action: Action, request: Request) -> bool:
    return all(
        (request.is_stream and term.attribute in HTTP_ONLY) or _term_holds(term, action, request)
        for term in terms
    )


def _term_holds(term: Term, action: Action, request: Request) -> bool:
    # A header that came several times: who is refused by it is refused by each of them, who is let in needs just it.
    is_wide = (action != "ALLOW") != term.negated
    return _any_matches(term, request, is_wide) != term.negated


def _any_matches(term: Term, request: Request, is_wide: bool) -> bool:
    match term.attribute:
        case "port":
            return any(value.text == str(port) for value in term.values for port in request.ports)
        case attribute if attribute in ADDRESSES:
            return any(_is_within(value.text, _address(term, request)) for value in term.values)
        case "header":
            text = request.header(term.key[0])
            return text is not None and any(_header_matches(text, value, is_wide) for value in term.values)
        case "claim":
            return _claim_matches(request.claim(term.key), term.values, lists=True, texts=True)
        case "metadata":
            return _claim_matches(request.told(term.key), term.values, lists=False, texts=True)
        case "metadata_list":
            return _claim_matches(request.told(term.key), term.values, lists=True, texts=False)
        case _:
            text = _text(term, request)
            return text != "" and any(_matches(text, value) for value in term.values)


def _text(term: Term, request: Request) -> str:
    """Empty: the request has none."""
    domain, namespace, account = spiffe_parts(request.caller.principal)
    is_own = domain in request.own_domains
    match term.attribute:
        case "principal":
            return request.caller.principal
        case "trust_domain":
            return domain
        case "namespace":
            return namespace if is_own else ""
        case "account":
            return f"{namespace}/{account}" if namespace and is_own else ""
        case "workload":
            return request.caller.workload if is_own else ""
        case "workload_name":
            return request.caller.workload.rpartition(".")[0] if is_own else ""
        case "request_principal":
            return request.request_principal
        case "sni":
            return request.caller.sni
        case "host":
            return request.authority.lower()
        case "method":
            return request.method
        case "path":
            return request.path.partition("?")[0]
        case _:
            return ""


def _address(term: Term, request: Request) -> str:
    match term.attribute:
        case "source_ip":
            return request.caller.address
        case "remote_ip":
            return request.caller.remote or request.caller.address
        case _:
            return request.address


def _is_within(block: str, address: str) -> bool:
    return bool(address) and ip_address(address) in ip_network(block, strict=False)


def _matches(text: str, value: Value) -> bool:
    match value.shape:
        case "present":
            return bool(text)
        case "prefix":
            return text.startswith(value.text)
        case "suffix":
            return text.endswith(value.text)
        case "template":
            return _template(value.text).fullmatch(text) is not None
        case _:
            return text == value.text


def _template(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\*\*?\})", text)
    return re.compile("".join({"{*}": "[^/]+", "{**}": ".*"}.get(part, re.escape(part)) for part in parts))


def _header_matches(text: str, value: Value, is_wide: bool) -> bool:
    """`is_wide`: any of the values that it lists, too."""
    if value.shape == "present":
        return True
    return any(_matches(each, value) for each in (text, *(_elements(text) if is_wide else ())))


def _elements(text: str) -> Iterator[str]:
    yield from runs(text.split(","))


def _claim_matches(claim: Claim, values: tuple[Value, ...], *, lists: bool, texts: bool) -> bool:
    """Text, or a list that holds one; numbers and booleans match nothing, as in Istio."""
    found = [each for each in claim if isinstance(each, str)] if lists and isinstance(claim, list) else []
    if texts and isinstance(claim, str):
        found = [claim]
    return any(_matches(text, value) for text in found for value in values)
