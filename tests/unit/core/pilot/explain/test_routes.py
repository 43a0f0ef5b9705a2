"""What is in force on a route, in words."""

from google.protobuf.duration_pb2 import Duration

from proa.core.pilot.explain.routes import percent, span
from tests.unit.core.pilot.explain.conftest import Explain
from tests.unit.core.pilot.explain.test_hops import steps

EVERYTHING = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
  - name: all-of-it
    match: [{uri: {prefix: /api}}]
    rewrite: {uri: /v1, authority: other}
    timeout: 1500ms
    retries: {attempts: 3, perTryTimeout: 250ms, retryOn: "5xx,429"}
    mirrors: [{destination: {host: reviews, subset: v2}, percentage: {value: 2.5}}]
    route: [{destination: {host: reviews}}]
  - name: faulty
    match: [{uri: {prefix: /faulty}}]
    fault: {delay: {fixedDelay: 2s, percentage: {value: 10}}, abort: {httpStatus: 503, percentage: {value: 100}}}
    route: [{destination: {host: reviews}}]
"""


def test_all_that_a_route_does(explain: Explain) -> None:
    (route,) = steps(explain("http://reviews:9080/api/x", EVERYTHING), "route")
    assert route.text == "all-of-it"
    assert route.details == (
        "rewrites the path to /v1/x",
        "rewrites the host to other",
        "copies 2.5 % to outbound|9080|v2|reviews.default.svc.cluster.local",
        "timeout 1.5 s",
        "3 retries, 250 ms each on 5xx, 429",
    )


def test_faults_and_that_one_for_all_ends_it(explain: Explain) -> None:
    told = explain("http://reviews:9080/faulty", EVERYTHING)
    assert steps(told, "route")[0].details == ("fault: delays 10 % by 2 s", "fault: answers 100 % with 503")
    assert [(each.status, each.flags) for each in told.verdicts] == [(503, ("FI",))]


def test_figures() -> None:
    assert [percent(each) for each in (1, 0.5, 0.0001)] == ["100 %", "50 %", "0.01 %"]
    assert [span(Duration(seconds=s, nanos=n)) for s, n in ((2, 0), (0, 5_000_000))] == ["2 s", "5 ms"]
