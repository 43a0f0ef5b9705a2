"""Objects to a dispatch plan. What cannot be in it is left out and told, as Mixer did: an action whose handler is not
there, an instance that makes no sense, a rule of which nothing is left.

`proa analyze` asks for the messages, the control plane for the plan. Objects are taken by their names, so that the
order in which they come does not matter.
"""

from collections.abc import Iterable, Iterator

import msgspec
from immutables import Map

from proa.core.attributes.manifests import Manifest, TypeConflict, extend
from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import STANDARD, Vocabulary
from proa.core.config.analyze.message import Message
from proa.core.config.config import Config
from proa.core.config.kinds.mixer_attributes.schema import AttributeManifest
from proa.core.config.kinds.mixer_rule.schema import CelRule, Rule
from proa.core.config.mixer.annotations import (
    bounds_of,
    failure_policy_of,
    is_dry_run,
    is_per_instance,
)
from proa.core.config.mixer.catalogue import READABLE, Catalogue
from proa.core.config.mixer.compiled import Configured, Shaped, handler_of, instance_of
from proa.core.config.mixer.instances import expressions_of
from proa.core.config.mixer.references import Table, canonical, table_of
from proa.core.config.path import Path
from proa.core.expression.typed import Language
from proa.core.mixer.formulas import Formula, Formulas
from proa.core.mixer.plan.index import build_index, demand_of
from proa.core.mixer.plan.values import Action, DispatchPlan, HandlerPlan, RulePlan, Rules
from proa.core.mixer.templates import InstancePlan
from proa.core.model.digest import digest_of
from proa.core.model.names import ROOT_NAMESPACE, ObjectRef


class Objects(msgspec.Struct, frozen=True, kw_only=True):
    """Mixer's objects by what they are, each with its Config, in order of names."""

    manifests: tuple[tuple[Config, AttributeManifest], ...]
    handlers: Map[ObjectRef, tuple[Config, Configured]]
    instances: Map[ObjectRef, tuple[Config, Shaped]]
    rules: tuple[tuple[Config, Rule], ...]
    handler_table: Table
    instance_table: Table
    read: tuple[Config, ...]
    """Those that adapters may read."""


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """`formulas` are for the next compilation. `messages` in no particular order, each once."""

    plan: DispatchPlan
    messages: tuple[Message, ...]
    objects: Objects
    formulas: Formulas


def objects_of(configs: Iterable[Config], catalogue: Catalogue) -> Objects:
    ordered = sorted(configs, key=lambda config: config.ref)
    handlers = {each.ref: (each, handler_of(each.kind, each.spec, catalogue)) for each in ordered}
    instances = {each.ref: (each, instance_of(each.kind, each.spec)) for each in ordered}
    found_handlers = {ref: (config, found) for ref, (config, found) in handlers.items() if found}
    found_instances = {ref: (config, found) for ref, (config, found) in instances.items() if found}
    return Objects(
        manifests=tuple((each, each.spec) for each in ordered if isinstance(each.spec, AttributeManifest)),
        handlers=Map(found_handlers),
        instances=Map(found_instances),
        rules=tuple((each, each.spec) for each in ordered if isinstance(each.spec, Rule)),
        handler_table=table_of("handler", found_handlers),
        instance_table=table_of("instance", found_instances),
        read=tuple(each for each in ordered if each.kind in READABLE),
    )


def compile_plan(
    configs: Iterable[Config],
    catalogue: Catalogue,
    formulas: Formulas | None = None,
    *,
    root: str = ROOT_NAMESPACE,
) -> Compiled:
    """`formulas` are those of the compilation before; without them all is compiled anew."""
    objects = objects_of(configs, catalogue)
    vocabulary, messages = vocabulary_of(objects)
    if formulas is None or formulas.vocabulary != vocabulary:
        formulas = Formulas(vocabulary)
    compiling = _Compiling(objects, formulas, root)
    plan = compiling.plan()
    formulas.forget_unused()
    told = dict.fromkeys((*messages, *compiling.messages))
    return Compiled(plan=plan, messages=tuple(told), objects=objects, formulas=formulas)


