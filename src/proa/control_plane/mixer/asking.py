"""What Mixer's rules want of one proxy: at each of its places, and of the calls that it makes. Asked by its bundle."""

import msgspec
from immutables import Map

from proa.core.mixer.needs import Calls, Checked, Needs, needs_of, stream_checks_of
from proa.core.mixer.plan.in_force import InForce
from proa.core.mixer.pushdown.callers import Callers
from proa.core.mixer.pushdown.deciding import decide_checks
from proa.core.mixer.pushdown.values import Denial
from proa.core.mixer.reporting.wanted import reporting_at
from proa.core.model.settings import Reporting
from proa.core.model.snapshot import MeshSnapshot
from proa.core.model.workload import Workload
from proa.core.pilot.scope.inbound import InboundView
from proa.core.pilot.scope.mixer import place_of
from proa.core.pilot.translate.inbound import MixerPlace, mixer_places


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What Mixer's rules want at each service port that they want anything at, what they are told there and of the
    calls that are made, and where a proxy asks and tells it. `denials` are its own to say, where mesh TLS ends and
    where it does not; `streams` are the checks of raw connections."""

    needs: Map[int, Needs] = Map()
    denials: Map[MixerPlace, tuple[Denial, ...]] = Map()
    streams: Map[int, tuple[Checked, ...]] = Map()
    told: Map[int, Reporting] = Map()
    calls: Reporting | None = None
    servers: tuple[str, ...] = ()


def asking_of(
    snapshot: MeshSnapshot,
    view: InboundView | None,
    workload: Workload,
    rules: InForce,
    callers: Callers,
    calls: Reporting | None,
) -> Asking:
    """`view` None: it takes nothing that is asked about, like a gateway. `calls`: what its scope tells."""
    if rules.is_idle or workload.kind == "proxyless":
        return Asking()
    needs: dict[int, Needs] = {}
    denials: dict[MixerPlace, tuple[Denial, ...]] = {}
    streams: dict[int, tuple[Checked, ...]] = {}
    told: dict[int, Reporting] = {}
    for served in view.ports if view is not None else ():
        place = place_of(workload, served.port, snapshot.settings.trust_domain, rules.apis)
        asked: Calls = frozenset()
        for port, has_peer in mixer_places(served.port):
            decided = decide_checks(rules.plan, place, callers, has_peer=has_peer)
            denials[port, has_peer] = decided.denials
            asked |= decided.asked
        requests = served.port.protocol not in ("TCP", "TLS")
        if requests and (found := needs_of(rules, place, asked=asked)):
            needs[served.port.service_port] = found
        # A port of requests has a chain for the program's own TLS, which is a stream.
        if checks := stream_checks_of(rules, place):
            streams[served.port.service_port] = checks
        if reporting := reporting_at(rules, place, requests=requests):
            told[served.port.service_port] = reporting
    return Asking(
        needs=Map(needs),
        denials=Map({known: found for known, found in denials.items() if found}),
        streams=Map(streams),
        told=Map(told),
        calls=calls,
        servers=snapshot.control_planes if needs or streams or told or calls else (),
    )
