"""Where every action of every rule runs: what `proa mixer explain` tells.

A site is a service port of a workload, with mesh TLS or without. What is the same at many sites is told once, with all
of them. Rules are told in the order in which they count.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.mixer.annotations import LIMIT, PER_INSTANCE, FailurePolicy
from proa.core.config.mixer.templates import Variety
from proa.core.expression.tracing import Reference
from proa.core.expression.typed import KEYED, Apply, Constant, Read, Typed
from proa.core.mixer.analysis.cost import said_of
from proa.core.mixer.asked import Party, Place
from proa.core.mixer.needs import STREAMS, Charged, needs_of, rules_met
from proa.core.mixer.plan.in_force import InForce
from proa.core.mixer.plan.index import Demand, demanded
from proa.core.mixer.plan.values import Action, DispatchPlan, RulePlan
from proa.core.mixer.pushdown.callers import Callers
from proa.core.mixer.pushdown.deciding import ASKS, decide_checks
from proa.core.mixer.pushdown.values import Ran, Where
from proa.core.mixer.verdict.shapes import Unkept, shape_of
from proa.core.model.names import ObjectRef, WorkloadId

LOG: Final = "gRPC access log"
BUCKET: Final = "local_ratelimit"
RATE_LIMITS: Final = "ratelimit"


class Site(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """`has_peer`: mesh TLS ends there. `is_raw`: raw connections to it, not requests. `supposed`: no such workload is
    known, and the rule's own words stand for one."""

    workload: WorkloadId
    port: int
    has_peer: bool = True
    is_raw: bool = False
    supposed: bool = False

    def __str__(self) -> str:
        how = " (raw connections)" if self.is_raw else "" if self.has_peer else " (plain text)"
        return f"{self.workload}:{self.port}{how}"


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """Where an action runs at some sites."""

    where: Where
    by: str
    reason: str
    change: str
    sites: tuple[Site, ...]


class ExplainedAction(msgspec.Struct, frozen=True, kw_only=True):
    handler: str
    instance: str
    variety: Variety
    stays: tuple[Stay, ...]


class ExplainedRule(msgspec.Struct, frozen=True, kw_only=True):
    """`match` as it is written, "" for always. `warnings`: what makes it cost more than it need."""

    rule: ObjectRef
    match: str
    policy: FailurePolicy | None
    actions: tuple[ExplainedAction, ...]
    warnings: tuple[str, ...] = ()


class ExplainedRules(msgspec.Struct, frozen=True, kw_only=True):
    """A `remark` is about the answer as a whole."""

    rules: tuple[ExplainedRule, ...]
    remarks: tuple[str, ...] = ()


def explain_rules(
    rules: InForce, sites: Iterable[tuple[Site, Place]], callers: Callers, only: ObjectRef | None = None
) -> tuple[ExplainedRule, ...]:
    """`only`: one rule, which is still looked at among all."""
    found: dict[tuple[ObjectRef, Action], dict[Ran, list[Site]]] = {}
    for site, place in sites:
        runs = (
            streams_at(rules, place)
            if site.is_raw
            else runs_at(rules, place, callers, has_peer=site.has_peer)
        )
        for ran in runs:
            found.setdefault((ran.rule, ran.action), {}).setdefault(ran, []).append(site)
    plan = rules.plan
    return tuple(_explained(plan, rule, found) for rule in _ordered(plan) if only is None or rule.ref == only)


def _ordered(plan: DispatchPlan) -> Iterator[RulePlan]:
    for namespace in (plan.root, *sorted(name for name in plan.rules if name != plan.root)):
        held = plan.rules.get(namespace)
        yield from held.rules if held else ()


def _explained(
    plan: DispatchPlan, rule: RulePlan, found: dict[tuple[ObjectRef, Action], dict[Ran, list[Site]]]
) -> ExplainedRule:
    actions = tuple(_action(plan, rule, each, found.get((rule.ref, each), {})) for each in rule.actions)
    is_asked = any(stay.where == "mixer" for each in actions for stay in each.stays)
    return ExplainedRule(
        rule=rule.ref,
        match=rule.match.text if rule.match else "",
        policy=rule.policy,
        actions=actions,
        warnings=tuple(dict.fromkeys(_warnings(plan, rule))) if is_asked else (),
    )


def _action(
    plan: DispatchPlan, rule: RulePlan, action: Action, runs: dict[Ran, list[Site]]
) -> ExplainedAction:
    stays = [
        Stay(
            where=ran.where,
            by=ran.by,
            reason=ran.reason,
            change=ran.change,
            sites=tuple(sorted(sites)),
        )
        for ran, sites in runs.items()
    ]
    if not stays:
        of = "any namespace" if rule.ref.namespace == plan.root else f"the namespace {rule.ref.namespace}"
        reason = f"its match holds for no port of {of} at which requests come in"
        stays.append(Stay(where="never", by="", reason=reason, change="", sites=()))
    return ExplainedAction(
        handler=action.handler, instance=action.instance, variety=action.variety, stays=tuple(stays)
    )


def streams_at(rules: InForce, place: Place) -> Iterator[Ran]:
    """Checks of raw connections, among them the TLS of programs' own."""
    for met in rules_met(rules.plan, place, "check", STREAMS):
        for action in (action for action in met.rule.actions if action.variety == "check"):
            yield Ran(
                rule=met.rule.ref,
                action=action,
                where="mixer",
                by=ASKS,
                reason="what a proxy decides itself are requests",
                change='demand context.protocol == "http", or "grpc", if raw connections are nothing to it',
            )


