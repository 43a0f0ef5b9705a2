"""What is known while one resource is patched, and what is done to lists of named things.

The parts below call `Patching.of` for the patches of a class in their order, and `hit` for each that found something.
"""

from collections.abc import Callable, Iterator, MutableSequence
from typing import Final, TypeVar

import msgspec
from google.protobuf.message import Message

from proa.core.config.kinds.envoy_filter.messages import message_of
from proa.core.config.kinds.envoy_filter.schema import ApplyTo, Context, ObjectMatch
from proa.core.pilot.scope.patches import Patches, ProxyPatch
from proa.core.pilot.translate.patches.merge import merge

M = TypeVar("M", bound=Message)

_CANONICAL: Final = {
    "envoy.http_connection_manager": "envoy.filters.network.http_connection_manager",
    "envoy.tcp_proxy": "envoy.filters.network.tcp_proxy",
    "envoy.router": "envoy.filters.http.router",
    "envoy.cors": "envoy.filters.http.cors",
    "envoy.fault": "envoy.filters.http.fault",
    "envoy.lua": "envoy.filters.http.lua",
    "envoy.ext_authz": "envoy.filters.http.ext_authz",
    "envoy.listener.tls_inspector": "envoy.filters.listener.tls_inspector",
    "envoy.listener.http_inspector": "envoy.filters.listener.http_inspector",
}
"""Names of old, which Istio still takes."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Whose resource is patched. `services`: hosts behind an inbound cluster; `gateways`: `namespace/name` of the
    Gateways behind a gateway's routes."""

    is_gateway: bool = False
    services: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()


class Patching:
    """One resource's patching. `seen` has the places of the patches that found something."""

    def __init__(self, patches: Patches, target: Target) -> None:
        self.patches = patches
        self.target = target
        self.seen: set[int] = set()

    def context(self, *, inbound: bool) -> Context:
        if self.target.is_gateway:
            return "GATEWAY"
        return "SIDECAR_INBOUND" if inbound else "SIDECAR_OUTBOUND"

    def of(self, apply_to: ApplyTo, context: Context) -> Iterator["Applied"]:
        for place in self.patches.classes.get(apply_to, ()):
            patch = self.patches.all[place]
            if patch.match.context in ("ANY", context):
                yield Applied(self, place, patch)


class Applied:
    """A patch at work."""

    def __init__(self, patching: Patching, place: int, patch: ProxyPatch) -> None:
        self._patching = patching
        self._place = place
        self.operation = patch.operation
        self.match: ObjectMatch = patch.match
        self._patch = patch

    def hit(self) -> None:
        self._patching.seen.add(self._place)

    @property
    def merges(self) -> bool:
        return self.operation in ("MERGE", "MERGE_AND_REPLACE_LIST")

    @property
    def value(self) -> Message:
        """Shared: copy it."""
        return message_of(self._patch.apply_to, self._patch.value)

    def merge_into(self, target: Message, value: Message | None = None) -> None:
        replaces = self.operation == "MERGE_AND_REPLACE_LIST"
        merge(target, self.value if value is None else value, replace_lists=replaces)
        self.hit()


def edit(
    items: MutableSequence[M],
    applied: Applied,
    wanted: Callable[[M], bool],
    *,
    says_which: bool,
    end: int | None = None,
) -> None:
    """What a patch does to a list of filters or routes. `wanted`: those it matches; `says_which`: whether it names any
    at all; `end`: before which place ADD puts, behind all by default."""
    kept = list(items)
    places = [place for place, item in enumerate(kept) if wanted(item)]
    first = places[0] if places else None
    last = len(kept) if end is None else end
    match applied.operation:
        case "MERGE" | "MERGE_AND_REPLACE_LIST":
            for place in places:
                applied.merge_into(kept[place])
            return
        case "ADD":
            _put(items, kept, last, applied)
        case "INSERT_FIRST":
            _put(items, kept, 0, applied)
        case "INSERT_BEFORE" if not says_which:
            _put(items, kept, 0, applied)
        case "INSERT_AFTER" if not says_which:
            _put(items, kept, last, applied)
        case "INSERT_BEFORE" if first is not None:
            _put(items, kept, first, applied)
        case "INSERT_AFTER" if first is not None:
            _put(items, kept, first + 1, applied)
        case "REPLACE" if says_which and first is not None:
            del kept[first]
            _put(items, kept, first, applied)
        case "REMOVE" if says_which and places:
            applied.hit()
            del items[:]
            items.extend(item for place, item in enumerate(kept) if place not in places)
        case _:
            pass


def _put(items: MutableSequence[M], kept: list[M], place: int, applied: Applied) -> None:
    applied.hit()
    following = [*kept[:place], applied.value, *kept[place:]]
    del items[:]
    items.extend(following)  # type: ignore[arg-type]  # the value is of the list's type: the reader made it so


def is_named(wanted: str, name: str) -> bool:
    """Whether a filter is the one that is written; none written is any."""
    return wanted in ("", name) or _CANONICAL.get(wanted, wanted) == _CANONICAL.get(name, name)
