"""What the HTTP filters of a chain do with a request that has found its route, in the order of the chain.

A filter that may answer instead of the service has a function here, in a table by the type of its configuration.
Which configuration holds is Envoy's rule: that of the weighted share, else of the route, the virtual host, the chain.
What each says is a `Check`, which is told whether the request passes or not.

Authorization policies stand in the resources as trees that nobody can tell back. Whoever knows the policies themselves
may be asked in their place (`AskPolicies`); without him they are passed over.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Final, TypeVar

import msgspec
from envoy.config.core.v3.base_pb2 import RuntimeFractionalPercent
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Action
from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.jwt_authn.v3.config_pb2 import JwtAuthentication
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy.extensions.filters.network.rbac.v3.rbac_pb2 import RBAC as StreamRbac
from envoy.type.v3.percent_pb2 import FractionalPercent
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from xds.type.matcher.v3.matcher_pb2 import Matcher

from proa.core.pilot.filter_chain_message import held_filters
from proa.core.pilot.simulate import tokens
from proa.core.pilot.simulate.matching import matches_text, without_port
from proa.core.pilot.simulate.outcome import Answered, Check, FaultTaken
from proa.core.pilot.simulate.permissions import Called, asks_for, is_let_pass
from proa.core.pilot.simulate.request import Request
from proa.core.pilot.simulate.resources import Decoder, unpack

PEER_INPUT: Final = "envoy.matching.inputs.uri_san"

M = TypeVar("M", bound=Message)

Settings = Mapping[str, AnyMessage]
"""Configurations by the filter's name."""

_DENOMINATORS: Final = {
    FractionalPercent.HUNDRED: 100,
    FractionalPercent.TEN_THOUSAND: 10_000,
    FractionalPercent.MILLION: 1_000_000,
}


class PolicyPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A filter that asks authorization policies, by its name; of a stream `ends_tls`: whether TLS ends in front of
    it, so that there may be a peer."""

    filter: str
    is_stream: bool = False
    ends_tls: bool = True


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """What one filter says; nothing: it lets the request pass and there is nothing to tell."""

    answer: Answered | None = None
    fault: FaultTaken | None = None
    check: Check | None = None


AskPolicies = Callable[[PolicyPlace, Request], Ruling | None]
"""None: no policies are asked there."""
STREAM_POLICIES: Final = frozenset(
    (StreamRbac.DESCRIPTOR.full_name, "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz")
)


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """What all filters did; `answer` is that of the first that answers, behind which none is asked."""

    answer: Answered | None = None
    fault: FaultTaken | None = None
    checks: tuple[Check, ...] = ()


def pass_filters(
    decoder: Decoder,
    manager: HttpConnectionManager,
    levels: Sequence[Settings],
    request: Request,
    ask: AskPolicies | None = None,
) -> Passage:
    """`levels` are the settings beside the chain's own, the nearest to the request first."""
    passage = Passage()
    for each in manager.http_filters:
        config = _in_force(decoder, each, levels)
        for ruling in _rulings(each.name, config, request, ask) if config is not None else ():
            passage = Passage(
                answer=ruling.answer,
                fault=ruling.fault or passage.fault,
                checks=(*passage.checks, ruling.check) if ruling.check else passage.checks,
            )
            if passage.answer is not None:
                return passage
    return passage


def _rulings(name: str, config: AnyMessage, request: Request, ask: AskPolicies | None) -> Iterator[Ruling]:
    """Of one filter, or of those that stand in a place, one after the other."""
    held = held_filters(config)
    if held is not None and ask is not None:
        asked = ask(PolicyPlace(filter=name), request)
        if asked is not None:
            yield asked
            return
    filters = ((name, config),) if held is None else tuple((each.name, each.typed_config) for each in held)
    for each, its in filters:
        judge = _JUDGES.get(its.type_url.rpartition("/")[2])
        if judge is not None:
            yield judge(each, its, request)


