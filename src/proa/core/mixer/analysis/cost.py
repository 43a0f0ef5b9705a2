"""Rules that cannot be kept in a cache, and rules that wait for what is not there yet.

A verdict holds for requests that agree on all that it depends on. What never repeats makes every request ask; what is
known only when a request is over is absent while it is checked.
"""

from collections.abc import Iterator
from typing import Final

from proa.core.attributes.vocabulary import ATTRIBUTES, Producer
from proa.core.config.analyze.message import Message
from proa.core.config.mixer.instances import expressions_of
from proa.core.config.path import Path
from proa.core.expression.typed import KEYED, Apply, Constant, Read, Typed
from proa.core.mixer.formulas import Formula
from proa.core.mixer.plan.compiling import Compiled
from proa.core.mixer.plan.values import RulePlan
from proa.core.mixer.templates import InstancePlan

_NEVER_REPEAT: Final = frozenset(
    ("request.id", "request.time", "context.time", "context.timestamp", "connection.id")
)
_NEVER_REPEAT_HEADERS: Final = frozenset(
    ("x-request-id", "traceparent", "x-b3-spanid", "x-b3-traceid", "x-client-trace-id", "date")
)
_HEADERS: Final = "request.headers"
_LATE: Final = frozenset(row.name for row in ATTRIBUTES if row.producers == (Producer.REPORT,))
_ASKED_BEFORE: Final = ("check", "quota", "generator")


def check_cost(compiled: Compiled) -> Iterator[Message]:
    plan = compiled.plan
    refs = {f"{ref.name}.{ref.kind}.{ref.namespace}": ref for ref in compiled.objects.instances}
    asked: dict[str, InstancePlan] = {}
    for rule in (rule for rules in plan.rules.values() for rule in rules.rules):
        before = [action for action in rule.actions if action.variety in _ASKED_BEFORE]
        asked |= {action.instance: plan.instances[action.instance] for action in before}
        if before:
            yield from _check_rule(rule)
    for name, instance in sorted(asked.items()):
        _, shaped = compiled.objects.instances[refs[name]]
        places = {placed.field: placed.path for placed in expressions_of(shaped.fields)}
        for field, formula in instance.fields:
            for code, text in said_of(formula):
                if instance.variety != "generator" or code == "mixer-attribute-late":
                    yield Message(refs[name], (*shaped.path, *places[field]), code, text)


def _check_rule(rule: RulePlan) -> Iterator[Message]:
    at: Path = ("spec", "match")
    for code, text in said_of(rule.match) if rule.match is not None else ():
        yield Message(rule.ref, at, code, text)


def said_of(formula: Formula) -> Iterator[tuple[str, str]]:
    for name in formula.program.attributes:
        if name in _NEVER_REPEAT:
            yield _odd(name)
        if name in _LATE:
            yield "mixer-attribute-late", f"{name} is known when the request is over, not when it is checked"
    for key in sorted(_headers_of(formula.program.checked.root) & _NEVER_REPEAT_HEADERS):
        yield _odd(f'{_HEADERS}["{key}"]')


def _odd(name: str) -> tuple[str, str]:
    return "mixer-never-repeats", f"{name} is another one for each request, so every request asks Mixer"


def _headers_of(node: Typed) -> frozenset[str]:
    match node:
        case Apply(function, arguments=(Read(name="request.headers"), Constant(value=str() as key))) if (
            function in KEYED
        ):
            return frozenset((key.lower(),))
        case Apply():
            return frozenset[str]().union(*map(_headers_of, node.arguments))
        case _:
            return frozenset()
