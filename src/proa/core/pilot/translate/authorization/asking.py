"""Envoy's filters that ask a program: by gRPC for requests and streams, by HTTP for requests alone.

Closed by default: a program that does not answer, answers nonsense or is not there refuses, unless its entry in the
mesh's settings says `failOpen`.
"""

from collections.abc import Iterable
from typing import Final, cast

from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.core.v3.grpc_service_pb2 import GrpcService
from envoy.config.core.v3.http_uri_pb2 import HttpUri
from envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import (
    AuthorizationRequest,
    AuthorizationResponse,
    BufferSettings,
    ExtAuthz,
    HttpService,
)
from envoy.extensions.filters.network.ext_authz.v3.ext_authz_pb2 import ExtAuthz as StreamExtAuthz
from envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from envoy.type.matcher.v3.regex_pb2 import RegexMatcher
from envoy.type.matcher.v3.string_pb2 import ListStringMatcher, StringMatcher
from envoy.type.matcher.v3.value_pb2 import ValueMatcher
from envoy.type.v3.http_status_pb2 import HttpStatus, StatusCode

from proa.core.auth.authorization.reading import pattern
from proa.core.model.check_providers import CheckProvider
from proa.core.model.names import cluster_name
from proa.core.pilot.translate.encode import millis

ASKED_PREFIX: Final = "istio_ext_authz_"
"""Under which the rules that ask leave what they found, as in Istio."""


def cluster_of(provider: CheckProvider) -> str:
    return cluster_name("outbound", provider.port, "", provider.host)


def ask_for_request(provider: CheckProvider, unless: str) -> ExtAuthz:
    """`unless` is the name by which the rules before say that nobody is to be asked."""
    config = ExtAuthz(
        transport_api_version=ApiVersion.V3,
        failure_mode_allow=provider.fail_open,
        clear_route_cache=provider.clear_route_cache,
        status_on_error=_status(provider.status_on_error),
        filter_enabled_metadata=_unless("envoy.filters.http.rbac", unless),
        stat_prefix=provider.name,
    )
    if provider.is_grpc:
        config.grpc_service.CopyFrom(_grpc(provider))
    else:
        config.http_service.CopyFrom(_http(provider))
        if provider.request_headers:
            config.allowed_headers.CopyFrom(_names(provider.request_headers))
    if provider.body is not None:
        config.with_request_body.CopyFrom(
            BufferSettings(
                max_request_bytes=provider.body.most_bytes,
                allow_partial_message=provider.body.allow_partial,
                pack_as_bytes=provider.body.as_bytes,
            )
        )
    return config


def ask_for_stream(provider: CheckProvider, unless: str) -> StreamExtAuthz:
    return StreamExtAuthz(
        stat_prefix=provider.name,
        transport_api_version=ApiVersion.V3,
        failure_mode_allow=provider.fail_open,
        grpc_service=_grpc(provider),
        filter_enabled_metadata=_unless("envoy.filters.network.rbac", unless),
    )


def _unless(filter_name: str, name: str) -> MetadataMatcher:
    """Whatever else is there, or is not: asked."""
    path = [MetadataMatcher.PathSegment(key=f"{ASKED_PREFIX}shadow_effective_policy_id")]
    value = ValueMatcher(string_match=StringMatcher(exact=name))
    return MetadataMatcher(filter=filter_name, path=path, value=value, invert=True)


def _status(code: int) -> HttpStatus:
    """The settings hold none that Envoy does not know."""
    return HttpStatus(code=cast("StatusCode.ValueType", code))


def _grpc(provider: CheckProvider) -> GrpcService:
    service = GrpcService.EnvoyGrpc(cluster_name=cluster_of(provider), authority=provider.host)
    return GrpcService(envoy_grpc=service, timeout=millis(provider.timeout_ms))


def _http(provider: CheckProvider) -> HttpService:
    uri = HttpUri(
        uri=f"http://{provider.host}:{provider.port}",
        cluster=cluster_of(provider),
        timeout=millis(provider.timeout_ms),
    )
    service = HttpService(server_uri=uri, path_prefix=provider.path_prefix)
    if provider.added_headers:
        headers = [HeaderValue(key=key, value=value) for key, value in provider.added_headers]
        service.authorization_request.CopyFrom(AuthorizationRequest(headers_to_add=headers))
    answer = AuthorizationResponse()
    for field, names in (
        (answer.allowed_upstream_headers, provider.headers_to_upstream),
        (answer.allowed_client_headers, provider.headers_on_deny),
        (answer.allowed_client_headers_on_success, provider.headers_on_allow),
    ):
        if names:
            field.CopyFrom(_names(names))
    if answer != AuthorizationResponse():
        service.authorization_response.CopyFrom(answer)
    return service


def _names(names: Iterable[str]) -> ListStringMatcher:
    return ListStringMatcher(patterns=[_name(each) for each in names])


def _name(text: str) -> StringMatcher:
    value = pattern(text)
    match value.shape:
        case "present":
            return StringMatcher(safe_regex=RegexMatcher(regex=".*"))
        case "prefix":
            return StringMatcher(prefix=value.text, ignore_case=True)
        case "suffix":
            return StringMatcher(suffix=value.text, ignore_case=True)
        case _:
            return StringMatcher(exact=value.text, ignore_case=True)