def claims_in(decoder: Decoder, manager: HttpConnectionManager, request: Request) -> str:
    """What the request's token says, if it is good as far as can be told: the JSON that routes match on, "" for none.
    No route says anything of these filters, so they may be asked before there is one."""
    for _, config in _configs(decoder, manager, ()):
        found = unpack(config, JwtAuthentication)
        claims = tokens.judge(found, request).claims if found is not None else None
        if claims is not None:
            return msgspec.json.encode(claims).decode()
    return ""


def _configs(
    decoder: Decoder, manager: HttpConnectionManager, levels: Sequence[Settings]
) -> Iterator[tuple[str, AnyMessage]]:
    """Name and configuration of each filter that is on; of a place for filters, of those that stand in it."""
    for each in manager.http_filters:
        config = _in_force(decoder, each, levels)
        if config is None:
            continue
        held = held_filters(config)
        if held is None:
            yield each.name, config
        else:
            yield from ((one.name, one.typed_config) for one in held)


def _in_force(decoder: Decoder, each: HttpFilter, levels: Sequence[Settings]) -> AnyMessage | None:
    """The configuration of a filter for this request; None where it is off."""
    own = each.typed_config
    if each.HasField("config_discovery"):
        found = decoder.extension(each.name)
        own = found.typed_config if found is not None else AnyMessage()
    disabled = each.disabled
    for settings in levels:
        nearer = settings.get(each.name)
        if nearer is None:
            continue
        switch = unpack(nearer, FilterConfig)
        if switch is None:
            return nearer
        disabled = switch.disabled
        if switch.config.type_url:
            return None if disabled else switch.config
        break
    return None if disabled else own


def _judge_cors(name: str, config: AnyMessage, request: Request) -> Ruling:
    """A preflight from an origin that is allowed is answered here; another one only where it is not forwarded."""
    policy = _read(config, CorsPolicy)
    origin = request.header("origin")
    is_preflight = request.method == "OPTIONS" and bool(request.header("access-control-request-method"))
    enabled = not policy.HasField("filter_enabled") or is_drawn(policy.filter_enabled, request.roll)
    if not enabled or not origin or not is_preflight:
        return Ruling()
    is_allowed = any(matches_text(each, origin) for each in policy.allow_origin_string_match)
    forwards = (
        not policy.HasField("forward_not_matching_preflights") or policy.forward_not_matching_preflights.value
    )
    if not is_allowed and forwards:
        return Ruling()
    why = f"the preflight of {origin} is answered here" + ("" if is_allowed else ", which is not allowed")
    return Ruling(answer=Answered(status=200), check=Check(filter=name, passed=is_allowed, why=why))


def _judge_fault(name: str, config: AnyMessage, request: Request) -> Ruling:
    fault = _read(config, HTTPFault)
    roll = request.roll if request.fault_roll is None else request.fault_roll
    delayed = fault.HasField("delay") and roll < share(fault.delay.percentage)
    aborted = fault.HasField("abort") and roll < share(fault.abort.percentage)
    delay = fault.delay.fixed_delay
    taken = FaultTaken(
        delay_ms=delay.seconds * 1000 + delay.nanos // 1_000_000 if delayed else 0,
        abort_status=fault.abort.http_status if aborted else 0,
        abort_grpc=fault.abort.grpc_status if aborted and fault.abort.HasField("grpc_status") else None,
    )
    if not taken.abort_status and taken.abort_grpc is None:
        return Ruling(fault=taken)
    # A gRPC status travels in a header of an answer that is well as far as HTTP goes.
    status, body = (taken.abort_status, "fault filter abort") if taken.abort_status else (200, "")
    return Ruling(fault=taken, answer=Answered(status=status, body=body, flag="FI"))


