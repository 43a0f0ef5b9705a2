"""What an explanation must know of a mesh, whoever has it: a control plane, or a reader of files."""

from collections.abc import Callable, Mapping

import msgspec

from proa.core.model.names import ObjectRef, WorkloadId, parse_object_ref
from proa.core.model.settings import MeshSettings
from proa.core.model.workload import Workload
from proa.core.pilot.explain.mixer import MixerKnown
from proa.core.pilot.explain.story import Cause
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.scope.authorization import AuthorizationView
from proa.core.pilot.simulate import Lookup

Name = tuple[ResourceType, str]


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy: what it is offered, and what of that it has not taken (`behind`: name to the reason in words).
    `remark`: what is to be said of it as a whole."""

    lookup: Lookup
    behind: Mapping[Name, str] = {}
    remark: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where an object, or a rule of it, was written."""

    file: str = ""
    line: int = 0
    version: int = 0


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """`proxy` is None for a workload that has none; `policies` are those in force for one. `why_unknown` says why a
    proxy does not know a host, empty if nobody does; `notes` are what the control plane noted of an object."""

    workloads: Mapping[WorkloadId, Workload]
    settings: MeshSettings
    proxy: Callable[[WorkloadId], Proxy | None]
    policies: Callable[[Workload], AuthorizationView]
    place: Callable[[ObjectRef, str], Place]
    why_unknown: Callable[[WorkloadId, str], str]
    sources: Callable[[ObjectRef], tuple[ObjectRef, ...]]
    notes: Callable[[ObjectRef], tuple[str, ...]]
    mixer: MixerKnown = MixerKnown()

    def cause(self, name: str, rule: str = "") -> tuple[Cause, ...]:
        """Who is responsible. What a converted object is made of is named behind it."""
        ref = parse_object_ref(name)
        made_of = self.sources(ref)
        refs = ((ref, "" if made_of else rule), *((each, "") for each in made_of))
        found = []
        for each, its_rule in refs:
            place = self.place(each, its_rule)
            shown = rule if each == ref else ""
            found.append(
                Cause(object=str(each), rule=shown, file=place.file, line=place.line, version=place.version)
            )
        return tuple(found)

    def at(self, address: str, port: int) -> WorkloadId | None:
        """Whose proxy listens there."""
        for workload in self.workloads.values():
            ports = {each.sidecar_port for each in workload.inbound}
            ports |= {each.bound_port for each in workload.gateway_ports if not each.address}
            if port in ports and workload.bind == address:
                return workload.id
        return None
