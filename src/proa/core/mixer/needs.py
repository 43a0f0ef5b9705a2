"""What Mixer's rules need of one proxy at one of its places: which of them can match there, and what they ask and tell.

All that is constant at the place is put into the matches first. A rule whose match cannot be true there costs nothing:
no filter, no call, no header that is told.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.attributes.vocabulary import STANDARD
from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.config.mixer.templates import Variety
from proa.core.expression.folding import Facts, fold
from proa.core.expression.tracing import Reference
from proa.core.expression.typed import KEYED, Apply, Constant, Read, Typed
from proa.core.mixer.api_specs import API_KEY, API_NAMES, grounded
from proa.core.mixer.asked import Place
from proa.core.mixer.plan.bound_services import bound_to
from proa.core.mixer.plan.in_force import InForce
from proa.core.mixer.plan.index import terms_of
from proa.core.mixer.plan.values import Action, DispatchPlan, RulePlan
from proa.core.mixer.rate_limits.parts import Reading, parts_for
from proa.core.mixer.rate_limits.told import Bucket, asked_of, bucket_of, read_by, readings
from proa.core.mixer.reporting.trace_headers import carriers_of
from proa.core.model.digest import digest_of
from proa.core.model.names import ObjectRef

REQUESTS: Final = ("http", "grpc")
STREAMS: Final = ("tcp",)
"""Values of `context.protocol`."""

_SPANS: Final = "tracespan"
_OF_PLACES: Final = ("destination.", "context.reporter.")
_ABSENT: Final = API_NAMES | {name for name in STANDARD.types if name.startswith(_OF_PLACES)}
"""What is known to be absent at a server's place that does not say it."""
_NAMESPACES: Final = ("destination.namespace", "source.namespace", "context.reporter.kind")


