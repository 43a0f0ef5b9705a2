"""What Mixer's rules say of a request at one proxy: what follows from them alone, and who is asked for the rest.

Refusals that a proxy says itself and refusals that Mixer says are the same ones, so neither the proxy's filters nor its
kept verdicts are looked at: the rules are.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from immutables import Map

from proa.core.auth.authorization.request import Caller
from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.mixer.asked import Asked, Party, Place, RequestBag
from proa.core.mixer.foretelling import Foretold, foretell
from proa.core.mixer.plan.in_force import NOTHING, InForce
from proa.core.mixer.plan.values import Call
from proa.core.mixer.plan.verdict import OK
from proa.core.mixer.refusals import http_status, refusal_text
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.pilot.simulate import Answered, Check, Inbound, Request, Via
from proa.core.pilot.simulate.filters import PolicyPlace, Ruling
from proa.core.pilot.translate.filters.mixer.place import PLACES, WITHOUT_PEER

_SCHEME: Final = "spiffe://"


class MixerKnown(msgspec.Struct, frozen=True, kw_only=True):
    """The rules in force; `place` of a workload's service port and `party` of a workload, None for those that nobody
    knows."""

    rules: InForce = NOTHING
    place: Callable[[WorkloadId, int], Place | None] = lambda workload, port: None
    party: Callable[[WorkloadId], Party | None] = lambda workload: None


class MixerAsker:
    """The rules for what comes to one proxy in one way."""

    def __init__(self, known: MixerKnown, workload: WorkloadId, via: Via, caller: Caller) -> None:
        self._known = known
        self._workload = workload
        self._via = via
        self._caller = caller

    def ask(self, place: PolicyPlace, request: Request) -> Ruling | None:
        if not place.filter.startswith(PLACES) or not isinstance(self._via, Inbound):
            return None
        at = self._known.place(self._workload, self._via.port)
        if at is None or self._known.rules.is_idle:
            return Ruling()
        has_peer = place.ends_tls and not place.filter.endswith(WITHOUT_PEER)
        asked = _asked(request, self._caller, is_stream=place.is_stream, has_peer=has_peer)
        party = self._known.party(_workload(self._caller)) if has_peer and self._caller.workload else None
        bag = RequestBag(asked, at, party)
        return _ruling(place.filter, foretell(self._known.rules, bag, _policy(place)), place.is_stream)


def _policy(place: PolicyPlace) -> FailurePolicy | None:
    """Of raw connections there is a filter for each."""
    if not place.is_stream:
        return None
    return "open" if place.filter.endswith("open") else "closed"


def _workload(caller: Caller) -> WorkloadId:
    name, _, namespace = caller.workload.rpartition(".")
    return WorkloadId(namespace, name)


def _asked(request: Request, caller: Caller, *, is_stream: bool, has_peer: bool) -> Asked:
    headers: dict[str, str] = {}
    if not is_stream:
        pseudo = {":method": request.method, ":path": request.path, ":authority": request.authority}
        headers = {name.lower(): value for name, value in request.headers} | pseudo | {":scheme": "http"}
    is_known = has_peer and bool(caller.principal)
    return Asked(
        headers=headers,
        identity=_SCHEME + caller.principal if is_known else "",
        workload=caller.workload if is_known else "",
        address=caller.address,
        server_name=caller.sni,
        claims=Map(msgspec.json.decode(request.claims, type=dict)) if request.claims else Map(),
        is_stream=is_stream,
    )


def _ruling(name: str, told: Foretold, is_stream: bool) -> Ruling:
    verdict = told.verdict
    if told.learning:
        why = f"{_handlers(told.learning)} tells of the request first, which is not foretold"
        return Ruling(check=Check(filter=name, passed=None, why=why, causes=_causes(told.learning)))
    if verdict.code != OK:
        text = refusal_text(verdict.code, verdict.message)
        causes = ((str(verdict.rule), ""),) if verdict.rule else ()
        check = Check(filter=name, passed=False, why=f"refused: {text}", causes=causes)
        return Ruling(
            answer=None if is_stream else Answered(status=http_status(verdict.code), body=text), check=check
        )
    asked = (*told.opened, *(call for call, _ in told.charged))
    if asked:
        details = tuple(
            f"charges {amount} of {call.action.instance} to {call.action.handler}"
            for call, amount in told.charged
        )
        why = f"{_handlers(asked)} is asked: `proa mixer check` and `proa mixer quota` ask it, too"
        return Ruling(check=Check(filter=name, passed=None, why=why, causes=_causes(asked), details=details))
    if not told.rules:
        return Ruling()
    why = "no rule has anything against it"
    return Ruling(check=Check(filter=name, passed=True, why=why, causes=_named(told.rules)))


def _handlers(calls: Iterable[Call]) -> str:
    return ", ".join(dict.fromkeys(each.action.handler for each in calls))


def _causes(calls: Iterable[Call]) -> tuple[tuple[str, str], ...]:
    return _named(each.rule for each in calls)


def _named(rules: Iterable[ObjectRef]) -> tuple[tuple[str, str], ...]:
    return tuple((str(each), "") for each in dict.fromkeys(rules))
