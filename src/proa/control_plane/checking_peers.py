"""What `proa authn check` is told of a live mesh: the world, where modes stand, and how far proxies are."""

from collections.abc import Callable

from proa.control_plane.conversion import Conversion
from proa.control_plane.proxies import ProxyStream
from proa.control_plane.registrations import Registrations
from proa.control_plane.world import World
from proa.core.config.path import Path
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.pilot.explain.mesh import Place
from proa.core.pilot.explain.peers import Around, PeerQuestion, PeerReport, check_peers
from proa.core.pilot.explain.story import Cause


def check_mesh(
    world: World,
    conversion: Conversion,
    registrations: Registrations,
    question: PeerQuestion,
    *,
    stream_of: Callable[[WorkloadId], ProxyStream | None],
    place: Callable[[ObjectRef, str], Place],
) -> PeerReport:
    """Raises BadQuestion."""

    def cause(ref: ObjectRef, path: Path) -> tuple[Cause, ...]:
        return tuple(_cause(each, place(each, "")) for each in (ref, *conversion.sources_of(ref)))

    def behind(workload: WorkloadId) -> str:
        stream = stream_of(workload)
        known = world.snapshot.workloads.get(workload)
        if stream is None:
            return (
                f"the proxy of {workload} is not connected here: what it has taken is not known"
                if known
                else ""
            )
        if stream.server.rejected():
            return f"{workload} has refused some of its configuration: `proa proxy status` tells why"
        if stream.server.pending():
            return f"{workload} has not taken all of its configuration yet"
        return ""

    return check_peers(
        Around(
            snapshot=world.snapshot,
            index=world.index,
            policies=registrations.modes.policies,
            cause=cause,
            port_tls=registrations.modes.of,
            behind=behind,
        ),
        question,
    )


def _cause(ref: ObjectRef, place: Place) -> Cause:
    return Cause(object=str(ref), file=place.file, line=place.line, version=place.version)
