"""What Istio's rules mean, asked of the configuration that proxies are sent."""

from collections import Counter

import pytest

from proa.core.pilot.simulate import FaultTaken, Retries
from proa.testing.builders import Mesh, simple

URL = "http://reviews:9080/reviews/0"
BLACK_HOLE = "BlackHoleCluster"
SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}, {name: v3, labels: {version: v3}}]
"""


def rules(http: str, hosts: str = "[reviews]", extra: str = "") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec: {{hosts: {hosts}, http: {http} {extra}}}
"""


def to(subset: str, weight: int = 0) -> str:
    return f"{{destination: {{host: reviews, subset: {subset}}}, weight: {weight}}}"


def cluster(subset: str) -> str:
    return f"outbound|9080|{subset}|reviews.default.svc.cluster.local"


def bookstore(http: str = "", extra: str = "") -> Mesh:
    mesh = Mesh(*(simple("reviews", f"v{each}", address=f"10.0.0.{each}") for each in (1, 2, 3)))
    mesh.apply(SUBSETS)
    if http:
        mesh.apply(rules(http, extra=extra))
    return mesh


def test_without_rules_a_request_goes_to_all_versions() -> None:
    outcome = bookstore().get("client", URL)
    assert outcome.cluster == cluster("")
    assert sorted(each.address for each in outcome.candidates) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_all_to_v1() -> None:
    outcome = bookstore(f"[{{route: [{to('v1')}]}}]").get("client", URL)
    assert [each.address for each in outcome.candidates] == ["10.0.0.1"]
    assert outcome.route is not None
    assert outcome.route.objects == ("VirtualService/default/reviews",)
    assert outcome.route.rule == "http[0]"


@pytest.mark.parametrize(
    ("headers", "subset"),
    [
        ({"end-user": "jason"}, "v2"),
        ({"END-USER": "jason"}, "v2"),
        ({"end-user": "jasonx"}, "v1"),
        ({}, "v1"),
    ],
)
def test_a_user_gets_another_version(headers: dict[str, str], subset: str) -> None:
    mesh = bookstore(
        f"[{{match: [{{headers: {{end-user: {{exact: jason}}}}}}], route: [{to('v2')}]}}, {{route: [{to('v1')}]}}]"
    )
    assert mesh.get("client", URL, headers=headers).cluster == cluster(subset)


def test_half_and_half() -> None:
    mesh = bookstore(f"[{{route: [{to('v1', 50)}, {to('v3', 50)}]}}]")
    chosen = Counter(mesh.get("client", URL, roll=each / 100).cluster for each in range(100))
    assert chosen == {cluster("v1"): 50, cluster("v3"): 50}


def test_a_weight_of_nothing_gets_nothing() -> None:
    mesh = bookstore(f"[{{route: [{to('v1', 0)}, {to('v3', 100)}]}}]")
    assert {mesh.get("client", URL, roll=each / 10).cluster for each in range(10)} == {cluster("v3")}


def test_a_delay_hits_its_share_and_takes_retries_and_timeout_away() -> None:
    mesh = bookstore(
        f"[{{fault: {{delay: {{percentage: {{value: 10}}, fixedDelay: 7s}}}}, timeout: 3s, route: [{to('v1')}]}}]"
    )
    hit, missed = mesh.get("client", URL, roll=0.05), mesh.get("client", URL, roll=0.5)
    assert hit.route is not None
    assert missed.route is not None
    assert hit.route.fault == FaultTaken(delay_ms=7000)
    assert missed.route.fault == FaultTaken()
    assert (hit.route.retries, hit.route.timeout_ms) == (None, 0)
    assert hit.cluster == cluster("v1")


def test_an_abort_answers_instead_of_the_service() -> None:
    mesh = bookstore(
        f"[{{fault: {{abort: {{percentage: {{value: 100}}, httpStatus: 418}}}}, route: [{to('v1')}]}}]"
    )
    assert mesh.get("client", URL).status == 418


