"""What a dispatch plan is made of. `compiling` makes it, `dispatch` reads it, whoever owns handlers keeps them by it.

Plans are values: equal objects make equal plans, in whatever order they come.
"""

from functools import cached_property
from typing import Final

import msgspec
from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.config.config import Config
from proa.core.config.mixer.annotations import Bounds, FailurePolicy
from proa.core.config.mixer.parameters import Adapter
from proa.core.config.mixer.templates import Variety
from proa.core.expression.tracing import Reference
from proa.core.mixer.formulas import Formula
from proa.core.mixer.plan.index import RuleIndex
from proa.core.mixer.templates import InstancePlan
from proa.core.model.names import ObjectRef

_POLICIES: dict[Variety, FailurePolicy] = {
    "check": "closed",
    "generator": "closed",
    "quota": "open",
    "report": "open",
}
DEFAULT_POLICIES: Final = Map(_POLICIES)
"""What a failed call comes to where the rule does not say. Without what generators tell, denials would not match."""


class HandlerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One handler that some rule uses. `objects` are those of the kinds that its adapter reads, in order. `identity`
    covers adapter, parameters, objects and the types of the instances that it will get: while it is the same the
    running handler is kept, whatever else changes. `bounds` and what follows are the caller's. `is_dry`: what its
    quotas refuse is only told. `per_instance`: each server's instance has its limits."""

    name: str
    adapter: str
    parameters: Adapter
    instances: Map[str, Map[str, ValueType]]
    objects: tuple[Config, ...] = ()
    identity: str
    bounds: Bounds
    is_dry: bool = False
    per_instance: bool = False


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """One instance for one handler, by their whole names."""

    handler: str
    instance: str
    variety: Variety


class RulePlan(msgspec.Struct, frozen=True, kw_only=True):
    """`match` None: always. `policy` None: the default of each variety. `is_dry`: its quotas refuse nobody."""

    ref: ObjectRef
    match: Formula | None
    actions: tuple[Action, ...]
    policy: FailurePolicy | None = None
    is_dry: bool = False

    def policy_for(self, variety: Variety) -> FailurePolicy:
        return self.policy or DEFAULT_POLICIES[variety]


class DispatchPlan(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """`rules` by namespace; those of `root` are for all."""

    root: str
    rules: Map[str, "Rules"]
    handlers: Map[str, HandlerPlan]
    instances: Map[str, InstancePlan]

    @cached_property
    def varieties(self) -> frozenset[Variety]:
        """Of all that rules ask for."""
        return frozenset(variety for rules in self.rules.values() for variety in rules.index)

    @cached_property
    def told(self) -> frozenset[str]:
        """What generators may say in place of what is known."""
        return frozenset(name for instance in self.instances.values() for name, _ in instance.bindings)


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Of one namespace: in order of names, those that have something of a variety, and how to find them."""

    rules: tuple[RulePlan, ...]
    index: Map[Variety, RuleIndex]


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of whom, for which rule, and what it comes to when it fails. `is_dry`, of quotas: a refusal is only
    told."""

    rule: ObjectRef
    action: Action
    policy: FailurePolicy
    is_dry: bool = False


References = tuple[Reference, ...]
