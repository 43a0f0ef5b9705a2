"""Whole explanations: who is told of, in which order, who is responsible, and how it ends."""

import pytest

from proa.core.pilot.explain.asking import BadQuestion
from proa.core.pilot.explain.story import Explanation, Step
from tests.unit.core.pilot.explain.conftest import Explain

RULES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews, shop.example.com]
  gateways: [mesh, edge]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: reviews, subset: v2}}]
  - match: [{uri: {prefix: /some}}]
    route: [{destination: {host: reviews, subset: v1}, weight: 90},{destination: {host: reviews,subset: v9},weight: 10}]
  - match: [{uri: {prefix: /nowhere}}]
    route: [{destination: {host: nowhere.example.com}}]
  - match: [{uri: {prefix: /moved}}]
    redirect: {uri: /new}
  - match: [{uri: {prefix: /told}}]
    directResponse: {status: 418}
---
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: [shop.example.com]}]
"""
ONLY_KNOWN = """
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
"""
PLAIN = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a-plain}
spec: {host: reviews, trafficPolicy: {tls: {mode: DISABLE}}}
"""
HIDDEN = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: default}
spec:
  egress: [{hosts: [shop/*]}]
  outboundTrafficPolicy: {mode: REGISTRY_ONLY}
"""


def steps(explanation: Explanation, kind: str) -> list[Step]:
    return [step for hop in explanation.hops for step in hop.steps if step.kind == kind]


def ends(explanation: Explanation) -> list[tuple[float, int, str]]:
    return [(each.share, each.status, each.end) for each in explanation.verdicts]


def test_hop_by_hop_to_the_program(explain: Explain) -> None:
    told = explain("http://reviews:9080/some/page", RULES)
    assert [(hop.proxy, hop.role) for hop in told.hops] == [
        ("default/page", "client"),
        ("default/reviews-v1", "server"),
    ]
    assert [step.kind for step in told.hops[0].steps] == [
        *("listener", "virtual host", "route", "cluster", "endpoints", "cluster", "endpoints")
    ]
    (route,) = steps(told, "route")
    (cause,) = route.causes
    assert (cause.object, cause.rule, cause.file, cause.line) == (
        "VirtualService/default/reviews", "http[1]", "rules.yaml", 11,
    )  # fmt: skip
    cluster, empty = steps(told, "cluster")
    assert str(cluster.causes[0]) == "DestinationRule/default/reviews (services.yaml:27)"
    assert "speaks mesh TLS with them" in cluster.details
    assert "STRICT: mesh TLS only" in told.hops[1].steps[0].details
    assert ends(told) == [(90.0, 0, "arrives"), (10.0, 503, "answered")]
    assert told.verdicts[1].flags == ("UH",)
    assert told.verdicts[1].advice == (
        "the service has 2 endpoints, of which none wears the labels of this subset",
    )
    assert not told.arrives
    assert empty.text.endswith("v9|reviews.default.svc.cluster.local")


def test_a_program_without_a_sidecar_is_called_in_the_clear(explain: Explain) -> None:
    told = explain("http://reviews:9080/", RULES, headers=(("end-user", "jason"),))
    assert told.arrives
    assert len(told.hops) == 1
    assert told.verdicts[0].text == "reaches 10.0.0.2:9080, where no proxy is known"
    assert "speaks plain text with them" in steps(told, "cluster")[0].details


def test_nothing_matches_and_what_was_near(explain: Explain) -> None:
    told = explain("http://reviews:9080/other", RULES)
    (route,) = steps(told, "route")
    assert route.tone == "bad"
    assert route.details[0] == (
        "VirtualService/default/reviews http[0] (rules.yaml:9): header end-user is missing ('jason' is asked for)"
    )
    assert "path is not prefix '/some'" in route.details[1]
    assert ends(told) == [(100.0, 404, "answered")]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/nowhere", 503, "what the rule sends to is not there"),
        ("/moved", 301, "redirected to http://reviews:9080/new"),
        ("/told", 418, "as the rule says"),
    ],
)
def test_answers_of_the_proxy_itself(explain: Explain, path: str, status: int, said: str) -> None:
    told = explain(f"http://reviews:9080{path}", RULES)
    assert told.verdicts[0].status == status
    assert said in told.verdicts[0].text
    if status == 503:
        assert told.verdicts[0].advice[0] == "no service nowhere.example.com is known to this client"


def test_names_that_nobody_has(explain: Explain) -> None:
    out = explain("http://revews:9080/", RULES)
    assert [step.text for step in steps(out, "outside")] == ["ALLOW_ANY lets it out"]
    assert 'did you mean "reviews"?' in steps(out, "outside")[0].details[0]
    assert ends(out) == [(100.0, 0, "leaves")]
    kept = explain("http://revews:9080/", RULES + ONLY_KNOWN)
    assert ends(kept) == [(100.0, 502, "answered")]
    guarded = explain("http://127.0.0.1:9/", RULES)
    assert ends(guarded) == [(100.0, 403, "answered")]
    assert steps(guarded, "check")[0].tone == "bad"


def test_names_that_a_sidecar_hides(explain: Explain) -> None:
    told = explain("http://reviews:9080/", HIDDEN)
    (step,) = steps(told, "outside")
    assert "is not among the egress hosts of this workload's Sidecar" in step.details[0]


def test_a_port_that_is_not_served(explain: Explain) -> None:
    told = explain("http://reviews:1234/", RULES)
    assert ends(told) == [(100.0, 502, "answered")]
    assert "serves port 9080, 9081, not this one" in told.verdicts[0].text


def test_plain_text_to_a_port_that_takes_mesh_tls(explain: Explain) -> None:
    told = explain("http://reviews:9080/", PLAIN)
    refused = next(each for each in told.verdicts if each.status == 503)
    assert refused.text.endswith("the caller sends plain text")
    assert steps(told, "listener")[1].tone == "bad"
    assert refused.share == 50.0


def test_a_stream_to_a_port_of_requests_and_to_one_of_streams(explain: Explain) -> None:
    told = explain("", tcp="reviews:9080")
    assert any("takes requests (HTTP) at port 9080" in each.text for each in told.verdicts)
    fine = explain("", tcp="reviews:9081")
    assert fine.arrives
    assert steps(fine, "tunnel")[0].text.startswith("CONNECT reviews:9081")


def test_at_a_gateway(explain: Explain) -> None:
    told = explain("http://shop.example.com/some", RULES, via="edge")
    assert told.hops[0].role == "gateway"
    assert [str(each) for each in steps(told, "listener")[0].causes] == [
        "Gateway/default/edge (rules.yaml:20)"
    ]
    lost = explain("http://shp.example.com/some", RULES, via="edge")
    assert lost.verdicts[0].status == 404
    assert steps(lost, "outside")[0].details == ("near to it: shop.example.com",)
    assert steps(lost, "route")[0].causes[0].object == "Gateway/default/edge"


@pytest.mark.parametrize("url", ["reviews:9080", "ftp://reviews/", "http://reviews:x/", ""])
def test_what_cannot_be_asked(explain: Explain, url: str) -> None:
    with pytest.raises(BadQuestion):
        explain(url)
