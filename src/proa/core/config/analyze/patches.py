"""EnvoyFilters whose patches cannot be applied, or depend on what others do."""

from collections.abc import Iterator
from typing import Final

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import World
from proa.core.config.kinds.envoy_filter.schema import ConfigPatch, EnvoyFilter
from proa.core.config.path import Path

_RELATIVE: Final = frozenset(["INSERT_BEFORE", "INSERT_AFTER", "REPLACE", "MERGE", "REMOVE"])
_FILTERS: Final = frozenset(["HTTP_FILTER", "NETWORK_FILTER"])
_ROUTES: Final = frozenset(["ROUTE_CONFIGURATION", "HTTP_ROUTE"])


def check_patches(world: World) -> Iterator[Message]:
    for config in world.configs:
        if isinstance(config.spec, EnvoyFilter):
            for index, patch in enumerate(config.spec.config_patches):
                at: Path = ("spec", "configPatches", index)
                for code, path, text in _faults(config.spec, patch, at):
                    yield Message(config.ref, path, code, text)


def _faults(spec: EnvoyFilter, patch: ConfigPatch, at: Path) -> Iterator[tuple[str, Path, str]]:
    operation = patch.patch.operation if patch.patch else "INVALID"
    place = (*at, "patch", "operation")
    if operation == "REPLACE" and patch.apply_to not in _FILTERS:
        yield "patch-cannot-replace", place, f"REPLACE does nothing to {patch.apply_to}"
    if operation == "ADD" and patch.apply_to in _ROUTES:
        yield "patch-cannot-add", place, f"ADD does nothing to {patch.apply_to}"
    if operation == "REMOVE" and patch.apply_to in _ROUTES:
        yield "patch-cannot-remove", place, f"REMOVE does nothing to {patch.apply_to}"
    if operation in _RELATIVE and spec.priority == 0:
        yield "patch-relative", place, f"{operation} depends on what other EnvoyFilters have done"
        if patch.match is not None and patch.match.proxy is not None and patch.match.proxy.proxy_version:
            yield "patch-relative-to-version", place, f"{operation} is for one version of proxies"
