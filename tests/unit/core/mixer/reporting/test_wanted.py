"""What a proxy is to tell: nothing where no rule can match, and no header that nobody reads."""

import pytest
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.mixer.asked import Place
from proa.core.mixer.plan.in_force import NOTHING, InForce, compile_in_force
from proa.core.mixer.reporting.wanted import client_reporting, reporting_at
from proa.core.model.settings import Reporting
from proa.testing.mixer import all_run, mixer_config, rule

ROOT = "istio-system"
SERVER: dict[str, Value] = {
    "destination.namespace": "shop",
    "destination.service.host": "cart.shop.svc.cluster.local",
    "context.reporter.kind": "inbound",
}
PLACE = Place(attributes=Map(SERVER))


def in_force(match: str, severity: str = '"info"', namespace: str = "shop") -> InForce:
    configs: list[Config] = [
        mixer_config("stdio", "out", {}, namespace),
        mixer_config("logentry", "line", {"severity": severity}, namespace),
        rule("r", "out.stdio", "line.logentry", match=match, namespace=namespace),
    ]
    return compile_in_force(configs, all_run(), None, ROOT)[0]


@pytest.mark.parametrize(
    ("match", "server", "client"),
    [
        ("", "both", "both"),
        ('context.reporter.kind == "inbound"', "both", ""),
        ('context.reporter.kind == "outbound"', "", "both"),
        ('context.protocol == "http"', "requests", "requests"),
        ('context.protocol == "tcp"', "streams", "streams"),
        ('destination.service.host == "cart.shop.svc.cluster.local"', "both", "both"),
        ('destination.service.host == "other.shop.svc.cluster.local"', "", "both"),
        (
            'destination.service.host == "other.shop.svc.cluster.local" && context.protocol == "tcp"',
            "",
            "streams",
        ),
        ('source.namespace == "other"', "both", ""),
        ('context.reporter.uid == "kubernetes://web.shop"', "", "both"),
        ("false", "", ""),
    ],
)
def test_it_is_told_where_a_rule_can_match(match: str, server: str, client: str) -> None:
    rules = in_force(match)
    assert _words(reporting_at(rules, PLACE)) == server
    assert _words(client_reporting(rules, "shop")) == client
    assert client_reporting(rules, "another") is None, "rules of a namespace are for its own workloads"


def _words(found: Reporting | None) -> str:
    if found is None:
        return ""
    return {(True, True): "both", (True, False): "requests", (False, True): "streams"}[
        found.requests, found.streams
    ]


def test_rules_of_the_root_are_for_all() -> None:
    assert _words(client_reporting(in_force("", namespace=ROOT), "another")) == "both"


def test_what_cannot_come_is_not_told() -> None:
    rules = in_force("")
    assert _words(reporting_at(rules, PLACE, requests=False)) == "streams"
    assert reporting_at(NOTHING, PLACE) is None
    assert reporting_at(in_force('context.protocol == "http"'), PLACE, requests=False) is None


def test_headers_that_expressions_read_are_told() -> None:
    rules = in_force(
        'request.headers["X-Kind"] != "a" || request.headers[":path"] == "/"',
        'request.headers["user-agent"] + request.headers["cookie"] + response.headers["x-b"]'
        ' + (request.headers["not a name"] | "")',
    )
    found = reporting_at(rules, PLACE)
    assert found == Reporting(
        requests=True, streams=True, request_headers=("cookie", "x-kind"), response_headers=("x-b",)
    )


def test_spans_are_wanted_where_a_rule_that_makes_them_can_match() -> None:
    configs: list[Config] = [
        mixer_config("noop", "out", {}, "shop"),
        mixer_config("tracespan", "span", {"traceId": 'request.headers["x-b3-traceid"]'}, "shop"),
        rule("r", "out.noop", "span.tracespan", match='context.protocol == "http"', namespace="shop"),
    ]
    rules = compile_in_force(configs, all_run(), None, ROOT)[0]
    told = Reporting(requests=True, request_headers=("b3", "traceparent", "x-b3-traceid"), spans=True)
    assert reporting_at(rules, PLACE) == told
    assert client_reporting(rules, "shop") == told
    assert client_reporting(rules, "elsewhere") is None
