import msgspec

from proa.core.model.check_providers import CheckedBody, CheckProvider
from proa.core.pilot.translate.authorization.asking import ask_for_request, ask_for_stream, cluster_of

GRPC = CheckProvider(name="p", host="a.example", port=9, is_grpc=True, timeout_ms=1500, status_on_error=503)
HTTP = CheckProvider(
    name="p",
    host="a.example",
    port=9,
    is_grpc=False,
    fail_open=True,
    clear_route_cache=True,
    body=CheckedBody(most_bytes=10, allow_partial=True),
    path_prefix="/check",
    request_headers=("x-*", "cookie", "*"),
    added_headers=(("x-from", "proa"),),
    headers_to_upstream=("x-user",),
    headers_on_deny=("x-why",),
    headers_on_allow=("*-note",),
)


def test_by_grpc() -> None:
    config = ask_for_request(GRPC, "none")
    assert config.grpc_service.envoy_grpc.cluster_name == cluster_of(GRPC) == "outbound|9||a.example"
    assert (config.grpc_service.timeout.seconds, config.status_on_error.code) == (1, 503)
    assert (config.failure_mode_allow, config.HasField("http_service")) == (False, False)
    stream = ask_for_stream(GRPC, "none")
    assert (stream.failure_mode_allow, stream.filter_enabled_metadata.invert) == (False, True)


def test_by_http() -> None:
    config = ask_for_request(HTTP, "none")
    service = config.http_service
    assert (config.failure_mode_allow, config.clear_route_cache) == (True, True)
    assert (config.with_request_body.max_request_bytes, config.with_request_body.allow_partial_message) == (
        10,
        True,
    )
    assert (service.path_prefix, service.authorization_request.headers_to_add[0].key) == ("/check", "x-from")
    assert [each.WhichOneof("match_pattern") for each in config.allowed_headers.patterns] == [
        "prefix",
        "exact",
        "safe_regex",
    ]
    answer = service.authorization_response
    assert answer.allowed_upstream_headers.patterns[0].exact == "x-user"
    assert answer.allowed_client_headers.patterns[0].exact == "x-why"
    assert answer.allowed_client_headers_on_success.patterns[0].suffix == "-note"
    bare = ask_for_request(
        msgspec.structs.replace(HTTP, headers_to_upstream=(), headers_on_deny=(), headers_on_allow=()), "none"
    )
    assert not bare.http_service.HasField("authorization_response")
