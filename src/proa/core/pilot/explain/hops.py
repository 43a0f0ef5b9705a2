"""The explanation: each proxy on the way is asked what it does, and told in steps; then the one it sends to.

Chance (weights) makes several ways of one request. Each is told once: proxies are asked with rolls all over, and what
the ways have in common is said once. Faults that hit a part of the requests are told on their route and left out here.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from envoy.config.route.v3.route_pb2 import RouteConfiguration

from proa.core.auth.authorization.request import Caller
from proa.core.model.names import ObjectRef, WorkloadId, parse_object_ref, parse_workload_id
from proa.core.pilot.explain.asking import ask
from proa.core.pilot.explain.clusters import cluster_steps, transport_words, whole_of
from proa.core.pilot.explain.endings import answered, arrived, broken, denied, failed_check, leaves, refused
from proa.core.pilot.explain.mesh import Known, Proxy
from proa.core.pilot.explain.mixer import MixerAsker
from proa.core.pilot.explain.policies import NOBODY, PolicyAsker, caller_of
from proa.core.pilot.explain.routes import causes_of, near_domains, nothing_matched, routing_steps
from proa.core.pilot.explain.story import Explanation, Hop, Question, Role, Step, Tone, Verdict
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate import (
    HTTP1,
    MESH_HTTP1,
    MESH_TCP,
    OWN_TLS,
    RAW,
    Answered,
    Candidate,
    Check,
    Connect,
    Connection,
    Forwarded,
    Gateway,
    Inbound,
    Mutual,
    Outcome,
    Refused,
    Request,
    ServerTls,
    Simulation,
    Via,
)
from proa.core.pilot.simulate.matching import without_port
from proa.core.pilot.simulate.resources import Decoder, objects_of

ROLLS: Final = 200
MOST_HOPS: Final = 5
"""Sidecar, egress gateway, ingress gateway, sidecar is as long as it gets; a circle must end."""
NO_CHANCE: Final = 1.0 - 1e-9
"""A roll that only a fault for all requests hits."""
UNKNOWN_HOSTS: Final = ("allow_any", "block_all", "egress_proxy")
"""Virtual hosts for names that a proxy does not know."""

NO_HOST: Final = "blackhole:"
"""How a gateway's virtual host begins that takes what no rule is for."""
STREAMS: Final = ("TCP", "TLS", "AUTO")

Way = tuple[Outcome, int]


def explain(known: Known, question: Question) -> Explanation:
    """Raises BadQuestion, and BadResource for what no proxy would take."""
    asked = ask(known, question)
    story = _Story(known)
    verdicts = story.tell(asked.first, asked.request, asked.via, 1.0, depth=0)
    return Explanation(
        request=asked.words,
        hops=tuple(story.hops()),
        verdicts=_merged(verdicts),
        remarks=tuple(dict.fromkeys(story.remarks)),
    )


def _merged(verdicts: list[Verdict]) -> tuple[Verdict, ...]:
    """Equal ends of several ways are one, with the shares of all."""
    shares: dict[Verdict, float] = {}
    for each in verdicts:
        bare = msgspec.structs.replace(each, share=0.0)
        shares[bare] = shares.get(bare, 0.0) + each.share
    return tuple(msgspec.structs.replace(each, share=round(share, 1)) for each, share in shares.items())


