"""QuotaSpec and HTTPAPISpec with their bindings: what is bound and not there, what is there and not bound, and which
attributes they speak of."""

from collections.abc import Iterable, Iterator

from immutables import Map

from proa.core.attributes.value_types import ValueType
from proa.core.config.analyze.message import Message
from proa.core.config.attribute_values import Attributes, AttributeValue
from proa.core.config.config import Config
from proa.core.config.istio_service import NamedSpec
from proa.core.config.kinds.mixer_api_spec.schema import HttpApiSpec, HttpApiSpecBinding
from proa.core.config.kinds.mixer_quota_spec.schema import QuotaSpec, QuotaSpecBinding
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.tree import shorten
from proa.core.mixer.plan.compiling import Compiled
from proa.core.model.names import ObjectRef

_TYPES = Map(
    {
        "string_value": frozenset(
            (ValueType.STRING, ValueType.URI, ValueType.DNS_NAME, ValueType.EMAIL_ADDRESS)
        ),
        "int64_value": frozenset((ValueType.INT64,)),
        "double_value": frozenset((ValueType.DOUBLE,)),
        "bool_value": frozenset((ValueType.BOOL,)),
        "bytes_value": frozenset((ValueType.IP_ADDRESS,)),
        "timestamp_value": frozenset((ValueType.TIMESTAMP,)),
        "duration_value": frozenset((ValueType.DURATION,)),
        "string_map_value": frozenset((ValueType.STRING_MAP,)),
    }
)


def check_specs(configs: Iterable[Config], compiled: Compiled) -> Iterator[Message]:
    ordered = tuple(configs)
    there = {each.ref: each for each in ordered if isinstance(each.spec, QuotaSpec | HttpApiSpec)}
    bound: set[ObjectRef] = set()
    for config in ordered:
        match config.spec:
            case QuotaSpecBinding() as binding:
                yield from _check_binding(
                    config, "QuotaSpec", binding.quota_specs, "quotaSpecs", there, bound
                )
            case HttpApiSpecBinding() as binding:
                yield from _check_binding(config, "HTTPAPISpec", binding.api_specs, "apiSpecs", there, bound)
            case QuotaSpec() as spec:
                yield from _check_quotas(config, spec, compiled)
            case HttpApiSpec() as spec:
                yield from _check_api(config, spec, compiled)
            case _:
                pass
    for ref in sorted(there.keys() - bound):
        if any(isinstance(each.spec, QuotaSpecBinding | HttpApiSpecBinding) for each in ordered):
            yield Message(ref, (), "mixer-unused", f"nothing binds this {ref.kind} to a service")


def _check_binding(
    config: Config,
    kind: str,
    named: tuple[NamedSpec, ...],
    field: str,
    there: dict[ObjectRef, Config],
    bound: set[ObjectRef],
) -> Iterator[Message]:
    for index, spec in enumerate(named):
        ref = ObjectRef(kind, spec.namespace or config.meta.namespace, spec.name)
        bound.add(ref)
        if ref not in there:
            names = {str(each): each for each in there if each.kind == kind}
            text = f"there is no {ref}{suggestion(str(ref), names) or '; mend its name, or add it'}"
            yield Message(config.ref, ("spec", field, index, "name"), "mixer-reference-missing", text)


def _check_quotas(config: Config, spec: QuotaSpec, compiled: Compiled) -> Iterator[Message]:
    names = {
        ref.name.lower()
        for ref, (_, shaped) in compiled.objects.instances.items()
        if shaped.template.variety == "quota"
    }
    for index, rule in enumerate(spec.rules):
        at = ("spec", "rules", index)
        for number, quota in enumerate(rule.quotas):
            if quota.quota.partition(".")[0].lower() not in names:
                near = suggestion(quota.quota, names) or "; write the name of a quota instance"
                text = f'there is no quota "{shorten(quota.quota)}"{near}'
                yield Message(config.ref, (*at, "quotas", number, "quota"), "mixer-reference-missing", text)
        for number, match in enumerate(rule.match):
            for name in sorted(match.clause):
                found = compiled.formulas.vocabulary.type_of(name)
                if found is not ValueType.STRING:
                    what = f"is {found} and no STRING" if found else "is no attribute"
                    path = (*at, "match", number, "clause", name)
                    yield Message(config.ref, path, "mixer-expression", f"{shorten(name)} {what}")


def _check_api(config: Config, spec: HttpApiSpec, compiled: Compiled) -> Iterator[Message]:
    yield from _check_attributes(config, spec.attributes, ("spec", "attributes"), compiled)
    taken: dict[tuple[str, str, str], int] = {}
    for index, pattern in enumerate(spec.patterns):
        at = ("spec", "patterns", index)
        yield from _check_attributes(config, pattern.attributes, (*at, "attributes"), compiled)
        key = (pattern.http_method.upper(), pattern.uri_template, pattern.regex)
        # Of templates one counts; regular expressions add their attributes all.
        if pattern.uri_template and key in taken:
            text = f"pattern {taken[key]} is for the same requests; one of them counts"
            yield Message(config.ref, at, "mixer-pattern-repeated", text)
        taken.setdefault(key, index)


def _check_attributes(
    config: Config, attributes: Attributes | None, at: Path, compiled: Compiled
) -> Iterator[Message]:
    for name, value in sorted(attributes.attributes.items()) if attributes else ():
        wanted = compiled.formulas.vocabulary.type_of(name)
        path = (*at, "attributes", name)
        if wanted is None:
            text = f"there is no attribute {shorten(name)}; declare it in an attributemanifest"
            yield Message(config.ref, path, "mixer-expression", text)
        elif wanted not in _types_of(value):
            yield Message(
                config.ref, path, "mixer-expression", f"{name} is {wanted}; write a value of that type"
            )


def _types_of(value: AttributeValue) -> frozenset[ValueType]:
    """Whatever it can be."""
    given = (types for field, types in _TYPES.items() if getattr(value, field) is not None)
    return next(given, frozenset())
