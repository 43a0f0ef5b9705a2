"""`proa mixer report`: what rules would tell which handlers of a request that nobody sends, from both proxies' side.

Generators are really asked. Handlers are told when that is wanted, by the queues that all reports go through.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from immutables import Map

from proa.control_plane.mixer.mixer import Mixer, learn_of
from proa.control_plane.mixer.reports import Reports
from proa.control_plane.mixer.trying import asked_by, port_of
from proa.control_plane.world import World
from proa.core.auth.spiffe import workload_dns_name, workload_id
from proa.core.mixer.asked import Asked, Place
from proa.core.mixer.plan.dispatch import Prepared, reports
from proa.core.mixer.reported import Called, Ended, ReportBag, client_facts, server_facts
from proa.core.mixer.templates import Field, text_of
from proa.core.model.names import ObjectRef, cluster_name
from proa.servers.admin.mixer import ReportTried, ReportTry, Told

Side = Literal["client", "server"]


async def try_report(
    world: World, mixer: Mixer, wanted: ReportTry, clock: Callable[[], float], sink: Reports | None = None
) -> ReportTried:
    """With a `sink` the handlers are told. Raises CannotBeTried."""
    request = wanted.request
    port = port_of(world, request.server, request.port)
    place = world.place(request.server, port)
    assert place is not None
    asked = asked_by(world, request, port, clock)
    bags = dict(_bags(world, wanted, port, place, asked))
    told: list[Told] = []
    unmatched: dict[tuple[ObjectRef, str], None] = {}
    with mixer.handlers.held() as standing:
        for side, bag in bags.items():
            learned = (await learn_of(standing, bag)).learned
            found = reports(standing.plan, bag, learned)
            told += [_told(side, each) for each in found.calls]
            unmatched |= {(rule.ref, why): None for rule, why in found.unmatched}
    if sink is not None:
        await sink.take(bags.values())
    nobody = f"no rule tells anybody of this request at {request.server}:{port}"
    return ReportTried(
        server=request.server,
        port=port,
        told=tuple(told),
        unmatched=tuple(unmatched),
        sent=sink is not None and bool(told),
        remarks=() if told else (nobody,),
    )


def _bags(
    world: World, wanted: ReportTry, port: int, place: Place, asked: Asked
) -> Iterator[tuple[Side, ReportBag]]:
    """A caller without a sidecar tells nothing."""
    request = wanted.request
    party = world.party(request.caller) if request.caller is not None else None
    if party is not None and request.caller is not None:
        called = _called(world, wanted, port, place)
        own = str(workload_id(world.snapshot.settings.trust_domain, party.namespace, party.account))
        host = str(place.attributes.get("destination.service.host", ""))
        facts = client_facts(party, own, place, called, world.called(host))
        yield "client", ReportBag(asked, _ended(wanted, called), facts, None, place.apis)
    yield (
        "server",
        ReportBag(asked, _ended(wanted, Called()), server_facts(place, party), None, place.apis),
    )


def _called(world: World, wanted: ReportTry, port: int, place: Place) -> Called:
    server = world.snapshot.workloads[wanted.request.server]
    trust_domain = world.snapshot.settings.trust_domain
    return Called(
        cluster=cluster_name("outbound", port, "", str(place.attributes.get("destination.service.host", ""))),
        address=server.bind,
        port=port,
        identity=str(workload_id(trust_domain, server.id.namespace, server.account)),
        workload=workload_dns_name(server.id, trust_domain),
    )


def _ended(wanted: ReportTry, called: Called) -> Ended:
    return Ended(
        called=called,
        code=wanted.code,
        headers={name.lower(): value for name, value in wanted.headers},
        duration_ns=wanted.duration_ms * 1_000_000,
        request_size=wanted.request_size,
        request_total=wanted.request_size,
        response_size=wanted.response_size,
        response_total=wanted.response_size,
    )


def _told(side: Side, prepared: Prepared) -> Told:
    call = prepared.call
    fields = dict(_flat(prepared.instance.fields)) if prepared.instance is not None else {}
    return Told(
        side=side,
        rule=call.rule,
        handler=call.action.handler,
        instance=call.action.instance,
        fields=Map(fields),
        failure=prepared.failure.reason if prepared.failure is not None else "",
    )


def _flat(fields: Mapping[str, Field], prefix: str = "") -> Iterator[tuple[str, str]]:
    """By dotted names, in their order."""
    for name, value in sorted(fields.items()):
        if isinstance(value, Map):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", text_of(value)