def _judge_rbac(name: str, config: AnyMessage, request: Request) -> Ruling:
    """Permissions by the path, and by the address that is called, are decided here. Of a name the address is not known
    beforehand: then the request passes, and the check says that it may not."""
    policy = _read(config, RBAC)
    if policy.HasField("matcher"):
        return _judge_matcher(name, policy.matcher)
    if not policy.HasField("rules"):
        return Ruling()  # it only looks
    rules = policy.rules
    if all(asks_for(("url_path",), each) for each in rules.policies.values()):
        return _judge_path(rules, name, request)
    if not all(asks_for(("matcher",), each) for each in rules.policies.values()):
        return Ruling(check=Check(filter=name, passed=None, why=f"what {name} decides is not foretold"))
    host = without_port(request.authority)
    port = int(request.authority[len(host) + 1 :] or 80)
    if not is_address(host):
        why = f"decided by the address of {host}, which is known when it is asked for"
        return Ruling(check=Check(filter=name, passed=None, why=why))
    if is_let_pass(rules, Called(address=host.strip("[]"), port=port)):
        return Ruling(check=Check(filter=name, passed=True, why=f"{request.authority} may be called"))
    return _refused(name, f"{request.authority} must not be called through the sidecar")


def _judge_path(rules: Rules, name: str, request: Request) -> Ruling:
    path = request.path.partition("?")[0]
    if is_let_pass(rules, Called(path=path)):
        return Ruling()
    return _refused(name, f"{path} is refused by {', '.join(rules.policies)}")


def _refused(name: str, why: str) -> Ruling:
    check = Check(filter=name, passed=False, why=why)
    return Ruling(answer=Answered(status=403, body="RBAC: access denied"), check=check)


def _judge_matcher(name: str, matcher: Matcher) -> Ruling:
    """One without branches says the same of everybody; nothing said is a refusal. Who calls by mutual TLS is of the
    mesh, whose trust domain is let on. Others are not foretold."""
    if matcher.matcher_tree.HasField("prefix_match_map") and matcher.matcher_tree.input.name == PEER_INPUT:
        return Ruling()
    if matcher.WhichOneof("matcher_type") is not None:
        return Ruling(check=Check(filter=name, passed=None, why=f"what {name} decides is not foretold"))
    action = unpack(matcher.on_no_match.action.typed_config, Action)
    if action is not None and action.action == Rules.ALLOW:
        return Ruling()
    return _refused(name, f"{name} refuses everybody")


def is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_drawn(fraction: RuntimeFractionalPercent, roll: float) -> bool:
    """Whether chance decides so for this roll."""
    return roll < share(fraction.default_value)


def share(percent: FractionalPercent) -> float:
    return percent.numerator / _DENOMINATORS[percent.denominator]


def _read(config: AnyMessage, kind: type[M]) -> M:
    found = unpack(config, kind)
    assert found is not None, f"asked for by its type: {kind.DESCRIPTOR.full_name}"
    return found


def _judge_tokens(name: str, config: AnyMessage, request: Request) -> Ruling:
    """None is no fault where a rule does not demand one."""
    verdict = tokens.judge(_read(config, JwtAuthentication), request)
    if verdict.fault:
        check = Check(filter=name, passed=False, why=f"the request's token: {verdict.fault}")
        return Ruling(answer=Answered(status=verdict.status, body=verdict.fault), check=check)
    if verdict.claims is None:
        return Ruling()
    whose = f"{verdict.claims.get('iss')}/{verdict.claims.get('sub', '')}"
    why = f"the token says {whose}; whether it is signed so and in its time shows when it comes"
    return Ruling(check=Check(filter=name, passed=None, why=why))


Judge = Callable[[str, AnyMessage, Request], Ruling]
_JUDGES: Final[Mapping[str, Judge]] = {
    CorsPolicy.DESCRIPTOR.full_name: _judge_cors,
    HTTPFault.DESCRIPTOR.full_name: _judge_fault,
    RBAC.DESCRIPTOR.full_name: _judge_rbac,
    JwtAuthentication.DESCRIPTOR.full_name: _judge_tokens,
}
