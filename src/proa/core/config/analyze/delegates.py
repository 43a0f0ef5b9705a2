"""Rules that are handed on: to objects that cannot take them, or that say more than they were handed."""

from collections.abc import Iterator

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import World
from proa.core.config.kinds.virtual_service.delegation import delegates_of, merged
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.model.names import ObjectRef


def check_delegates(world: World) -> Iterator[Message]:
    configs = {config.ref: config for config in world.configs}
    named: set[ObjectRef] = set()
    for config in world.configs:
        if not isinstance(config.spec, VirtualService):
            continue
        named |= delegates_of(config.ref, config.spec)
        for lost in merged(configs, config.ref, config.spec).lost:
            if lost.inner is None:
                text = f"{lost.delegate}, {lost.why}"
                path = ("spec", "http", lost.number, "delegate", "name")
                yield Message(config.ref, path, "delegate-missing", text)
            else:
                text = f"it {lost.why} of http[{lost.number}] of {config.ref}"
                yield Message(lost.delegate, ("spec", "http", lost.inner), "delegate-conflict", text)
    for config in world.configs:
        if isinstance(config.spec, VirtualService) and not config.spec.hosts and config.ref not in named:
            text = "no VirtualService hands on to it, and it has no hosts of its own"
            yield Message(config.ref, ("spec",), "delegate-unused", text)
