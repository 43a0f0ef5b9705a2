"""Whether Mixer's rule makes sense. Called through the kinds table."""

import re
from collections.abc import Iterator

from proa.core.attributes.value_types import ValueType
from proa.core.config.expressions import expression_faults
from proa.core.config.kinds.mixer_rule.schema import CelRule, Rule
from proa.core.config.meta import Meta
from proa.core.config.mixer.annotations import rule_annotation_faults
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten
from proa.core.expression.typed import Language

SPEC: Path = ("spec",)
# Names of adapters and templates are words; of objects, names of Kubernetes.
_REFERENCE = re.compile(
    r"[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?(\.[A-Za-z0-9]([-A-Za-z0-9_]*[A-Za-z0-9])?)*"
)


def validate(spec: Rule, meta: Meta) -> Iterator[Finding]:
    yield from rule_annotation_faults(meta.annotations)
    language: Language = "CEL" if isinstance(spec, CelRule) else "MIXER"
    is_written = bool(spec.match.strip())
    for fault in expression_faults(spec.match, ValueType.BOOL, language=language) if is_written else ():
        yield Finding((*SPEC, "match"), "bad-value", fault)
    if not spec.actions:
        yield warning((*SPEC, "actions"), "no-effect", "a rule without actions does nothing; add one")
    for index, action in enumerate(spec.actions):
        at = (*SPEC, "actions", index)
        yield from _check_reference(action.handler, (*at, "handler"))
        for number, instance in enumerate(action.instances):
            yield from _check_reference(instance, (*at, "instances", number))
            if instance and instance in action.instances[:number]:
                message = f'"{shorten(instance)}" is there already; remove one'
                yield Finding((*at, "instances", number), "duplicate", message)


def _check_reference(text: str, at: Path) -> Iterator[Finding]:
    if text and not _REFERENCE.fullmatch(text):
        yield Finding(
            at, "bad-value", f'"{shorten(text)}" names no object; write name.kind or name.kind.namespace'
        )
