"""What `proa explain` is told of a mesh: the world's answer for each proxy, and how far each proxy is with it."""

from collections.abc import Callable

import msgspec

from proa.control_plane.conversion import Conversion
from proa.control_plane.proxies import ProxyStream
from proa.control_plane.world import World
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.model.workload import Workload
from proa.core.pilot.explain.hops import explain
from proa.core.pilot.explain.mesh import Known, Place, Proxy
from proa.core.pilot.explain.mixer import MixerKnown
from proa.core.pilot.explain.story import Explanation, Question
from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.scope.authorization import AuthorizationView, authorization_view
from proa.core.pilot.scope.hiding import why_unknown
from proa.core.pilot.scope.scope import scope_of

BEHIND = "on its way: until the proxy has it, it does what it was told before"


def explain_mesh(
    world: World,
    conversion: Conversion,
    question: Question,
    *,
    stream_of: Callable[[WorkloadId], ProxyStream | None],
    place: Callable[[ObjectRef, str], Place],
    unwatched: str = "",
) -> Explanation:
    """`stream_of`: None for a proxy of which nobody here knows what it has taken; `unwatched` is said behind its name
    then. Raises BadQuestion."""
    asked: set[WorkloadId] = set()

    def proxy(workload: WorkloadId) -> Proxy | None:
        if workload not in world.snapshot.workloads:
            return None
        stream = stream_of(workload)
        if stream is None:
            asked.add(workload)
        found = _proxy(world, workload, stream)
        if stream is None and unwatched:
            return msgspec.structs.replace(found, remark=f"{workload} {unwatched}")
        return found

    def why(workload: WorkloadId, host: str) -> str:
        return why_unknown(world.snapshot, scope_of(world.snapshot, world.index, workload), host)

    def notes(ref: ObjectRef) -> tuple[str, ...]:
        return tuple(note.message for note in world.notes() if note.about == ref)

    def policies(workload: Workload) -> AuthorizationView:
        return authorization_view(world.snapshot, world.index, workload)

    known = Known(
        workloads=world.snapshot.workloads,
        settings=world.snapshot.settings,
        proxy=proxy,
        policies=policies,
        place=place,
        why_unknown=why,
        sources=conversion.sources_of,
        notes=notes,
        mixer=MixerKnown(rules=world.mixer, place=world.place, party=world.party),
    )
    try:
        return explain(known, question)
    finally:
        for workload in asked:
            world.release(workload)


def _proxy(world: World, workload: WorkloadId, stream: ProxyStream | None) -> Proxy:
    source = stream.source if stream is not None else world.source_for(workload)

    def lookup(kind: ResourceType, name: str) -> Resource | None:
        return source.lookup(kind, name)

    if stream is None:
        return Proxy(lookup=lookup)
    behind = dict.fromkeys(stream.server.pending(), BEHIND)
    behind |= {
        name: f"refused by the proxy, which keeps what it had: {' '.join(error.split())}"
        for name, (_, error) in stream.server.rejected().items()
    }
    refused = len(stream.server.rejected())
    remark = ""
    if refused:
        remark = f"{workload} has refused {refused} of its resources: `proa proxy status` tells why"
    elif behind:
        remark = f"{workload} is behind: {len(behind)} resources are on their way"
    return Proxy(lookup=lookup, behind=behind, remark=remark)
