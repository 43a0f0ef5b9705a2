"""What a route is told to do."""

import msgspec
from envoy.config.route.v3.route_components_pb2 import Route

from proa.core.model.settings import Retry
from proa.core.pilot.translate.routes.actions import act
from proa.core.pilot.translate.routes.intents import (
    DirectResponse,
    Fault,
    HashKey,
    HeaderEdits,
    Mirror,
    Redirect,
    Rewrite,
    RouteIntent,
    Target,
)

ONE = RouteIntent(targets=(Target(cluster="a"),), timeout_ms=1500)


def built(intent: RouteIntent = ONE, prefix: str = "", **changes: object) -> Route:
    route = Route()
    act(route, msgspec.structs.replace(intent, **changes), prefix)
    return route


def test_whom_a_timeout_is_told() -> None:
    # Beside `max_stream_duration` an Envoy has no timeout at all; a gRPC client knows no other.
    envoy, client = built().route, built(without_proxy=True).route
    assert not envoy.HasField("max_stream_duration")
    assert envoy.max_grpc_timeout.nanos == 500_000_000
    assert client.max_stream_duration.max_stream_duration.nanos == 500_000_000


def test_a_fault_has_neither_timeout_nor_retry() -> None:
    assert built().route.timeout.nanos == 500_000_000
    faulty = built(fault=Fault(abort_status=500))
    assert (faulty.route.timeout.seconds, faulty.route.HasField("retry_policy")) == (0, False)


def test_answers() -> None:
    assert (
        built(
            RouteIntent(direct_response=DirectResponse(status=200, content=b"\xff"))
        ).direct_response.body.inline_bytes
        == b"\xff"
    )
    assert not built(RouteIntent(direct_response=DirectResponse(status=200))).direct_response.HasField("body")


def test_redirects() -> None:
    whole = built(RouteIntent(redirect=Redirect(path="/new", port=8443, scheme="https", code=308))).redirect
    assert (whole.path_redirect, whole.port_redirect, whole.scheme_redirect) == ("/new", 8443, "https")
    part = built(RouteIntent(redirect=Redirect(prefix="/new"))).redirect
    assert part.WhichOneof("path_rewrite_specifier") == "prefix_rewrite"


def test_rewrites() -> None:
    assert built(rewrite=Rewrite(path="/b"), prefix="/a").route.prefix_rewrite == "/b"
    whole = built(rewrite=Rewrite(path="/b\\1")).route.regex_rewrite
    assert (whole.pattern.regex, whole.substitution) == (".*", "/b\\\\1")
    regex = built(rewrite=Rewrite(pattern="/(a)", substitution="/\\1"), prefix="/a").route
    assert (regex.regex_rewrite.pattern.regex, regex.prefix_rewrite) == ("/(a)", "")


def test_copies_keep_their_host() -> None:
    (copy,) = built(mirrors=(Mirror(cluster="b", percent=12.5),)).route.request_mirror_policies
    assert (copy.cluster, copy.runtime_fraction.default_value.numerator) == ("b", 125_000)
    assert copy.disable_shadow_host_suffix_append


def test_a_destinations_own_host_and_headers() -> None:
    own = Target(cluster="a", authority="a.example", request_headers=HeaderEdits(remove=("x",)))
    alone = built(targets=(own,))
    assert (alone.route.host_rewrite_literal, list(alone.request_headers_to_remove)) == ("a.example", ["x"])
    first, second = built(targets=(own, Target(cluster="b"))).route.weighted_clusters.clusters
    assert (first.host_rewrite_literal, list(first.request_headers_to_remove)) == ("a.example", ["x"])
    assert not second.HasField("host_rewrite_literal")


def test_retries() -> None:
    plain = built().route.retry_policy
    assert plain.retry_host_predicate
    assert not plain.HasField("retry_back_off")
    sticky = built(targets=(Target(cluster="a", hash_key=HashKey(header="x")),)).route
    assert sticky.hash_policy[0].header.header_name == "x"
    assert not sticky.retry_policy.retry_host_predicate
    told = built(retry=Retry(pass_over_tried=False, backoff_ms=100, other_localities=True)).route.retry_policy
    assert not told.retry_host_predicate
    assert told.retry_back_off.base_interval.nanos == 100_000_000
    assert told.retry_priority.name == "envoy.retry_priorities.previous_priorities"
    assert not built(retry=Retry(attempts=0)).route.HasField("retry_policy")
