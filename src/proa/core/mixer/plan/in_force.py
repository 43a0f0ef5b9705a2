"""All that is in force of Mixer's configuration, as one value: the dispatch plan and what services charge.

The world has it made anew when one of its objects changed, and asks what is different for whom.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec
from immutables import Map

from proa.core.config.config import Config
from proa.core.config.kinds.mixer_api_spec.schema import HttpApiSpec, HttpApiSpecBinding
from proa.core.config.kinds.mixer_attributes.schema import AttributeManifest
from proa.core.config.kinds.mixer_out_of_process.schema import Handler, TemplateInstance
from proa.core.config.kinds.mixer_quota_spec.schema import QuotaSpec, QuotaSpecBinding
from proa.core.config.kinds.mixer_rule.schema import Rule
from proa.core.config.kinds.rbac_2018.schema import ServiceRole, ServiceRoleBinding
from proa.core.config.mixer.catalogue import Catalogue
from proa.core.config.mixer.parameters import Adapter
from proa.core.config.mixer.templates import Instance
from proa.core.mixer.api_specs import ServiceApis, compile_apis
from proa.core.mixer.formulas import Formulas
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.plan.service_charges import ServiceCharges, compile_charges
from proa.core.mixer.plan.values import DispatchPlan, Rules
from proa.core.model.names import ROOT_NAMESPACE

V = TypeVar("V")

_KINDS = (
    Rule,
    Adapter,
    Handler,
    Instance,
    TemplateInstance,
    AttributeManifest,
    QuotaSpec,
    QuotaSpecBinding,
    HttpApiSpec,
    HttpApiSpecBinding,
    ServiceRole,
    ServiceRoleBinding,
)


def is_mixers(spec: object) -> bool:
    """Whether a plan depends on objects of that kind."""
    return isinstance(spec, _KINDS)


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """Equal when everything is: plans compare by what they mean."""

    plan: DispatchPlan = DispatchPlan(root=ROOT_NAMESPACE, rules=Map(), handlers=Map(), instances=Map())
    charges: ServiceCharges = ServiceCharges()
    apis: ServiceApis = ServiceApis()

    @property
    def is_idle(self) -> bool:
        """Whether there is no rule, so that nobody asks and nobody tells."""
        return not self.plan.rules


NOTHING = InForce()


def compile_in_force(
    configs: Iterable[Config],
    catalogue: Catalogue,
    formulas: Formulas | None,
    root: str,
    before: InForce = NOTHING,
) -> tuple[InForce, Formulas]:
    """`formulas` are those of the time before, and of the next time."""
    held = tuple(configs)
    compiled = compile_plan(held, catalogue, formulas, root=root)
    apis = compile_apis(held, compiled.formulas.vocabulary, before.apis)
    return InForce(plan=compiled.plan, charges=compile_charges(held), apis=apis), compiled.formulas


def namespaces_that_differ(before: InForce, after: InForce) -> frozenset[str]:
    """The namespaces whose servers' proxies may have to do something else now; the empty name: everybody's."""
    if before == after:
        return frozenset()
    if (before.plan.root, before.charges, before.apis) != (after.plan.root, after.charges, after.apis):
        # Charges and APIs are found by hosts, which may be anybody's.
        return frozenset(("",))
    changed = {
        *_changed(before.plan.handlers, after.plan.handlers),
        *_changed(before.plan.instances, after.plan.instances),
    }
    found = set(_changed(before.plan.rules, after.plan.rules))
    found |= {namespace for namespace, rules in after.plan.rules.items() if _uses(rules, changed)}
    return frozenset("" if namespace == after.plan.root else namespace for namespace in found)


def _changed(before: Map[str, V], after: Map[str, V]) -> Iterator[str]:
    if before is not after:
        yield from (name for name in {*before, *after} if before.get(name) != after.get(name))


def _uses(rules: Rules, names: set[str]) -> bool:
    return any(
        action.handler in names or action.instance in names for rule in rules.rules for action in rule.actions
    )
