"""`proa mixer check`: a request that nobody sends, judged by the rules and handlers in force, with all that led to it.

The handlers are really asked. What a proxy would decide or keep by itself is asked all the same, so that the answer is
that of the rules.
"""

from collections.abc import Callable
from typing import Final

from proa.control_plane.mixer.mixer import Decided, Mixer
from proa.control_plane.world import World
from proa.core.auth.spiffe import workload_dns_name, workload_id
from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.mixer.answers import kept
from proa.core.mixer.asked import Asked, Place
from proa.core.mixer.context import ON_FAILURE
from proa.core.mixer.needs import rules_met
from proa.core.mixer.plan.verdict import OK, Answered, Failure
from proa.core.mixer.refusals import code_name, http_status
from proa.core.mixer.verdict.shapes import Unkept, part_in_words
from proa.core.model.names import WorkloadId, service_hostname
from proa.servers.admin.mixer import CallMade, CheckTried, CheckTry, PolicyVerdict
from proa.servers.mixer.checks import Question

POLICIES: Final[tuple[FailurePolicy, ...]] = ("closed", "open")
"""In the order in which proxies ask."""


STREAMS: Final = ("TCP", "TLS")
"""Ports at which no requests come in."""


class CannotBeTried(ValueError):
    """The message says why, and what to ask instead."""


async def try_check(world: World, mixer: Mixer, wanted: CheckTry, clock: Callable[[], float]) -> CheckTried:
    port = port_of(world, wanted.server, wanted.port)
    place = world.place(wanted.server, port)
    assert place is not None
    asked = asked_by(world, wanted, port, clock)
    verdicts: list[PolicyVerdict] = []
    for policy in POLICIES:
        if not _has_rules(world, place, policy):
            continue
        question = Question(
            server=wanted.server,
            port=port,
            context={ON_FAILURE: policy},
            asked=asked,
            caller=wanted.caller,
        )
        decided = await mixer.decide(question)
        verdicts.append(_verdict(policy, decided, asked))
        if decided.verdict.code != OK:
            break
    return CheckTried(
        server=wanted.server,
        port=port,
        outcome="allowed" if all(each.code == OK for each in verdicts) else "refused",
        verdicts=tuple(verdicts),
        remarks=() if verdicts else (f"no rule that checks can match at {wanted.server}:{port}",),
    )


def port_of(world: World, server: WorkloadId, port: int) -> int:
    """The one that is meant. Raises CannotBeTried."""
    known = world.snapshot.workloads.get(server)
    if known is None:
        raise CannotBeTried(f"{server} is no workload of the mesh; `proa proxy status` lists them")
    taken = sorted({each.service_port for each in known.inbound if each.protocol not in STREAMS})
    if port in taken:
        return port
    if not taken:
        raise CannotBeTried(f"{server} takes no requests: none of its ports is one for HTTP")
    ports = ", ".join(map(str, taken))
    if port:
        raise CannotBeTried(f"{server} takes no requests at port {port}; it does at: {ports}")
    if len(taken) == 1:
        return taken[0]
    raise CannotBeTried(
        f"say at which port of {server}, as --to {server}:PORT; it takes requests at: {ports}"
    )


def asked_by(world: World, wanted: CheckTry, port: int, clock: Callable[[], float]) -> Asked:
    """As the server's proxy would tell of it. Raises CannotBeTried for a caller that is not there."""
    headers = {
        ":method": wanted.method,
        ":scheme": wanted.scheme,
        ":authority": wanted.authority,
        ":path": wanted.path,
        **{name.lower(): value for name, value in wanted.headers},
    }
    nanoseconds = int(clock() * 1e9)
    if wanted.caller is None:
        return Asked(headers=headers, claims=wanted.claims, nanoseconds=nanoseconds)
    caller = world.snapshot.workloads.get(wanted.caller)
    if caller is None:
        raise CannotBeTried(f"{wanted.caller} is no workload of the mesh; `proa proxy status` lists them")
    trust_domain = world.snapshot.settings.trust_domain
    served = next(
        each for each in world.snapshot.workloads[wanted.server].inbound if each.service_port == port
    )
    host = service_hostname(served.service, wanted.server.namespace)
    return Asked(
        headers=headers,
        identity=str(workload_id(trust_domain, wanted.caller.namespace, caller.account)),
        workload=workload_dns_name(wanted.caller, trust_domain),
        address=caller.bind,
        server_name=f"outbound_.{port}_._.{host}",
        claims=wanted.claims,
        nanoseconds=nanoseconds,
    )


def _has_rules(world: World, place: Place, policy: FailurePolicy) -> bool:
    met = rules_met(world.mixer.plan, place, "check")
    return any(each.rule.policy_for("check") == policy for each in met)


def _verdict(policy: FailurePolicy, decided: Decided, asked: Asked) -> PolicyVerdict:
    verdict = decided.verdict
    told = kept(verdict, asked)
    unkept = ""
    if isinstance(told, Unkept):
        unkept = f"{told.attribute}: {told.reason}" if told.attribute else told.reason
    parts = () if isinstance(told, Unkept) else told.shape.parts
    return PolicyVerdict(
        policy=policy,
        code=verdict.code,
        status=code_name(verdict.code),
        http_status=http_status(verdict.code),
        message=verdict.message,
        rule=verdict.rule,
        valid_ms=verdict.valid_ms,
        valid_uses=verdict.valid_uses,
        references=tuple(map(str, verdict.references)),
        kept_by=tuple(map(part_in_words, parts)),
        unkept=unkept,
        calls=tuple(_call(each) for each in decided.answered),
        unmatched=tuple((rule.ref, why) for rule, why in decided.unmatched),
    )


def _call(answered: Answered) -> CallMade:
    answer, action = answered.answer, answered.call.action
    failed = isinstance(answer, Failure)
    return CallMade(
        rule=answered.call.rule,
        handler=action.handler,
        instance=action.instance,
        code=answer.code,
        status=code_name(answer.code),
        message=answer.reason if isinstance(answer, Failure) else answer.message,
        valid_ms=0 if isinstance(answer, Failure) else answer.valid_ms,
        valid_uses=0 if isinstance(answer, Failure) else answer.valid_uses,
        failed=failed,
    )
