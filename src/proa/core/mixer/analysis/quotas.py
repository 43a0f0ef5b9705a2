"""Limits and the instances that they are for: names that nobody has, dimensions that no instance has, quotas without a
limit."""

from collections.abc import Iterator, Mapping

import msgspec

from proa.core.config.analyze.message import Message
from proa.core.config.mixer.parameters import Adapter, MemQuota, RedisQuota
from proa.core.config.mixer.references import canonical
from proa.core.config.mixer.templates import Quota
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.tree import shorten
from proa.core.mixer.plan.compiling import Compiled
from proa.core.model.names import ObjectRef


class _Limit(msgspec.Struct, frozen=True):
    """`overrides` are the dimensions of each."""

    quota: str
    overrides: tuple[Mapping[str, str], ...]


def _limits_of(parameters: Adapter) -> tuple[_Limit, ...] | None:
    """None for adapters that limit nothing by name."""
    match parameters:
        case MemQuota() | RedisQuota():
            return tuple(
                _Limit(quota.name, tuple(override.dimensions for override in quota.overrides))
                for quota in parameters.quotas
            )
        case _:
            return None


def check_quotas(compiled: Compiled) -> Iterator[Message]:
    dimensions = {
        canonical(ref): shaped.fields.dimensions
        for ref, (_, shaped) in compiled.objects.instances.items()
        if isinstance(shaped.fields, Quota)
    }
    for ref, (_, configured) in compiled.objects.handlers.items():
        limits = _limits_of(configured.parameters)
        if limits is None:
            continue
        at = (*configured.path, "quotas")
        for index, limit in enumerate(limits):
            yield from _check_limit(ref, limit, dimensions, (*at, index))
        handler = compiled.plan.handlers.get(canonical(ref))
        named = {limit.quota for limit in limits}
        for instance in sorted(handler.instances if handler else ()):
            if instance not in named:
                text = f"a rule charges {instance} here, and nothing limits it"
                yield Message(ref, at, "mixer-quota-unlimited", text)


def _check_limit(
    ref: ObjectRef, limit: _Limit, instances: Mapping[str, Mapping[str, str]], at: Path
) -> Iterator[Message]:
    dimensions = instances.get(limit.quota)
    if dimensions is None:
        near = suggestion(limit.quota, instances) or "; write name.quota.namespace of one that is there"
        text = f'there is no quota "{shorten(limit.quota)}"{near}'
        yield Message(ref, (*at, "name"), "mixer-limit-unused", text)
        return
    for number, override in enumerate(limit.overrides):
        for name in sorted(set(override) - set(dimensions)):
            near = suggestion(name, dimensions) or f"; it has {', '.join(sorted(dimensions)) or 'none'}"
            text = f'{limit.quota} has no dimension "{shorten(name)}"{near}'
            path = (*at, "overrides", number, "dimensions", name)
            yield Message(ref, path, "mixer-dimension-missing", text)
