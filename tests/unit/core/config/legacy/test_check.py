"""What an old object is told, by itself; the words are golden cases."""

import pytest

from proa.core.config import load_all
from proa.core.config.kinds import KINDS
from proa.core.config.legacy.check import check_old
from proa.core.config.legacy.schema import IstioService, RouteRule
from proa.core.config.meta import Meta
from tests.unit.core.config.legacy.old import rule

META = Meta(name="a", namespace="default")


def test_what_is_fine_has_no_findings() -> None:
    assert list(check_old("RouteRule", RouteRule(destination=IstioService(name="c")), META, KINDS)) == []


@pytest.mark.parametrize(
    ("kind", "spec", "path", "code"),
    [
        ("RouteRule", "{destination: {}}", "spec.destination", "required"),
        ("RouteRule", "{destination: {name: c, labels: {v: a}}}", "spec.destination.labels", "conflict"),
        ("RouteRule", "{destination: {name: C_}}", "spec.destination", "bad-value"),
        ("RouteRule", "{destination: {name: c}, l4Fault: {}}", "spec.l4Fault", "no-equivalent"),
        (
            "RouteRule",
            "{destination: {name: c}, match: {request: {headers: {uri: {regex: '('}}}}}",
            "spec.match.request.headers.uri",
            "bad-regex",
        ),
        (
            "RouteRule",
            "{destination: {name: c}, httpFault: {abort: {percent: 5, httpStatus: 600}}}",
            "spec.httpFault.abort.httpStatus",
            "out-of-range",
        ),
        ("RouteRule", "{destination: {name: c}, match: {source: {}}}", "spec.match.source", "required"),
        ("RouteRule", "{destination: {name: '*'}, rewrite: {}}", "spec.destination", "conflict"),
        ("DestinationPolicy", "{destination: {name: c}, custom: {}}", "spec.custom", "no-equivalent"),
        ("EgressRule", "{destination: {service: a.b}, ports: []}", "spec.ports", "required"),
        (
            "EgressRule",
            "{destination: {service: a.b}, ports: [{port: 80, protocol: x}]}",
            "spec.ports[0].protocol",
            "bad-value",
        ),
        (
            "IngressRule",
            "{destination: {name: c}, match: {source: {name: a}}}",
            "spec.match.source",
            "conflict",
        ),
    ],
)
def test_faults_are_told_at_the_old_place(kind: str, spec: str, path: str, code: str) -> None:
    loaded = load_all(rule("bad", spec, kind=kind), "old.yaml")
    assert (path, code) in {(problem.path, problem.code) for problem in loaded.errors}
    assert loaded.configs == ()
