"""What a proxy has to tell for a quota, when it has to ask at all, and where it counts by itself.

It counts by itself what is limited for each instance apart, as a bucket that fills up evenly: of `maximum` in a window
at most that many pass at once and as many again while it fills, so never more than twice the limit within a window, and
the limit over many.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from proa.core.config.kinds.mixer_quota_spec.schema import QuotaSpec
from proa.core.config.mixer.parameters import MemQuota
from proa.core.expression.cel import Cel, cel_text, infix
from proa.core.expression.envoy_form import EnvoyForm, envoy_form
from proa.core.expression.folding import Facts, fold
from proa.core.expression.typed import KEYED, Apply, Constant, Read, Typed
from proa.core.mixer.plan.values import Action, DispatchPlan, RulePlan
from proa.core.mixer.quota.limits import choose
from proa.core.mixer.quota.parameters import limits_of
from proa.core.mixer.quota.windows import slots_of
from proa.core.mixer.rate_limits.parts import Reading
from proa.core.mixer.templates import text_of

Sending = tuple[RulePlan, Typed | None]
"""A rule that charges, and what is left of its match at the place; None: it always does."""

SHORTEST_MS: Final = 1000


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """Fills with `tokens` in `fill_ms`, holds no more than them, and every request takes one."""

    tokens: int
    fill_ms: int


def read_by(plan: DispatchPlan, sending: Iterable[Sending], quota: str) -> Iterator[Typed]:
    """The expressions that are evaluated for a charge."""
    for rule, match in sending:
        if match is not None:
            yield match
        for action in actions_for(plan, rule, quota):
            for _, formula in plan.instances[action.instance].fields:
                yield formula.program.checked.root


def actions_for(plan: DispatchPlan, rule: RulePlan, quota: str) -> Iterator[Action]:
    """`quota` in lower case."""
    for action in rule.actions:
        if action.variety == "quota" and plan.instances[action.instance].short_name.lower() == quota:
            yield action


def readings(roots: Iterable[Typed], specs: Iterable[QuotaSpec], quota: str) -> Iterator[Reading]:
    """All that may be read of a request by expressions and by clauses of the rules that charge `quota`."""
    for root in roots:
        yield from _read(root)
    for spec in specs:
        for rule in spec.rules:
            if any(each.quota.lower() == quota for each in rule.quotas):
                yield from ((name, None) for match in rule.match for name in match.clause)


def _read(node: Typed) -> Iterator[Reading]:
    match node:
        case Apply(function, arguments=(Read() as read, Constant(value=str() as key))) if function in KEYED:
            yield read.name, key
        case Apply():
            for argument in node.arguments:
                yield from _read(argument)
        case Read():
            yield node.name, None
        case Constant():
            pass


def asked_of(sending: Iterable[Sending], facts: Facts) -> str:
    """CEL that is true for all requests that a rule charges, "" where none says less than all. A failure is
    no: then no rule matches."""
    found: Cel | None = None
    for rule, match in sending:
        if match is None or rule.match is None:
            return ""
        form = envoy_form(rule.match.program.checked, facts)
        if not isinstance(form, EnvoyForm) or form.at_end:
            return ""
        # CEL's own: what fails on one side is forgiven when the other side is true.
        found = form.cel if found is None else infix(found, "||", form.cel)
    return cel_text(found) if found is not None else ""


def bucket_of(
    plan: DispatchPlan, sending: Sequence[Sending], specs: Sequence[QuotaSpec], quota: str, facts: Facts
) -> Bucket | None:
    """For one limit of a handler that is per instance, which every request is charged alike. None: it is counted
    centrally, instance by instance if the handler says so."""
    if len(sending) != 1 or sending[0][1] is not None:
        return None
    rule = sending[0][0]
    actions = tuple(actions_for(plan, rule, quota))
    amount = _always_owed(specs, quota)
    if len(actions) != 1 or amount is None:
        return None
    handler = plan.handlers[actions[0].handler]
    dimensions = _constant_dimensions(plan, actions[0].instance, facts)
    if not handler.per_instance or handler.is_dry or rule.is_dry or dimensions is None:
        return None
    if not isinstance(handler.parameters, MemQuota):
        return None
    limit = next((each for each in limits_of(handler.parameters) if each.quota == actions[0].instance), None)
    if limit is None:
        return None
    chosen = choose(limit, dimensions)
    tokens = chosen.max_amount // amount
    if tokens < 1 or not chosen.window_ms:
        return None
    return Bucket(tokens=tokens, fill_ms=slots_of(chosen.window_ms))


def _always_owed(specs: Iterable[QuotaSpec], quota: str) -> int | None:
    """None: it depends on the request."""
    owed = 0
    for rule in (rule for spec in specs for rule in spec.rules):
        charges = [each.charge for each in rule.quotas if each.quota.lower() == quota]
        if charges and rule.match:
            return None
        owed += sum(charges)
    return owed or None


def _constant_dimensions(plan: DispatchPlan, instance: str, facts: Facts) -> dict[str, str] | None:
    found: dict[str, str] = {}
    for path, formula in plan.instances[instance].fields:
        root = fold(formula.program.checked.root, facts)
        if not isinstance(root, Constant):
            return None
        if path[0] == "dimensions":
            found[path[1]] = text_of(root.value)
    return found