def test_timeout_and_retries() -> None:
    mesh = bookstore(
        f"[{{timeout: 2s, retries: {{attempts: 5, perTryTimeout: 500ms, retryOn: '5xx,409'}}, route: [{to('v1')}]}}]"
    )
    route = mesh.get("client", URL).route
    assert route is not None
    assert route.timeout_ms == 2000
    assert route.retries == Retries(
        attempts=5,
        on=("5xx", "retriable-headers", "retriable-status-codes"),
        status_codes=(409,),
        per_try_timeout_ms=500,
    )


def test_retries_are_on_by_default_and_can_be_turned_off() -> None:
    on = bookstore(f"[{{route: [{to('v1')}]}}]").get("client", URL).route
    off = bookstore(f"[{{retries: {{attempts: 0}}, route: [{to('v1')}]}}]").get("client", URL).route
    assert on is not None
    assert on.retries is not None
    assert on.retries.attempts == 2
    assert off is not None
    assert off.retries is None


MATCHES = [
    ("uri: {exact: /a}", "http://reviews:9080/a", {}, True),
    ("uri: {exact: /a}", "http://reviews:9080/a?x=1", {}, True),
    ("uri: {exact: /a}", "http://reviews:9080/ab", {}, False),
    ("uri: {prefix: /a}", "http://reviews:9080/ab", {}, True),
    ("uri: {prefix: /A}, ignoreUriCase: true", "http://reviews:9080/ab", {}, True),
    ("uri: {regex: '/a+'}", "http://reviews:9080/aaa", {}, True),
    ("uri: {regex: '/a+'}", "http://reviews:9080/aaab", {}, False),
    ("method: {exact: POST}", URL, {}, False),
    ("authority: {prefix: reviews}", URL, {}, True),
    ("scheme: {exact: https}", URL, {}, False),
    ("headers: {x: {}}", URL, {"x": ""}, True),
    ("headers: {x: {}}", URL, {}, False),
    ("headers: {x: {regex: 'a.*'}}", URL, {"x": "abc"}, True),
    ("withoutHeaders: {x: {exact: a}}", URL, {}, True),
    ("withoutHeaders: {x: {exact: a}}", URL, {"x": "b"}, True),
    ("withoutHeaders: {x: {exact: a}}", URL, {"x": "a"}, False),
    ("withoutHeaders: {x: {}}", URL, {"x": "a"}, False),
    ("withoutHeaders: {x: {}}", URL, {}, True),
    ("queryParams: {q: {exact: '1'}}", URL + "?q=1", {}, True),
    ("queryParams: {q: {exact: '1'}}", URL + "?q=2", {}, False),
    ("queryParams: {q: {}}", URL + "?q", {}, True),
    ("port: 9080", URL, {}, True),
    ("port: 80", URL, {}, False),
    ("gateways: [mesh]", URL, {}, True),
    ("gateways: [edge]", URL, {}, False),
    ("headers: {a: {exact: '1'}, b: {exact: '2'}}", URL, {"a": "1"}, False),
]


@pytest.mark.parametrize(("match", "url", "headers", "taken"), MATCHES, ids=lambda each: str(each)[:40])
def test_a_match(match: str, url: str, headers: dict[str, str], taken: bool) -> None:
    mesh = bookstore(f"[{{match: [{{{match}}}], route: [{to('v2')}]}}, {{route: [{to('v1')}]}}]")
    assert mesh.get("client", url, headers=headers).cluster == cluster("v2" if taken else "v1")


def test_any_of_several_matches_will_do() -> None:
    mesh = bookstore(
        f"[{{match: [{{uri: {{exact: /a}}}}, {{uri: {{exact: /b}}}}], route: [{to('v2')}]}}, {{route: [{to('v1')}]}}]"
    )
    assert [mesh.get("client", f"http://reviews:9080/{path}").cluster for path in "abc"] == [
        cluster("v2"),
        cluster("v2"),
        cluster("v1"),
    ]


def test_no_rule_matches() -> None:
    mesh = bookstore(f"[{{match: [{{uri: {{exact: /a}}}}], route: [{to('v2')}]}}]")
    assert mesh.get("client", URL).status == 404


