"""What authorization policies say of a request at one proxy: the reference evaluator is asked, as `proa authz check`
does.

Not everything that policies ask for is known of a request that nobody sends: whose address a stranger has, what other
filters find. Such terms are assumed to hold, and then not to: when both end alike it does not matter, else it is said
to be open.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.auth.authorization.custom import obeyable
from proa.core.auth.authorization.evaluate import Decision, evaluate, holds
from proa.core.auth.authorization.request import Caller
from proa.core.auth.authorization.request import Request as Asked
from proa.core.auth.authorization.values import (
    HTTP_ONLY,
    NO_RULE,
    Attribute,
    Policy,
    Rule,
    Term,
    Terms,
    Value,
    written_as,
)
from proa.core.model.names import WorkloadId
from proa.core.pilot.explain.mesh import Known
from proa.core.pilot.scope.authorization import trust_domains
from proa.core.pilot.simulate import Answered, Check, Gateway, Inbound, Mutual, Request, Transport, Via
from proa.core.pilot.simulate.filters import PolicyPlace, Ruling
from proa.core.pilot.translate.authorization.filters import PLACES, WITHOUT_PEER

NOBODY: Final = Caller()
"""A stranger: no certificate of the mesh, and from anywhere."""
NEAREST: Final = 3
MOST_CAUSES: Final = 5
_ANYWHERE: Final = ("", "0.0.0.0", "::")
_OPEN: Final[dict[Attribute, str]] = {
    "source_ip": "the caller's address",
    "remote_ip": "the address that a request comes from first",
    "destination_ip": "the address that is called",
    "metadata": "what other filters find",
    "metadata_list": "what other filters find",
}


def caller_of(known: Known, sender: WorkloadId, transport: Transport) -> Caller:
    """Who the next proxy takes the sender for: its certificate is shown in mesh TLS alone. It comes from the address
    at which it is reached."""
    workload = known.workloads[sender]
    address = "" if workload.bind in _ANYWHERE else workload.bind
    if not isinstance(transport, Mutual):
        return Caller(address=address)
    account = workload.account.rpartition("/")[2]
    return Caller(
        principal=f"{known.settings.trust_domain}/ns/{sender.namespace}/sa/{account}",
        workload=f"{sender.name}.{sender.namespace}",
        address=address,
        sni=transport.sni,
    )


class PolicyAsker:
    """The policies of one proxy, for what comes to it in one way. They are read when they are first asked; equal
    requests are judged once."""

    def __init__(self, known: Known, workload: WorkloadId, via: Via, caller: Caller) -> None:
        self._known = known
        self._workload = known.workloads[workload]
        self._via = via if isinstance(via, Inbound | Gateway) else None
        self._caller = caller
        self._judged: dict[tuple[PolicyPlace, Request], Ruling] = {}

    def ask(self, place: PolicyPlace, request: Request) -> Ruling | None:
        if self._via is None or not place.filter.startswith(PLACES):
            return None
        key = (place, msgspec.structs.replace(request, roll=0.0, fault_roll=None))
        if key not in self._judged:
            has_peer = place.ends_tls and not place.filter.endswith(WITHOUT_PEER)
            asked = self._asked(request, self._ports(self._via), is_stream=place.is_stream, has_peer=has_peer)
            view = self._known.policies(self._workload)
            written = view.everywhere if isinstance(self._via, Gateway) else view.at(self._via.port)
            self._judged[key] = self._judge(place, written, asked)
        return self._judged[key]

    def _asked(self, request: Request, ports: tuple[int, ...], *, is_stream: bool, has_peer: bool) -> Asked:
        bare = Caller(address=self._caller.address, sni=self._caller.sni)
        bind = self._workload.bind
        common = Asked(
            caller=self._caller if has_peer else bare,
            ports=ports,
            address="" if bind in _ANYWHERE else bind,
            is_stream=is_stream,
            own_domains=trust_domains(self._known.settings).names,
        )
        if is_stream:
            return common
        return msgspec.structs.replace(
            common,
            method=request.method,
            authority=request.authority,
            path=request.path,
            headers=tuple((name.lower(), value) for name, value in request.headers),
            claims=Map(msgspec.json.decode(request.claims, type=dict)) if request.claims else Map(),
        )

    def _ports(self, via: Inbound | Gateway) -> tuple[int, ...]:
        """As policies may call the port: by the service's number and the program's."""
        number = via.port
        if isinstance(via, Gateway):
            return (number,)
        return (*(each.app_port for each in self._workload.inbound if each.service_port == number), number)

    def _judge(self, place: PolicyPlace, written: tuple[Policy, ...], asked: Asked) -> Ruling:
        providers = self._known.settings.check_providers
        policies = obeyable(written, providers, is_stream=asked.is_stream).policies
        unknown = _unknown(asked)
        best = evaluate(_assumed(policies, unknown, asked, favourably=True), asked)
        worst = evaluate(_assumed(policies, unknown, asked, favourably=False), asked)
        # Streams have several filters and one decision.
        name = f"{PLACES}rules" if place.is_stream else place.filter
        if best.final.outcome == "denied":
            return self._denied(name, best, policies, asked)
        if worst.final.outcome == "denied":
            told = ", ".join(dict.fromkeys(_OPEN[term.attribute] for term in _open_terms(policies, unknown)))
            return self._passed(name, worst, None, f"decided by {told}, which is not foretold")
        if worst.outcome == "asked":
            why = f"{worst.provider} decides, asked by {', '.join(worst.rules)}"
            return self._passed(name, worst, None, why)
        if not policies:
            return Ruling()
        by = ", ".join(worst.rules)
        why = f"allowed by {by}" if by else "no policy has anything against it"
        return self._passed(name, worst, True, why + _told(worst))

    def _passed(self, name: str, decision: Decision, passed: bool | None, why: str) -> Ruling:
        causes = tuple(_causes((*decision.rules, *decision.final.rules)))
        return Ruling(check=Check(filter=name, passed=passed, why=why, causes=causes))

    def _denied(self, name: str, decision: Decision, policies: tuple[Policy, ...], asked: Asked) -> Ruling:
        """By the rules that refuse, or by those that might have let it in and did not."""
        rules = decision.final.rules
        details: tuple[str, ...] = ()
        if rules == (NO_RULE,):
            allowing = [each for each in policies if each.action == "ALLOW" and not each.is_dry_run]
            match sum(len(each.rules) for each in allowing):
                case 0:
                    what = "nobody is allowed anything"
                case 1:
                    what = "the only rule that allows does not let it in"
                case number:
                    what = f"none of {number} rules that allow lets it in"
            why = f"denied ({NO_RULE}): {what}"
            causes = tuple(dict.fromkeys((str(each.ref), "") for each in allowing))[:MOST_CAUSES]
            details = tuple(self._nearest(allowing, asked))
        else:
            why = f"denied by {', '.join(rules)}"
            causes = tuple(_causes(rules))[:MOST_CAUSES]
        check = Check(filter=name, passed=False, why=why, causes=causes, details=details)
        return Ruling(answer=Answered(status=403, body="RBAC: access denied"), check=check)

    def _nearest(self, policies: Iterable[Policy], asked: Asked) -> Iterator[str]:
        """The rules of which the least does not hold, each with its place."""
        found = [(_failing(rule, asked), rule.name) for policy in policies for rule in policy.rules]
        for parts, name in sorted(found, key=lambda each: len(each[0]))[:NEAREST]:
            ref, rule = written_as(name)[-1]
            cause = self._known.cause(str(ref), rule)[0]
            verb = "do not hold" if len(parts) > 1 else "does not hold"
            yield f"{cause}: its {' and '.join(f'`{part}`' for part in parts)} {verb}"


def _failing(rule: Rule, asked: Asked) -> tuple[str, ...]:
    bare = Rule(name=rule.name)
    parts = {
        "from": msgspec.structs.replace(bare, sources=rule.sources),
        "to": msgspec.structs.replace(bare, operations=rule.operations),
        "when": msgspec.structs.replace(bare, conditions=rule.conditions),
    }
    return tuple(word for word, part in parts.items() if not holds(part, "ALLOW", asked))


def _causes(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(names):
        yield from ((str(ref), rule) for ref, rule in written_as(name))


def _told(decision: Decision) -> str:
    """What is found and not obeyed."""
    words = [
        f"; a dry run would refuse it ({', '.join(shadow.rules) or NO_RULE})"
        for shadow in (decision.dry_deny, decision.dry_allow)
        if shadow is not None and not shadow.allows
    ]
    return "".join(words) + (f"; audited by {', '.join(decision.audited)}" if decision.audited else "")


def _unknown(asked: Asked) -> frozenset[Attribute]:
    """What is not known of it. What its token says is, as far as that may be believed: the token has its own check."""
    addresses: dict[Attribute, bool] = {
        "source_ip": not asked.caller.address,
        "remote_ip": not (asked.is_stream and asked.caller.address),
        "destination_ip": not asked.address,
    }
    of_requests: dict[Attribute, bool] = {"metadata": True, "metadata_list": True}
    asked_for = addresses if asked.is_stream else addresses | of_requests
    return frozenset(name for name, is_open in asked_for.items() if is_open)


def _open_terms(policies: Iterable[Policy], unknown: frozenset[Attribute]) -> Iterator[Term]:
    for policy in policies:
        if policy.action in ("ALLOW", "DENY") and not policy.is_dry_run:
            for rule in policy.rules:
                yield from (term for term in rule.terms if term.attribute in unknown)


def _assumed(
    policies: tuple[Policy, ...], unknown: frozenset[Attribute], asked: Asked, *, favourably: bool
) -> tuple[Policy, ...]:
    """The policies with every term of what is unknown replaced by one that holds, or does not, for all that is asked:
    what lets in holds where it is looked at favourably, and what refuses does not."""
    if not any(term.attribute in unknown for each in policies for rule in each.rules for term in rule.terms):
        return policies
    here = Value("number", str(asked.ports[0]))
    assert "port" not in HTTP_ONLY, "streams must not leave it out"

    def terms(found: Terms, known: Term) -> Terms:
        return tuple(known if term.attribute in unknown else term for term in found)

    def policy(each: Policy) -> Policy:
        is_held = (each.action == "ALLOW") == favourably
        known = Term(attribute="port", values=(here,), negated=not is_held)
        rules = tuple(
            msgspec.structs.replace(
                rule,
                sources=tuple(terms(found, known) for found in rule.sources),
                operations=tuple(terms(found, known) for found in rule.operations),
                conditions=terms(rule.conditions, known),
            )
            for rule in each.rules
        )
        return msgspec.structs.replace(each, rules=rules)

    return tuple(map(policy, policies))
