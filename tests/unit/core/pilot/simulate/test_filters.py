"""Filters that answer instead of the service, and whose settings hold."""

import pytest
from envoy.config.core.v3.config_source_pb2 import ExtensionConfigSource
from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Permission, Policy, Principal
from envoy.config.route.v3.route_components_pb2 import FilterConfig
from envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy.type.v3.percent_pb2 import FractionalPercent
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from proa.core.pilot.resource import Resource, ResourceType
from proa.core.pilot.simulate import Request
from proa.core.pilot.simulate.filters import Passage, PolicyPlace, Ruling, is_address, pass_filters
from proa.core.pilot.simulate.outcome import Answered
from proa.core.pilot.simulate.resources import Decoder
from proa.core.pilot.translate.authorization.filters import (
    AuthorizationIntent,
    authorization_place,
    build_authorization,
)
from proa.core.pilot.translate.authorization.predicates import Place
from proa.core.pilot.translate.encode import pack
from proa.core.pilot.translate.filters.egress_guard import EgressGuardIntent, build_egress_guard
from proa.core.pilot.translate.filters.names import CORS, EGRESS_GUARD, FAULT
from proa.core.pilot.translate.filters.revocation import RevocationIntent, build_revocation, request_filter
from proa.core.pilot.translate.routes.cors import build_cors
from proa.core.pilot.translate.routes.intents import Cors, TextMatch

NOTHING = Decoder(lambda kind, name: None)
MANAGER = HttpConnectionManager(
    http_filters=[
        HttpFilter(name=CORS, disabled=True),
        HttpFilter(name=FAULT, disabled=True, typed_config=pack(HTTPFault())),
    ]
)


def fault(status: int, percent: int = 100) -> HTTPFault:
    made = HTTPFault()
    made.abort.http_status = status
    made.abort.percentage.CopyFrom(FractionalPercent(numerator=percent))
    return made


def passage(*levels: dict[str, Message], request: Request | None = None) -> Passage:
    packed = [{name: pack(each) for name, each in level.items()} for level in levels]
    return pass_filters(NOTHING, MANAGER, packed, request or Request(authority="a"))


def test_the_nearest_settings_hold_and_what_is_off_does_nothing() -> None:
    assert passage() == Passage()
    near, far = passage({FAULT: fault(500)}, {FAULT: fault(404)}), passage({}, {FAULT: fault(404)})
    assert near.answer is not None
    assert far.answer is not None
    assert (near.answer.status, far.answer.status, near.answer.flag) == (500, 404, "FI")
    assert passage({FAULT: FilterConfig(disabled=True)}, {FAULT: fault(404)}).answer is None
    wrapped = passage({FAULT: FilterConfig(config=pack(fault(503)))}).answer
    assert wrapped is not None
    assert wrapped.status == 503


@pytest.mark.parametrize(
    ("roll", "fault_roll", "aborted"), [(0.4, None, True), (0.6, None, False), (0.6, 0.4, True)]
)
def test_chance_has_rolls(roll: float, fault_roll: float | None, aborted: bool) -> None:
    request = Request(authority="a", roll=roll, fault_roll=fault_roll)
    assert (passage({FAULT: fault(500, 50)}, request=request).answer is not None) == aborted


@pytest.mark.parametrize(
    ("origin", "forwards", "answered"),
    [("http://good", True, True), ("http://bad", True, False), ("http://bad", False, True)],
)
def test_preflights(origin: str, forwards: bool, answered: bool) -> None:
    policy: CorsPolicy = build_cors(
        Cors(origins=(TextMatch(kind="exact", value="http://good"),), forward_unmatched=forwards)
    )
    headers = (("origin", origin), ("access-control-request-method", "GET"))
    preflight = Request(authority="a", method="OPTIONS", headers=headers)
    assert (
        passage({CORS: policy}, {FAULT: fault(500)}, request=preflight).answer is not None
    ) or not answered
    found = passage({CORS: policy}, request=preflight)
    assert (found.answer is not None) == answered
    assert all(check.passed == (origin == "http://good") for check in found.checks)
    ordinary = Request(authority="a", method="GET", headers=headers)
    assert passage({CORS: policy}, request=ordinary).answer is None


def guarded(authority: str, rules: Resource) -> Passage:
    manager = HttpConnectionManager(
        http_filters=[HttpFilter(name=EGRESS_GUARD, disabled=True, config_discovery=ExtensionConfigSource())]
    )
    decoder = Decoder(lambda kind, name: rules if kind is ResourceType.EXTENSION else None)
    on = {EGRESS_GUARD: pack(FilterConfig(config=AnyMessage()))}
    return pass_filters(decoder, manager, [on], Request(authority=authority))


def test_the_egress_guard_judges_addresses_and_leaves_names_open() -> None:
    rules = build_egress_guard(EgressGuardIntent(nodes=("10.0.0.1",), ports=(20000, 29999)))
    for authority in ("127.0.0.1", "169.254.169.254:80", "[::1]:80", "10.0.0.1:20000"):
        answer = guarded(authority, rules).answer
        assert answer is not None, authority
        assert answer.status == 403
    for authority in ("10.0.0.1:80", "192.0.2.1", "[2001:db8::1]:443"):
        assert [check.passed for check in guarded(authority, rules).checks] == [True], authority
    assert [check.passed for check in guarded("example.org", rules).checks] == [None]


def test_rules_that_ask_for_more_are_not_judged() -> None:
    policy = Policy(permissions=[Permission(any=True)], principals=[Principal(not_id=Principal(any=True))])
    manager = HttpConnectionManager(
        http_filters=[HttpFilter(name="rbac", typed_config=pack(RBAC(rules=Rules(policies={"p": policy}))))]
    )
    (check,) = pass_filters(NOTHING, manager, [], Request(authority="127.0.0.1")).checks
    assert check.passed is None


def test_addresses() -> None:
    assert is_address("[::1]")
    assert not is_address("10.0.0.300")


def test_policies_are_asked_of_who_knows_them() -> None:
    place = Place(ports=(80,), trust_domain="cluster.local")
    resource = build_authorization(AuthorizationIntent(name="proa.authz.80", place=place))
    decoder = Decoder(lambda kind, name: resource)
    manager = HttpConnectionManager(http_filters=[authorization_place("proa.authz.80")])
    asked = list[PolicyPlace]()

    def ask(place: PolicyPlace, request: Request) -> Ruling | None:
        asked.append(place)
        return Ruling(answer=Answered(status=403))

    assert pass_filters(decoder, manager, [], Request(authority="a")) == Passage()
    assert pass_filters(decoder, manager, [], Request(authority="a"), ask).answer == Answered(status=403)
    assert asked == [PolicyPlace(filter="proa.authz.80")]


def test_a_matcher_without_branches_lets_everybody_pass() -> None:
    nobody, somebody = RevocationIntent(), RevocationIntent(serials=("0a",))
    for intent, checks in ((nobody, []), (somebody, [None])):
        resource = build_revocation(intent)
        manager = HttpConnectionManager(http_filters=[request_filter()])
        decoder = Decoder(lambda kind, name, it=resource: it)  # type: ignore[misc]
        found = pass_filters(decoder, manager, [], Request(authority="a"))
        assert [check.passed for check in found.checks] == checks
