"""What a TrafficExtension says, as users write it. Read by its validator."""

from types import MappingProxyType
from typing import Literal

from proa.core.config.plugins import TrafficSelector, WasmSource
from proa.core.config.record import Int32, ReadOnlySpec, Record
from proa.core.config.selection import NO_WAYPOINTS, TargetRef, WorkloadSelector

ExecutionPhase = Literal["UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"]


class Lua(Record, frozen=True, kw_only=True):
    """A script with `envoy_on_request` or `envoy_on_response`."""

    inline_code: str = ""


class TrafficExtension(ReadOnlySpec, frozen=True, kw_only=True):
    """One of `wasm` and `lua`. Of one phase, higher `priority` comes first."""

    IDLE = MappingProxyType(dict.fromkeys(("targetRefs",), NO_WAYPOINTS))

    selector: WorkloadSelector | None = None
    target_refs: tuple[TargetRef, ...] = ()
    phase: ExecutionPhase = "UNSPECIFIED"
    priority: Int32 | None = None
    match: tuple[TrafficSelector, ...] = ()
    wasm: WasmSource | None = None
    lua: Lua | None = None
