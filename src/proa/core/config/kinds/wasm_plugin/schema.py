"""What a WasmPlugin says, as users write it. Read by its validator."""

from types import MappingProxyType
from typing import Literal

from proa.core.config.plugins import TrafficSelector, WasmSource
from proa.core.config.record import Int32, ReadOnlySpec
from proa.core.config.selection import NO_WAYPOINTS, TargetRef, WorkloadSelector

PluginPhase = Literal["UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"]


class WasmPlugin(WasmSource, ReadOnlySpec, frozen=True, kw_only=True):
    """Of one phase, higher `priority` comes first."""

    IDLE = MappingProxyType({**WasmSource.IDLE, **dict.fromkeys(("targetRef", "targetRefs"), NO_WAYPOINTS)})

    selector: WorkloadSelector | None = None
    target_ref: TargetRef | None = None
    target_refs: tuple[TargetRef, ...] = ()
    phase: PluginPhase = "UNSPECIFIED_PHASE"
    priority: Int32 | None = None
    match: tuple[TrafficSelector, ...] = ()