@pytest.mark.parametrize(
    ("match", "uri", "path", "sent"),
    [
        ("{uri: {prefix: /old}}", "/new", "/old/x?q=1", "/new/x?q=1"),
        ("{uri: {exact: /old}}", "/new", "/old", "/new"),
        ("{uri: {regex: '/o.*'}}", "/new", "/old/x?q=1", "/new?q=1"),
    ],
)
def test_a_rewrite(match: str, uri: str, path: str, sent: str) -> None:
    mesh = bookstore(
        f"[{{match: [{match}], rewrite: {{uri: {uri}, authority: other}}, route: [{to('v1')}]}}]"
    )
    route = mesh.get("client", f"http://reviews:9080{path}").route
    assert route is not None
    assert (route.path, route.authority) == (sent, "other")


def test_a_redirect_and_a_direct_response() -> None:
    mesh = bookstore(
        "[{match: [{uri: {prefix: /moved}}], redirect: {uri: /here, authority: there, redirectCode: 302}},"
        " {directResponse: {status: 418, body: {string: tea}}}]"
    )
    moved = mesh.get("client", "http://reviews:9080/moved/x").end
    answered = mesh.get("client", URL).end
    assert (moved.status, moved.location) == (302, "http://there/here")  # type: ignore[union-attr]
    assert (answered.status, answered.body) == (418, "tea")  # type: ignore[union-attr]


def test_rules_before_their_subsets_lead_nowhere_and_heal() -> None:
    mesh = Mesh(simple("reviews"))
    mesh.apply(rules(f"[{{route: [{to('v1')}]}}]"))
    before = mesh.get("client", URL)
    assert (before.cluster, before.status) == (BLACK_HOLE, 503)
    assert [note.code for note in mesh.world.notes()] == ["destination-missing"]
    mesh.apply(SUBSETS)
    assert mesh.get("client", URL).cluster == cluster("v1")
    assert mesh.world.notes() == ()
    mesh.delete("DestinationRule", "reviews")
    assert mesh.get("client", URL).cluster == BLACK_HOLE


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("{host: nobody}", "no service nobody.default.svc.cluster.local is known"),
        ("{host: reviews, port: {number: 1}}", "has no port 1"),
        ("{host: reviews, subset: v9}", "a subset v9"),
    ],
)
def test_a_destination_that_is_not_there_says_why(destination: str, said: str) -> None:
    mesh = bookstore(f"[{{route: [{{destination: {destination}}}]}}]")
    assert mesh.get("client", URL).cluster == BLACK_HOLE
    (note,) = mesh.world.notes()
    assert said in note.message


def test_a_rule_for_a_gateway_leaves_the_rule_for_sidecars_in_force() -> None:
    mesh = bookstore(f"[{{match: [{{gateways: [edge]}}], route: [{to('v2')}]}}, {{route: [{to('v1')}]}}]")
    assert mesh.get("client", URL).cluster == cluster("v1")


def test_a_rule_bound_to_a_gateway_only_is_nothing_to_sidecars() -> None:
    mesh = bookstore(f"[{{route: [{to('v2')}]}}]", extra=", gateways: [edge]")
    assert mesh.get("client", URL).cluster == cluster("")


WILD = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wild}
spec:
  hosts: ["*.wild.example"]
  resolution: DYNAMIC_DNS
  ports: [{number: 80, name: http, protocol: HTTP}, {number: 8080, name: other, protocol: HTTP}]
"""
TO_WILD = "route: [{destination: {host: '*.wild.example'}}]"


@pytest.mark.parametrize(
    ("host", "more", "reached"),
    [
        ("a.wild.example", "", True),
        ("*.wild.example", "", True),
        ("wild.example", "", False),
        ("relay.example", "", False),
        ("a.wild.example", "rewrite: {authority: relay.example}, ", False),
        ("a.wild.example", "headers: {request: {set: {host: relay.example}}}, ", False),
    ],
)
def test_nothing_is_looked_up_that_is_not_below_the_wildcard(host: str, more: str, reached: bool) -> None:
    mesh = Mesh()
    mesh.apply(WILD)
    mesh.apply(rules(f"[{{{more}{TO_WILD}}}]", hosts=f'["{host}"]'))
    asked = "a.wild.example" if "*" in host else host
    outcome = mesh.get("client", f"http://{asked}:8080/")
    assert outcome.cluster == ("outbound|8080||*.wild.example" if reached else BLACK_HOLE)
    assert ("destination-missing" in {note.code for note in mesh.world.notes()}) is not reached