class Met(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that can match at a place. `match` is what is left of it there; None: it always does."""

    rule: RulePlan
    match: Typed | None


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one failure policy whose checks are asked. `deadline_ms`: how long an answer may take at most.
    `digest` is of all that an answer follows from: one that was made by other rules is good for one request."""

    policy: FailurePolicy
    rules: tuple[ObjectRef, ...]
    deadline_ms: int
    digest: str


class Charged(msgspec.Struct, frozen=True, kw_only=True):
    """A quota that requests may be charged for: its short name in lower case, by which `specs`, and the rules that send
    it to a handler. `parts`: what is told of a request; `asked`: CEL without which nothing is charged, "" for always.
    With a `bucket` the proxy counts by itself."""

    quota: str
    specs: tuple[ObjectRef, ...]
    rules: tuple[ObjectRef, ...]
    policy: FailurePolicy
    deadline_ms: int
    parts: tuple[str, ...] = ()
    asked: str = ""
    bucket: Bucket | None = None


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """What reports need to be told: the keys of headers that expressions read, in lower case. None: any may be read.
    `has_spans`: a proxy must give its requests places in traces, for what is reported are spans."""

    rules: tuple[ObjectRef, ...]
    request_headers: tuple[str, ...] | None
    response_headers: tuple[str, ...] | None
    has_spans: bool = False


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """`checks`: closed before open, each at most once. Nothing at all where no rule can match."""

    checks: tuple[Checked, ...] = ()
    charges: tuple[Charged, ...] = ()
    reports: Reported | None = None

    def __bool__(self) -> bool:
        return bool(self.checks or self.charges or self.reports)


Calls = frozenset[tuple[ObjectRef, Action]]


def needs_of(
    rules: InForce, place: Place, protocols: tuple[str, ...] = REQUESTS, asked: Calls | None = None
) -> Needs:
    """`asked` are the calls of checks that the proxy does not answer itself; None: all of them."""
    if rules.is_idle:
        return Needs()
    plan = rules.plan
    learning = tuple(rules_met(plan, place, "generator", protocols))
    first_ms = _longest_ms(plan, learning, "generator")
    checked = tuple(rules_met(plan, place, "check", protocols))
    return Needs(
        checks=tuple(_checks(plan, place, learning, checked, first_ms, asked)),
        charges=tuple(_charges(rules, place, protocols, learning)),
        reports=_reports(plan, place, learning, tuple(rules_met(plan, place, "report", protocols))),
    )


def stream_checks_of(rules: InForce, place: Place) -> tuple[Checked, ...]:
    """What raw connections that come in there are checked by."""
    if rules.is_idle:
        return ()
    plan = rules.plan
    learning = tuple(rules_met(plan, place, "generator", STREAMS))
    met = tuple(rules_met(plan, place, "check", STREAMS))
    first_ms = _longest_ms(plan, learning, "generator")
    return tuple(_checks(plan, place, learning, met, first_ms, None))


def reports_of(rules: InForce, place: Place, protocols: tuple[str, ...]) -> Reported | None:
    """What reports alone need of a proxy: at a server's port, or where a client's place is."""
    if rules.is_idle:
        return None
    learning = tuple(rules_met(rules.plan, place, "generator", protocols))
    return _reports(rules.plan, place, learning, tuple(rules_met(rules.plan, place, "report", protocols)))


def client_place(namespace: str) -> Place:
    """Of all calls that a namespace's workloads make: nothing is known of who is called."""
    return Place(
        attributes=Map({"context.reporter.kind": "outbound", "source.namespace": namespace}),
    )


def rules_met(
    plan: DispatchPlan, place: Place, variety: Variety, protocols: tuple[str, ...] = REQUESTS
) -> Iterator[Met]:
    """Those that can match at a place, in the order in which they count."""
    if variety not in plan.varieties:
        return
    told = frozenset[str]() if variety == "generator" else plan.told
    facts = _facts(place, told)
    known = terms_of({name: value for name, value in facts.items() if value is not None})
    for namespace in _namespaces(plan, place, told):
        rules = plan.rules.get(namespace)
        index = rules.index.get(variety) if rules else None
        if rules is None or index is None:
            continue
        if told:  # what generators tell may be anything: then nothing is known of where a rule is found
            positions: Iterable[int] = range(len(rules.rules))
        elif _is_client(place):
            positions = index.find_all(protocols)
        else:
            positions = index.find_for(known, protocols)
        for position in positions:
            rule = rules.rules[position]
            if not any(action.variety == variety for action in rule.actions):
                continue
            match = fold(rule.match.program.checked.root, facts) if rule.match else None
            if match is None or not is_never(match, facts):
                is_always = isinstance(match, Constant)
                yield Met(rule=rule, match=None if is_always else match)


def _facts(place: Place, told: frozenset[str]) -> Facts:
    """What the server's side is, and is not: all names of a place that have no value there are known to be absent. Of
    a client only what its place says is known: it calls whom it likes."""
    facts: dict[str, Value | None] = {} if _is_client(place) else dict.fromkeys(_ABSENT - place.apis.names)
    facts.update(place.attributes)
    for name in told:
        facts.pop(name, None)
    return facts


def _namespaces(plan: DispatchPlan, place: Place, told: frozenset[str]) -> tuple[str, ...]:
    if told.intersection(_NAMESPACES):
        return (plan.root, *sorted(name for name in plan.rules if name != plan.root))
    own = place.attributes.get("source.namespace" if _is_client(place) else "destination.namespace")
    return tuple(dict.fromkeys((plan.root, own if isinstance(own, str) else "")))


def _is_client(place: Place) -> bool:
    return place.attributes.get("context.reporter.kind") == "outbound"


def is_never(node: Typed, facts: Facts) -> bool:
    """Whether it is false, or fails, for every request: what is absent at the place is read where it must not be."""
    match node:
        case Constant():
            return node.value is False
        case Read():
            return facts.get(node.name, node) is None
        case Apply("&&" | "all"):
            return any(is_never(each, facts) for each in node.arguments)
        case Apply("||" | "any"):
            return all(is_never(each, facts) for each in node.arguments)
        case Apply("|" | "conditional"):
            return False
        case Apply():
            return any(_fails(each, facts) for each in node.arguments)


def _fails(node: Typed, facts: Facts) -> bool:
    """Whether it has no value for any request."""
    match node:
        case Read():
            return facts.get(node.name, node) is None
        case Apply("|" | "conditional" | "&&" | "||" | "any" | "all" | "has") | Constant():
            return False
        case Apply():
            return any(_fails(each, facts) for each in node.arguments)


def checks_digest(plan: DispatchPlan, place: Place, protocols: tuple[str, ...] = REQUESTS) -> str:
    """As `Checked.digest` has it: whoever answers says by it which rules he went by."""
    learning = tuple(rules_met(plan, place, "generator", protocols))
    return _digest(plan, place, learning, tuple(rules_met(plan, place, "check", protocols)))


def _digest(plan: DispatchPlan, place: Place, learning: tuple[Met, ...], met: tuple[Met, ...]) -> str:
    """Of the rules of both policies: a call that both ask for is closed."""
    told = (*_written(plan, learning, "generator"), *_written(plan, met, "check"), *_of_apis(place))
    return digest_of(told)


def _checks(
    plan: DispatchPlan,
    place: Place,
    learning: tuple[Met, ...],
    met: tuple[Met, ...],
    first_ms: int,
    asked: Calls | None,
) -> Iterator[Checked]:
    digest = _digest(plan, place, learning, met)
    policies: tuple[FailurePolicy, ...] = ("closed", "open")
    for policy in policies:
        those = tuple(
            each
            for each in met
            if each.rule.policy_for("check") == policy
            and any(asked is None or (each.rule.ref, action) in asked for action in each.rule.actions)
        )
        if those:
            yield Checked(
                policy=policy,
                rules=tuple(each.rule.ref for each in those),
                deadline_ms=first_ms + _longest_ms(plan, those, "check"),
                digest=digest,
            )


def _of_apis(place: Place) -> Iterator[list[str]]:
    """By them what requests are may change, while rules stay."""
    if place.apis.specs:
        yield [spec.digest for spec in place.apis.specs]


def _written(plan: DispatchPlan, met: tuple[Met, ...], variety: Variety) -> Iterator[list[str]]:
    """All that rules, instances and handlers say, as texts."""
    for each in met:
        rule = each.rule
        yield [str(rule.ref), rule.match.text if rule.match else "", rule.policy_for(variety)]
        for action in (action for action in rule.actions if action.variety == variety):
            instance = plan.instances[action.instance]
            fields = (f"{'.'.join(path)}={formula.text}" for path, formula in instance.fields)
            bindings = (f"{name}:={formula.text}" for name, formula in instance.bindings)
            handler = plan.handlers[action.handler]
            yield [action.handler, handler.identity, action.instance, *fields, *bindings]


def _charges(
    rules: InForce, place: Place, protocols: tuple[str, ...], learning: tuple[Met, ...]
) -> Iterator[Charged]:
    host = place.attributes.get("destination.service.host")
    specs: dict[str, dict[ObjectRef, None]] = {}
    for ref in bound_to(rules.charges.bound, host.lower() if isinstance(host, str) else ""):
        for charge in (charge for rule in rules.charges.specs[ref].rules for charge in rule.quotas):
            specs.setdefault(charge.quota.lower(), {})[ref] = None
    met = tuple(rules_met(rules.plan, place, "quota", protocols)) if specs else ()
    facts = _facts(place, rules.plan.told)
    first_ms = _longest_ms(rules.plan, learning, "generator")
    for quota, those in sorted(specs.items()):
        sending = tuple(each for each in met if _sends(rules.plan, each.rule, quota))
        if sending:
            closed = any(each.rule.policy_for("quota") == "closed" for each in sending)
            those_rules = tuple((each.rule, each.match) for each in sending)
            owing = tuple(rules.charges.specs[ref] for ref in those)
            roots = (*_read_by(rules.plan, learning, "generator"), *read_by(rules.plan, those_rules, quota))
            yield Charged(
                quota=quota,
                specs=tuple(those),
                rules=tuple(each.rule.ref for each in sending),
                policy="closed" if closed else "open",
                deadline_ms=first_ms + _longest_ms(rules.plan, sending, "quota"),
                parts=parts_for(_told_of(place, readings(roots, owing, quota))).told,
                asked="" if learning else asked_of(those_rules, facts),
                bucket=None if learning else bucket_of(rules.plan, those_rules, owing, quota, facts),
            )


def _sends(plan: DispatchPlan, rule: RulePlan, quota: str) -> bool:
    return any(
        action.variety == "quota" and plan.instances[action.instance].short_name.lower() == quota
        for action in rule.actions
    )


def _longest_ms(plan: DispatchPlan, met: Iterable[Met], variety: Variety) -> int:
    """Calls of one variety are made at once."""
    return max(
        (
            plan.handlers[action.handler].bounds.deadline_ms
            for each in met
            for action in each.rule.actions
            if action.variety == variety
        ),
        default=0,
    )


def _told_of(place: Place, read: Iterable[Reading]) -> Iterator[Reading]:
    """What a proxy has to tell for what is read."""
    references = (Reference(name, key, "exact") for name, key in read)
    return ((each.name, each.key) for each in grounded(place.apis, references))


def _reports(
    plan: DispatchPlan, place: Place, learning: tuple[Met, ...], met: tuple[Met, ...]
) -> Reported | None:
    if not met:
        return None
    read = [*_read_by(plan, learning, "generator"), *_read_by(plan, met, "report")]
    of_key = place.apis.key_headers if any(_reads(root, API_KEY) for root in read) else frozenset[str]()
    headers = _keys(read, "request.headers", of_key)
    return Reported(
        rules=tuple(each.rule.ref for each in met),
        request_headers=None if headers is None else carriers_of(headers),
        response_headers=_keys(read, "response.headers"),
        has_spans=any(
            plan.instances[action.instance].template == _SPANS
            for each in met
            for action in each.rule.actions
            if action.variety == "report"
        ),
    )


def _read_by(plan: DispatchPlan, met: tuple[Met, ...], variety: Variety) -> Iterator[Typed]:
    for each in met:
        if each.match is not None:
            yield each.match
        for action in each.rule.actions:
            if action.variety == variety:
                fields = plan.instances[action.instance].fields
                yield from (formula.program.checked.root for _, formula in fields)


def _reads(node: Typed, name: str) -> bool:
    match node:
        case Read():
            return node.name == name
        case Apply():
            return any(_reads(each, name) for each in node.arguments)
        case Constant():
            return False


def _keys(roots: Iterable[Typed], name: str, more: frozenset[str] = frozenset()) -> tuple[str, ...] | None:
    found = set(more)
    for root in roots:
        keys = _keys_of(root, name)
        if keys is None:
            return None
        found |= keys
    return tuple(sorted(found))


def _keys_of(node: Typed, name: str) -> set[str] | None:
    """The keys of a map that may be read, None where that cannot be told."""
    match node:
        case Read():
            return None if node.name == name else set()
        case Apply(function, arguments=(Read() as read, Constant(value=str() as key))) if (
            function in KEYED and read.name == name
        ):
            return {key.lower()}
        case Apply():
            below = [_keys_of(each, name) for each in node.arguments]
            return None if None in below else set[str]().union(*(each for each in below if each))
        case Constant():
            return set()
