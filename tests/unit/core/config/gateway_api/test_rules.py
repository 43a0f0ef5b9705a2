from proa.core.config.gateway_api.attach import is_service
from proa.core.config.gateway_api.backends import NOWHERE, destination
from proa.core.config.gateway_api.rules import Place, ruled
from proa.core.config.gateway_api.schema import (
    BackendRef,
    GrpcMatch,
    GrpcRoute,
    GrpcRule,
    HttpMatch,
    HttpRoute,
    HttpRule,
    MethodMatch,
    PathMatch,
    ValueMatch,
)
from proa.core.model.names import ObjectRef

REF = ObjectRef("HTTPRoute", "default", "r")
TO = (BackendRef(name="a", port=80),)


def values(route: HttpRoute | GrpcRoute) -> list[dict[str, object]]:
    rules = sorted(ruled(REF, route, Place(), is_service), key=lambda rule: (rule.rank, rule.place))
    return [dict(rule.draft.value) for rule in rules]


def test_a_prefix_is_of_whole_segments() -> None:
    route = HttpRoute(rules=(HttpRule(matches=(HttpMatch(path=PathMatch(value="/a/")),), backend_refs=TO),))
    assert [rule["match"] for rule in values(route)] == [
        [{"uri": {"exact": "/a"}}],
        [{"uri": {"prefix": "/a/"}}],
    ]


def test_the_first_condition_on_a_name_counts() -> None:
    headers = (ValueMatch(name="X-A", value="1"), ValueMatch(name="x-a", value="2"))
    (rule,) = values(HttpRoute(rules=(HttpRule(matches=(HttpMatch(headers=headers),), backend_refs=TO),)))
    assert rule["match"] == [{"uri": {"prefix": "/"}, "headers": {"x-a": {"exact": "1"}}}]


def test_a_share_that_is_refused_goes_nowhere() -> None:
    refused = BackendRef(name="b", port=80, kind="Bucket")
    (rule,) = values(HttpRoute(rules=(HttpRule(backend_refs=(*TO, refused)),)))
    assert isinstance(rule["route"], list)
    assert [each["destination"]["host"] for each in rule["route"]] == ["a.default.svc.cluster.local", NOWHERE]
    (alone,) = values(HttpRoute(rules=(HttpRule(backend_refs=(refused,)),)))
    assert alone["directResponse"] == {"status": 500}


def test_methods_of_grpc_are_paths() -> None:
    matches = (
        GrpcMatch(method=MethodMatch(service="s")),
        GrpcMatch(method=MethodMatch(service="s", method="m")),
        GrpcMatch(method=MethodMatch(method="m")),
    )
    route = GrpcRoute(rules=(GrpcRule(matches=matches, backend_refs=TO),))
    assert [rule["match"] for rule in values(route)] == [
        [{"uri": {"exact": "/s/m"}}],
        [{"uri": {"prefix": "/s/"}}],
        [{"uri": {"regex": "/[^/]+/m"}}],
    ]


def test_destinations_are_full_names() -> None:
    assert destination(BackendRef(name="a", port=80), "shop") == {
        "host": "a.shop.svc.cluster.local",
        "port": {"number": 80},
    }