def vocabulary_of(objects: Objects) -> tuple[Vocabulary, tuple[Message, ...]]:
    """The standard one with what manifests add."""
    by_name = {f"{config.meta.namespace}/{config.meta.name}": config.ref for config, _ in objects.manifests}
    extended = extend(
        STANDARD,
        [
            Manifest(
                f"{config.meta.namespace}/{config.meta.name}",
                {
                    name: ValueType[info.value_type]
                    for name, info in spec.attributes.items()
                    if info.value_type in ValueType.__members__
                },
            )
            for config, spec in objects.manifests
        ],
    )
    return extended.vocabulary, tuple(_conflict(each, by_name) for each in extended.conflicts)


def _conflict(conflict: TypeConflict, by_name: dict[str, ObjectRef]) -> Message:
    path = ("spec", "attributes", conflict.attribute, "valueType")
    return Message(by_name[conflict.manifest], path, "mixer-attribute-conflict", str(conflict))


class _Compiling:
    """One compilation. Collects messages on the way."""

    def __init__(self, objects: Objects, formulas: Formulas, root: str) -> None:
        self.messages: list[Message] = []
        self._objects, self._formulas, self._root = objects, formulas, root
        self._instances: dict[ObjectRef, InstancePlan | None] = {}

    def plan(self) -> DispatchPlan:
        for ref in self._objects.instances:
            self._instance(ref)
        for ref in self._objects.handlers:
            self._check_handler(ref)
        made = (self._rule(config, spec) for config, spec in self._objects.rules)
        rules = [rule for rule in made if rule.actions]
        used = {action.instance for rule in rules for action in rule.actions}
        instances = {
            plan.name: plan for plan in self._instances.values() if plan is not None and plan.name in used
        }
        return DispatchPlan(
            root=self._root,
            rules=_by_namespace(rules),
            handlers=Map({plan.name: plan for plan in self._handlers(rules, instances)}),
            instances=Map(instances),
        )

    def _rule(self, config: Config, spec: Rule) -> RulePlan:
        """Without actions when its match makes no sense."""
        text, at = spec.match.strip(), ("spec", "match")
        language: Language = "CEL" if isinstance(spec, CelRule) else "MIXER"
        match = None
        if text not in ("", "true"):
            match = self._formula(config.ref, at, text, ValueType.BOOL, language=language)
        actions: list[Action] = []
        for index, action in enumerate(spec.actions):
            actions += self._actions(config, ("spec", "actions", index), action.handler, action.instances)
        makes_sense = match is not None or text in ("", "true")
        return RulePlan(
            ref=config.ref,
            match=match,
            actions=tuple(dict.fromkeys(actions)) if makes_sense else (),
            policy=failure_policy_of(config.meta.annotations),
            is_dry=is_dry_run(config.meta.annotations),
        )

    def _actions(
        self, config: Config, at: Path, handler: str, instances: tuple[str, ...]
    ) -> Iterator[Action]:
        namespace, table = config.meta.namespace, self._objects.handler_table
        to = table.find(handler, namespace, self._root)
        if to is None:
            self._tell(
                config.ref, (*at, "handler"), "mixer-reference-missing", table.missing(handler, "handler")
            )
        for number, text in enumerate(instances):
            of = self._objects.instance_table.find(text, namespace, self._root)
            place = (*at, "instances", number)
            if of is None:
                missing = self._objects.instance_table.missing(text, "instance")
                self._tell(config.ref, place, "mixer-reference-missing", missing)
            elif to is not None and self._fits(config.ref, place, to, of) and (plan := self._instance(of)):
                yield Action(handler=canonical(to), instance=canonical(of), variety=plan.variety)

    def _fits(self, rule: ObjectRef, at: Path, handler: ObjectRef, instance: ObjectRef) -> bool:
        """Whether the adapter takes the template, and runs at all."""
        adapter = self._objects.handlers[handler][1].adapter
        template = self._objects.instances[instance][1].template
        if template.name in adapter.templates:
            return adapter.runs
        takes = ", ".join(adapter.templates)
        text = f"{adapter.name} takes no {template.name}; it takes {takes}"
        self._tell(rule, at, "mixer-template-unfit", text)
        return False

    def _check_handler(self, ref: ObjectRef) -> None:
        adapter = self._objects.handlers[ref][1].adapter
        if not adapter.runs:
            text = f"{adapter.name} does not run here: {adapter.missing}"
            self._tell(ref, ("kind",), "mixer-adapter-missing", text)

    def _instance(self, ref: ObjectRef) -> InstancePlan | None:
        """None when an expression of it makes no sense: then it is never made."""
        if ref not in self._instances:
            self._instances[ref] = self._compile_instance(ref, self._objects.instances[ref][1])
        return self._instances[ref]

    def _compile_instance(self, ref: ObjectRef, shaped: Shaped) -> InstancePlan | None:
        fields: list[tuple[tuple[str, ...], Formula]] = []
        faults = len(self.messages)
        for placed in expressions_of(shaped.fields):
            at = (*shaped.path, *placed.path)
            formula = self._formula(ref, at, placed.text, placed.type, also=placed.also)
            if formula is not None:
                fields.append((placed.field, formula))
        bindings = tuple(self._bindings(ref, shaped))
        if len(self.messages) > faults:
            return None
        return InstancePlan(
            name=canonical(ref),
            template=shaped.template.name,
            variety=shaped.template.variety,
            fields=tuple(fields),
            bindings=bindings,
        )

    def _bindings(self, ref: ObjectRef, shaped: Shaped) -> Iterator[tuple[str, Formula]]:
        for attribute, text in sorted(shaped.fields.attribute_bindings.items()):
            at = (*shaped.path, "attributeBindings", attribute)
            wanted = self._formulas.vocabulary.type_of(attribute)
            if wanted is None:
                unknown = f"there is no attribute {attribute}; declare it in an attributemanifest"
                self._tell(ref, at, "mixer-expression", unknown)
                continue
            outputs = Map(shaped.template.outputs)
            if not outputs:
                gives_none = f"{shaped.template.name} gives no attributes; remove the bindings"
                self._tell(ref, at, "mixer-expression", gives_none)
            elif formula := self._formula(ref, at, text, wanted, outputs):
                yield attribute, formula

    def _formula(
        self,
        ref: ObjectRef,
        at: Path,
        text: str,
        wanted: ValueType | None,
        outputs: Map[str, ValueType] = Map(),
        also: tuple[ValueType, ...] = (),
        language: Language = "MIXER",
    ) -> Formula | None:
        """Of the first type that fits; what is told is what is wrong with the one that is `wanted`."""
        found = self._formulas.get(text, wanted, outputs, language)
        for other in also:
            if not isinstance(found, Formula):
                second = self._formulas.get(text, other, outputs)
                found = second if isinstance(second, Formula) else found
        if isinstance(found, Formula):
            return found
        for fault in found:
            self._tell(ref, at, "mixer-expression", str(fault))
        return None

    def _tell(self, ref: ObjectRef, at: Path, code: str, text: str) -> None:
        self.messages.append(Message(ref, at, code, text))

    def _handlers(self, rules: list[RulePlan], instances: dict[str, InstancePlan]) -> Iterator[HandlerPlan]:
        """Those that are used, with what they will be given."""
        used: dict[str, set[str]] = {}
        for action in (action for rule in rules for action in rule.actions):
            used.setdefault(action.handler, set()).add(action.instance)
        for ref, (config, configured) in self._objects.handlers.items():
            names = sorted(used.get(canonical(ref), ()))
            if names:
                types = Map({name: instances[name].types for name in names})
                told = {name: {field: str(each) for field, each in types[name].items()} for name in names}
                adapter = configured.adapter.name
                reads = configured.adapter.reads
                read = tuple(each for each in self._objects.read if each.kind in reads)
                given = (adapter, configured.parameters, told, *(each.digest for each in read))
                yield HandlerPlan(
                    name=canonical(ref),
                    adapter=adapter,
                    parameters=configured.parameters,
                    instances=types,
                    objects=read,
                    identity=digest_of(given),
                    bounds=bounds_of(config.meta.annotations),
                    is_dry=is_dry_run(config.meta.annotations),
                    per_instance=is_per_instance(config.meta.annotations),
                )


def _by_namespace(rules: list[RulePlan]) -> Map[str, Rules]:
    found: dict[str, list[RulePlan]] = {}
    for rule in rules:
        found.setdefault(rule.ref.namespace, []).append(rule)
    return Map({namespace: _indexed(tuple(each)) for namespace, each in found.items()})


def _indexed(rules: tuple[RulePlan, ...]) -> Rules:
    """An index for each variety: reports do not look at rules that only check."""
    demands = [demand_of(rule.match) for rule in rules]
    varieties = {action.variety for rule in rules for action in rule.actions}
    return Rules(
        rules=rules,
        index=Map(
            {
                variety: build_index(
                    (position, demands[position])
                    for position, rule in enumerate(rules)
                    if any(action.variety == variety for action in rule.actions)
                )
                for variety in varieties
            }
        ),
    )