class _Story:
    """Collects hops: one per proxy, and in it each step once."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._steps: dict[tuple[WorkloadId, Role], dict[Step, None]] = {}
        self.remarks: list[str] = []

    def hops(self) -> list[Hop]:
        return [
            Hop(proxy=str(workload), role=role, steps=tuple(steps))
            for (workload, role), steps in self._steps.items()
        ]

    def tell(
        self,
        workload: WorkloadId,
        request: Request,
        via: Via,
        share: float,
        depth: int,
        caller: Caller = NOBODY,
    ) -> list[Verdict]:
        """What this proxy does, and all behind it. `share` of all requests come here."""
        proxy = self._known.proxy(workload)
        if proxy is None:
            return [broken(f"nothing is known of the proxy of {workload}", share)]
        if proxy.remark:
            self.remarks.append(proxy.remark)
        role: Role = (
            "server" if isinstance(via, Inbound) else "gateway" if isinstance(via, Gateway) else "client"
        )
        steps = self._steps.setdefault((workload, role), {})
        policies = PolicyAsker(self._known, workload, via, caller)
        mixer = MixerAsker(self._known.mixer, workload, via, caller)
        simulation = Simulation(
            proxy.lookup, lambda place, asked: policies.ask(place, asked) or mixer.ask(place, asked)
        )
        verdicts: list[Verdict] = []
        for outcome, number in _ways(simulation, request, via):
            part = share * number / ROLLS
            found = self._describe(workload, proxy, simulation, outcome, via)
            steps.update(dict.fromkeys(found))
            if isinstance(outcome.end, Answered):
                advice = self._advice(outcome, simulation.decoder)
                verdicts.append(answered(outcome, outcome.end, advice, part))
            else:
                verdicts += self._follow(workload, request, outcome, via, part, depth)
        return verdicts

    def _describe(
        self, workload: WorkloadId, proxy: Proxy, simulation: Simulation, outcome: Outcome, via: Via
    ) -> list[Step]:
        steps = []
        if isinstance(via, Connect):
            steps.append(Step(kind="tunnel", text=outcome.why[0]))
        steps.append(self._listener(workload, proxy, simulation, outcome, via))
        configuration = simulation.decoder.routes(outcome.routes) if outcome.routes else None
        if configuration is not None and outcome.route is not None:
            standing = proxy.behind.get((ResourceType.ROUTE, outcome.routes), "")
            steps += routing_steps(self._known, configuration, outcome.route, standing)
        elif configuration is not None and outcome.seen is not None and isinstance(outcome.end, Answered):
            unknown = self._why_unknown(workload, outcome.seen.authority)
            steps += nothing_matched(self._known, configuration, outcome.seen, unknown)
        steps += self._unknown_host(workload, outcome, configuration)
        steps += [self._check(proxy, check) for check in outcome.checks]
        if failed_check(outcome) is not None:
            return steps
        if isinstance(outcome.end, Forwarded) or (outcome.cluster and not isinstance(via, Inbound)):
            candidates = outcome.candidates
            if not isinstance(via, Inbound):
                steps += cluster_steps(self._known, proxy, simulation.decoder, outcome.cluster, candidates)
            elif candidates:
                steps.append(_app(candidates[0]))
        return steps

    def _check(self, proxy: Proxy, check: Check) -> Step:
        causes = dict.fromkeys(
            cause for name, rule in check.causes for cause in causes_of(self._known, (name,), rule)
        )
        return Step(
            kind="check",
            text=f"{check.filter}: {check.why}",
            details=check.details,
            causes=tuple(causes),
            tone=_TONES[check.passed],
            standing=proxy.behind.get((ResourceType.EXTENSION, check.filter), ""),
        )

    def _listener(
        self, workload: WorkloadId, proxy: Proxy, simulation: Simulation, outcome: Outcome, via: Via
    ) -> Step:
        listener = simulation.decoder.listener(outcome.listener)
        standing = proxy.behind.get((ResourceType.LISTENER, outcome.listener), "")
        if listener is None:
            return Step(kind="listener", text=outcome.why[-1], tone="bad", standing=standing)
        chain = f", filter chain {outcome.filter_chain}" if outcome.filter_chain else ""
        details: tuple[str, ...] = ()
        if isinstance(via, Inbound):
            mode = next(
                (
                    each.mode
                    for each in self._known.workloads[workload].inbound
                    if each.service_port == via.port
                ),
                "",
            )
            details = (f"{mode}: {_MODES[mode]}",) if mode else ()
        is_refused = isinstance(outcome.end, Refused) and not outcome.filter_chain
        return Step(
            kind="listener",
            text=outcome.why[-1] if is_refused else f"{outcome.listener}{chain}",
            details=details,
            causes=causes_of(self._known, objects_of(listener.metadata)),
            tone="bad" if is_refused else "plain",
            standing=standing,
        )

    def _unknown_host(
        self, workload: WorkloadId, outcome: Outcome, configuration: RouteConfiguration | None
    ) -> list[Step]:
        if outcome.route is None or outcome.seen is None or configuration is None:
            return []
        if outcome.route.virtual_host.startswith(NO_HOST):
            near = near_domains(configuration, outcome.seen.authority)
            text = f"no rule of this port is for {outcome.seen.authority}"
            return [Step(kind="outside", text=text, details=near, tone="bad")]
        if outcome.route.virtual_host not in UNKNOWN_HOSTS:
            return []
        found = self._why_unknown(workload, outcome.seen.authority)
        policy = {"allow_any": "ALLOW_ANY lets it out", "block_all": "REGISTRY_ONLY answers 502"}
        told = policy.get(outcome.route.virtual_host, "the Sidecar's egress proxy takes it")
        return [Step(kind="outside", text=told, details=tuple(found.values()), tone="warn")]

    def _why_unknown(self, workload: WorkloadId, authority: str) -> dict[str, str]:
        host = without_port(authority).lower()
        why = self._known.why_unknown(workload, host)
        return {host: why or f"nobody in the mesh is called {host}"}

    def _follow(
        self, workload: WorkloadId, request: Request, outcome: Outcome, via: Via, share: float, depth: int
    ) -> list[Verdict]:
        candidates = outcome.candidates
        failed = failed_check(outcome)
        if failed is not None:
            return [denied(failed, share)]
        if not candidates:
            return [refused(outcome, share)]
        if isinstance(via, Inbound):
            return [arrived(str(workload), candidates[0], share)]
        if depth >= MOST_HOPS:
            return [broken(f"after {MOST_HOPS} proxies it is still on its way: it goes in a circle", share)]
        if outcome.route is not None and outcome.route.guarded:
            return [leaves(outcome, candidates[0], share)]
        onward = _onward(request, outcome)
        verdicts: list[Verdict] = []
        for each in candidates:
            verdicts += self._enter(workload, each, onward, outcome, share * each.share, depth)
        return verdicts

    def _enter(
        self,
        sender: WorkloadId,
        candidate: Candidate,
        request: Request,
        outcome: Outcome,
        share: float,
        depth: int,
    ) -> list[Verdict]:
        known = self._known
        caller = caller_of(known, sender, candidate.transport)
        workload = parse_workload_id(candidate.workload) if candidate.workload else None
        workload = workload or known.at(candidate.address, candidate.port)
        its = known.workloads.get(workload) if workload else None
        if its is None or workload is None:
            return [arrived("", candidate, share)]
        is_http = outcome.route is not None
        for bound in its.gateway_ports:
            if bound.bound_port == candidate.port and not bound.address:
                via: Via = Gateway(port=bound.port, carries=_carried(candidate, is_http=is_http))
                return self.tell(workload, request, via, share, depth + 1, caller)
        port = next((each for each in its.inbound if each.sidecar_port == candidate.port), None)
        if port is None:
            return [arrived(str(workload), candidate, share)]
        inbound = Inbound(port=port.service_port, carries=_carried(candidate, is_http=is_http))
        verdicts = self.tell(workload, request, inbound, share, depth + 1, caller)
        if not is_http and port.protocol not in STREAMS:
            text = f"{workload} takes requests ({port.protocol}) at port {port.service_port}, and this is a stream"
            return [broken(text, share)]
        return [
            msgspec.structs.replace(
                each, text=f"{each.text}; the caller sends {transport_words(candidate.transport)}", status=503
            )
            if each.end == "refused"
            else each
            for each in verdicts
        ]

    def _advice(self, outcome: Outcome, decoder: Decoder) -> tuple[str, ...]:
        """What was noted of the objects responsible: a destination that is not there, say; and who would be behind a
        cluster without its subset."""
        if outcome.route is None or outcome.status != 503:
            return ()
        whole = whole_of(decoder, outcome.cluster)
        if whole:
            behind = (
                "1 endpoint, which does not wear" if whole == 1 else f"{whole} endpoints, of which none wears"
            )
            return (f"the service has {behind} the labels of this subset",)
        refs: list[ObjectRef] = [parse_object_ref(each) for each in outcome.route.objects]
        return tuple(dict.fromkeys(note for ref in refs for note in self._known.notes(ref)))


_TONES: Final[Mapping[bool | None, Tone]] = {True: "good", False: "bad", None: "warn"}
_MODES: Final = {
    "STRICT": "mesh TLS only",
    "PERMISSIVE": "mesh TLS or plain text",
    "DISABLE": "plain text only",
}


def _ways(simulation: Simulation, request: Request, via: Via) -> list[Way]:
    """The different outcomes, each with how many of the rolls lead to it."""
    found: dict[tuple[object, ...], Way] = {}
    for number in range(ROLLS):
        roll = (number + 0.5) / ROLLS
        outcome = simulation.run(msgspec.structs.replace(request, roll=roll, fault_roll=NO_CHANCE), via)
        key = (outcome.route.index if outcome.route else -1, outcome.cluster, outcome.status, outcome.flags)
        first, times = found.get(key, (outcome, 0))
        found[key] = (first, times + 1)
    return list(found.values())


def _onward(request: Request, outcome: Outcome) -> Request:
    route = outcome.route
    if route is None:
        return request
    return msgspec.structs.replace(request, path=route.path or request.path, authority=route.authority)


def _carried(candidate: Candidate, *, is_http: bool) -> Connection:
    match candidate.transport:
        case Mutual(alpn=alpn, sni=sni):
            plain = MESH_HTTP1 if is_http else MESH_TCP
            return msgspec.structs.replace(plain, protocols=alpn or plain.protocols, sni=sni)
        case ServerTls(sni=sni):
            return msgspec.structs.replace(OWN_TLS, sni=sni)
        case _:
            return HTTP1 if is_http else RAW


def _app(candidate: Candidate) -> Step:
    where = candidate.address if not candidate.port else f"{candidate.address}:{candidate.port}"
    return Step(kind="app", text=where)