def runs_at(rules: InForce, place: Place, callers: Callers, *, has_peer: bool = True) -> Iterator[Ran]:
    """Every action that can be taken at a place."""
    plan = rules.plan
    decided = decide_checks(plan, place, callers, has_peer=has_peer)
    yield from decided.ran
    needs = needs_of(rules, place, asked=decided.asked)
    for rule, action in _actions(plan, place, "generator"):
        if needs.checks or needs.charges:
            reason = "adapters that tell attributes run in the control plane"
            yield Ran(rule=rule.ref, action=action, where="mixer", by="what asks for it", reason=reason)
        elif needs.reports:
            yield Ran(rule=rule.ref, action=action, where="log", by=LOG)
        else:
            reason = "nothing is asked or told there that could use it"
            yield Ran(rule=rule.ref, action=action, where="never", by="", reason=reason)
    charged = {each.quota: each for each in needs.charges}
    learning = any(True for _ in rules_met(plan, place, "generator"))
    for rule, action in _actions(plan, place, "quota"):
        quota = plan.instances[action.instance].short_name.lower()
        yield _of_quota(plan, rule, action, charged.get(quota), learning=learning)
    for rule, action in _actions(plan, place, "report"):
        yield Ran(
            rule=rule.ref,
            action=action,
            where="log",
            by=LOG,
            reason="adapters that take reports run in the control plane, which hears of a request afterwards",
        )


def _actions(plan: DispatchPlan, place: Place, variety: Variety) -> Iterator[tuple[RulePlan, Action]]:
    for met in rules_met(plan, place, variety):
        yield from ((met.rule, action) for action in met.rule.actions if action.variety == variety)


def _of_quota(
    plan: DispatchPlan, rule: RulePlan, action: Action, charged: Charged | None, *, learning: bool
) -> Ran:
    if charged is None or rule.ref not in charged.rules:
        reason = "no QuotaSpec charges it at this service"
        change = "write a QuotaSpec that does, and a QuotaSpecBinding to the service"
        return Ran(rule=rule.ref, action=action, where="never", by="", reason=reason, change=change)
    if charged.bucket is not None:
        return Ran(
            rule=rule.ref,
            action=action,
            where="proxy",
            by=BUCKET,
            reason="each instance has the limit for itself",
        )
    reason, change = _central(plan, rule, action, learning=learning)
    return Ran(rule=rule.ref, action=action, where="mixer", by=RATE_LIMITS, reason=reason, change=change)


def _central(plan: DispatchPlan, rule: RulePlan, action: Action, *, learning: bool) -> tuple[str, str]:
    handler = plan.handlers[action.handler]
    if learning:
        return "adapters tell attributes of each request before it is counted", ""
    if not handler.per_instance:
        return (
            "its limit is one for all instances of the service",
            f"annotate {action.handler} with {LIMIT}: {PER_INSTANCE} if each instance may have it for itself",
        )
    if handler.is_dry or rule.is_dry:
        return "it is tried out: what it would refuse is told", ""
    return (
        "who is charged, or how much, follows from the request",
        "write a rule without a match, dimensions that are constant there, and a charge for all requests",
    )


def _warnings(plan: DispatchPlan, rule: RulePlan) -> Iterator[str]:
    """Of what checks and quotas read: what makes that no answer can be kept."""
    asked = [action for action in rule.actions if action.variety in ("check", "quota")]
    formulas = [rule.match] if rule.match else []
    formulas += [formula for action in asked for _, formula in plan.instances[action.instance].fields]
    for formula in formulas if any(action.variety == "check" for action in asked) else ():
        told = [text for code, text in said_of(formula) if code == "mixer-never-repeats"]
        yield from told
        for name, key in sorted(set(_read(formula.program.checked.root)), key=str):
            shape = shape_of([Reference(name, key, "exact")])
            if isinstance(shape, Unkept) and not any(text.startswith(name) for text in told):
                yield f"{shape.attribute}: {shape.reason}; every request asks Mixer"


def _read(node: Typed) -> Iterator[tuple[str, str | None]]:
    match node:
        case Apply(function, arguments=(Read() as read, Constant(value=str() as key))) if function in KEYED:
            yield read.name, key
        case Read(name=name):
            yield name, None
        case Apply():
            for argument in node.arguments:
                yield from _read(argument)
        case Constant():
            pass


def supposed_site(rule: RulePlan, root: str) -> tuple[Site, Place]:
    """A server of which nothing is known but what the rule itself demands."""
    facts, labels = _demanded(rule, "destination")
    facts["context.reporter.kind"] = "inbound"
    facts.setdefault("destination.namespace", "default" if rule.ref.namespace == root else rule.ref.namespace)
    facts["destination.labels"] = labels
    name = labels.get("app") or facts.get("destination.workload.name") or "any"
    workload = WorkloadId(str(facts["destination.namespace"]), str(name))
    return Site(workload=workload, port=0, supposed=True), Place(attributes=Map(facts))


def supposed_caller(rule: RulePlan) -> Party | None:
    """One whom the rule demands; None: it demands nobody."""
    facts, labels = _demanded(rule, "source")
    if not facts and not labels:
        return None
    namespace = str(facts.get("source.namespace") or rule.ref.namespace)
    name = facts.get("source.name") or "-".join(("caller", *labels.values()))
    return Party(name=str(name), namespace=namespace, labels=labels)


def _demanded(rule: RulePlan, side: str) -> tuple[dict[str, Value], Map[str, str]]:
    """Attributes of a side, and its labels."""
    demand: Demand = demanded(rule.match.program.checked.root) if rule.match else Map()
    ordered = sorted(demand.items(), key=str)
    facts: dict[str, Value] = {
        name: min(values)
        for (name, key), values in ordered
        if key is None and name.startswith(f"{side}.") and values
    }
    labels = {
        key: min(values)
        for (name, key), values in ordered
        if key is not None and name == f"{side}.labels" and values
    }
    return facts, Map(labels)
