import pytest
from immutables import Map

from proa.core.config.kinds.virtual_service.delegation import conflicts, delegates_of, merge_rule, merged
from proa.core.config.kinds.virtual_service.schema import (
    Destination,
    HttpMatch,
    HttpRoute,
    HttpRouteDestination,
    Redirect,
    Rewrite,
    StringMatch,
    VirtualService,
)
from proa.core.model.names import ObjectRef
from proa.testing.builders import configs

ROOT = ObjectRef("VirtualService", "default", "root")
TWO = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: root}
spec:
  hosts: [a]
  http:
  - {name: own, match: [{uri: {exact: /}}], route: [{destination: {host: a}}]}
  - {name: on, match: [{uri: {prefix: /b}}], delegate: {name: inner, namespace: shop}, timeout: 3s,
     mirror: {host: copies}}
  - delegate: {name: gone}
  - delegate: {name: own, namespace: other}
  - delegate: {name: hidden, namespace: shop}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: inner, namespace: shop}
spec:
  http:
  - {name: deep, match: [{uri: {prefix: /b/c}}], route: [{destination: {host: b}}], timeout: 1s}
  - {match: [{uri: {prefix: /c}}], route: [{destination: {host: b}}]}
  - {route: [{destination: {host: b}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: own, namespace: other}
spec: {hosts: [b], http: [{route: [{destination: {host: b}}]}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: hidden, namespace: shop}
spec: {exportTo: [.], http: [{route: [{destination: {host: b}}]}]}
"""


def text(**how: str) -> StringMatch:
    return StringMatch(**how)


def uri(**how: str) -> HttpMatch:
    return HttpMatch(uri=StringMatch(**how))


@pytest.mark.parametrize(
    ("root", "inner"),
    [
        (uri(prefix="/a"), uri(prefix="/a/b")),
        (uri(prefix="/a"), uri(exact="/a")),
        (uri(exact="/a"), uri(exact="/a")),
        (uri(regex="/a"), HttpMatch()),
        (HttpMatch(), uri(regex="/a")),
        (HttpMatch(port=1), HttpMatch()),
        (HttpMatch(headers=Map(a=text(exact="1"))), HttpMatch(headers=Map(b=text(exact="2")))),
        (HttpMatch(headers=Map(a=text())), HttpMatch(headers=Map(a=text()))),
        (HttpMatch(source_labels=Map(a="1")), HttpMatch(source_labels=Map(b="2"))),
        (HttpMatch(source_namespace="a"), HttpMatch()),
        (HttpMatch(gateways=("a", "b")), HttpMatch(gateways=("b",))),
    ],
)
def test_what_is_within(root: HttpMatch, inner: HttpMatch) -> None:
    assert not conflicts(root, inner)


@pytest.mark.parametrize(
    ("root", "inner"),
    [
        (uri(prefix="/a/b"), uri(prefix="/a")),
        (uri(prefix="/a"), uri(exact="/b")),
        (uri(prefix="/a"), uri(regex="/a/.*")),
        (uri(exact="/a"), uri(prefix="/a")),
        (uri(exact="/a"), uri(exact="/b")),
        (uri(regex="/a"), uri(regex="/a")),
        (HttpMatch(method=text(exact="GET")), HttpMatch(method=text(exact="PUT"))),
        (HttpMatch(headers=Map(a=text(exact="1"))), HttpMatch(headers=Map(a=text(exact="2")))),
        (HttpMatch(without_headers=Map(a=text(exact="1"))), HttpMatch(without_headers=Map(a=text()))),
        (HttpMatch(query_params=Map(a=text(exact="1"))), HttpMatch(query_params=Map(a=text(prefix="1")))),
        (HttpMatch(port=1), HttpMatch(port=2)),
        (HttpMatch(ignore_uri_case=True), HttpMatch()),
        (HttpMatch(source_labels=Map(a="1")), HttpMatch(source_labels=Map(a="2"))),
        (HttpMatch(source_namespace="a"), HttpMatch(source_namespace="b")),
        (HttpMatch(gateways=("a",)), HttpMatch(gateways=("a", "b"))),
    ],
)
def test_what_is_not(root: HttpMatch, inner: HttpMatch) -> None:
    assert conflicts(root, inner)


def test_each_block_must_be_within_one_of_the_roots() -> None:
    root = HttpRoute(match=(uri(prefix="/a"), HttpMatch(port=1)))
    one = merge_rule(root, HttpRoute(match=(uri(prefix="/a/b"),)))
    assert one is not None
    assert one.match == (uri(prefix="/a/b"), HttpMatch(uri=text(prefix="/a/b"), port=1))
    assert merge_rule(root, HttpRoute(match=(HttpMatch(uri=text(prefix="/x"), port=2),))) is None


def test_an_answer_takes_nothing_for_the_way() -> None:
    root = HttpRoute(rewrite=Rewrite(uri="/x"), timeout=5)
    found = merge_rule(root, HttpRoute(redirect=Redirect(uri="/y")))
    assert found == HttpRoute(redirect=Redirect(uri="/y"))


def test_two_objects_are_one() -> None:
    known = {each.ref: each for each in configs(TWO)}
    spec = known[ROOT].spec
    assert isinstance(spec, VirtualService)
    found = merged(known, ROOT, spec)
    assert [rule.name for rule in found.spec.http] == ["own", "on-deep", "on"]
    _, deep, rest = found.spec.http
    assert (deep.timeout, rest.timeout) == (1000, 3000)
    assert (deep.match, rest.match) == ((uri(prefix="/b/c"),), (uri(prefix="/b"),))
    b = HttpRouteDestination(destination=Destination(host="b.shop.svc.cluster.local"))
    assert deep.route == rest.route == (b,)
    assert deep.mirror == Destination(host="copies"), "of the root's namespace"
    inner = ObjectRef("VirtualService", "shop", "inner")
    assert [str(origin) for origin in found.origins] == [
        "http[0]",
        f"http[1] {inner} http[0]",
        f"http[1] {inner} http[2]",
    ]
    notes = [lost.note(ROOT) for lost in found.lost]
    assert [(note.code, note.about) for note in notes] == [
        ("delegate-conflict", inner),
        *[("delegate-missing", ROOT)] * 3,
    ]
    said = [note.message for note in notes]
    assert "http[1] is not within the conditions of http[1]" in said[0]
    for message, why in zip(said[1:], ("not there", "hosts of its own", "not exported"), strict=True):
        assert why in message
    assert len(delegates_of(ROOT, spec)) == 4
