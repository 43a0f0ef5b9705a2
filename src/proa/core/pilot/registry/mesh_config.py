"""The mesh's settings from its MeshConfig: what the program was started with, and what the object says instead."""

from collections.abc import Iterator

import msgspec

from proa.core.config.connection_pool import TcpKeepalive
from proa.core.config.kinds.mesh_config import schema
from proa.core.config.kinds.mesh_config.schema import GrpcChecker, MeshConfig
from proa.core.config.locality import locality_setting
from proa.core.config.retries import Retries
from proa.core.model.check_providers import (
    DEFAULT_STATUS,
    DEFAULT_TIMEOUT_MS,
    CheckedBody,
    CheckProvider,
)
from proa.core.model.names import ROOT_NAMESPACE, ObjectRef, expand_host
from proa.core.model.settings import (
    EVERYBODY,
    STDOUT,
    AccessLog,
    Handling,
    Keepalive,
    MeshSettings,
    OtelLog,
    PathNormalization,
    Resolving,
    Retry,
    TelemetryProvider,
    Tracer,
    ZipkinTracer,
)

OTEL_LOG_NAME = "otel_envoy_accesslog"

MESH_CONFIG = ObjectRef("MeshConfig", ROOT_NAMESPACE, "istio")
"""The one there can be. Its place does not move with the root namespace that it may name."""


def settings_of(base: MeshSettings, spec: MeshConfig) -> MeshSettings:
    """What the object does not say is as in `base`."""
    policy = spec.outbound_traffic_policy
    outbound = base.outbound_policy
    if policy is not None:
        outbound = "REGISTRY_ONLY" if policy.mode == "REGISTRY_ONLY" else "ALLOW_ANY"
    proxies, defaults = spec.default_config, spec.default_providers
    return msgspec.structs.replace(
        base,
        root_namespace=spec.root_namespace or base.root_namespace,
        outbound_policy=outbound,
        handling=_handling(base.handling, spec),
        connect_timeout_ms=spec.connect_timeout or base.connect_timeout_ms,
        keepalive=keepalive_of(spec.tcp_keepalive) or base.keepalive,
        upgrades_http=spec.h2_upgrade_policy == "UPGRADE",
        retry=retry_of(spec.default_http_retry_policy, base.retry),
        service_export_to=spec.default_service_export_to or EVERYBODY,
        rule_export_to=spec.default_virtual_service_export_to or EVERYBODY,
        policy_export_to=spec.default_destination_rule_export_to or EVERYBODY,
        trust_domain_aliases=spec.trust_domain_aliases or base.trust_domain_aliases,
        check_providers=tuple(_check_providers(spec)) or base.check_providers,
        telemetry_providers=tuple(_telemetry_providers(spec)) or base.telemetry_providers,
        default_logging=defaults.access_logging if defaults else base.default_logging,
        default_tracing=defaults.tracing if defaults else base.default_tracing,
        default_metrics=defaults.metrics if defaults else base.default_metrics,
        locality=locality_setting(spec.locality_lb_setting) if spec.locality_lb_setting else base.locality,
        concurrency=proxies.concurrency if proxies else base.concurrency,
        proxy_environment=proxies.proxy_metadata if proxies else base.proxy_environment,
    )


def _check_providers(spec: MeshConfig) -> Iterator[CheckProvider]:
    for each in spec.extension_providers:
        if each.envoy_ext_authz_grpc is not None:
            yield _check_provider(each.name, each.envoy_ext_authz_grpc, is_grpc=True)
        elif each.envoy_ext_authz_http is not None:
            http = each.envoy_ext_authz_http
            yield msgspec.structs.replace(
                _check_provider(each.name, http, is_grpc=False),
                path_prefix=http.path_prefix,
                request_headers=http.include_request_headers_in_check,
                added_headers=tuple(sorted(http.include_additional_headers_in_check.items())),
                headers_to_upstream=http.headers_to_upstream_on_allow,
                headers_on_deny=http.headers_to_downstream_on_deny,
                headers_on_allow=http.headers_to_downstream_on_allow,
            )


def _telemetry_providers(spec: MeshConfig) -> Iterator[TelemetryProvider]:
    for each in spec.extension_providers:
        if each.prometheus is not None:
            yield TelemetryProvider(name=each.name)
        elif each.envoy_file_access_log is not None:
            yield TelemetryProvider(name=each.name, file=_file_log(each.envoy_file_access_log))
        elif each.envoy_otel_als is not None:
            log = each.envoy_otel_als
            form = log.log_format or schema.OtelLogFormat()
            otel = OtelLog(
                host=_host(log.service),
                port=log.port,
                name=log.log_name or OTEL_LOG_NAME,
                text=form.text,
                attributes=tuple(sorted(form.labels.items())),
            )
            yield TelemetryProvider(name=each.name, otel=otel)
        elif each.opentelemetry is not None:
            yield TelemetryProvider(name=each.name, tracer=_tracer(each.opentelemetry))
        elif each.zipkin is not None:
            yield TelemetryProvider(name=each.name, tracer=_zipkin_tracer(each.zipkin))


def _file_log(spec: schema.FileLog) -> AccessLog:
    form = spec.log_format or schema.LogFormat()
    is_text = bool(form.text) or not form.labels
    text = form.text if not form.text or form.text.endswith("\n") else f"{form.text}\n"
    return AccessLog(
        path=spec.path or STDOUT,
        encoding="TEXT" if is_text else "JSON",
        form=text if is_text else form.labels,
        omits_empty=spec.omit_empty_values,
    )


def _tracer(spec: schema.Opentelemetry) -> Tracer:
    http, grpc = spec.http, spec.grpc
    tracer = Tracer(host=_host(spec.service), port=spec.port, longest_path=spec.max_tag_length or 0)
    if http is not None:
        timeout = http.timeout or tracer.timeout_ms
        return msgspec.structs.replace(
            tracer, http_path=http.path, timeout_ms=timeout, headers=_headers(http.headers)
        )
    if grpc is not None:
        return msgspec.structs.replace(tracer, headers=_headers(grpc.initial_metadata))
    return tracer


def _zipkin_tracer(spec: schema.Zipkin) -> ZipkinTracer:
    said = ZipkinTracer(host=_host(spec.service), port=spec.port)
    return msgspec.structs.replace(
        said,
        path=spec.path or said.path,
        timeout_ms=spec.timeout or said.timeout_ms,
        longest_path=spec.max_tag_length or 0,
        headers=_headers(spec.headers),
        short_ids=spec.enable64bit_trace_id,
        speaks_w3c=spec.trace_context_option == "USE_B3_WITH_W3C_PROPAGATION",
    )


def _headers(said: tuple[schema.HttpHeader, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((each.name.lower(), each.value) for each in said)


def _host(service: str) -> str:
    """A host alone is one of the root namespace when it is a short name; its namespace only helps Istio to find it."""
    namespace, _, host = service.rpartition("/")
    return expand_host(host, namespace or ROOT_NAMESPACE)


def _check_provider(name: str, spec: GrpcChecker, *, is_grpc: bool) -> CheckProvider:
    body = spec.include_request_body_in_check
    return CheckProvider(
        name=name,
        host=_host(spec.service),
        port=spec.port,
        is_grpc=is_grpc,
        timeout_ms=spec.timeout or DEFAULT_TIMEOUT_MS,
        fail_open=spec.fail_open,
        clear_route_cache=spec.clear_route_cache,
        status_on_error=int(spec.status_on_error or DEFAULT_STATUS),
        body=CheckedBody(
            most_bytes=body.max_request_bytes,
            allow_partial=body.allow_partial_message,
            as_bytes=body.pack_as_bytes,
        )
        if body
        else None,
    )


def _handling(base: Handling, spec: MeshConfig) -> Handling:
    detection = spec.protocol_detection_timeout
    return Handling(
        access_log=_access_log(base.access_log, spec),
        metering=base.metering,
        paths=_paths(spec) or base.paths,
        detection_ms=base.detection_ms if detection is None else detection,
        resolving=Resolving(
            servers=spec.dns_resolvers or base.resolving.servers,
            refresh_ms=spec.dns_refresh_rate or base.resolving.refresh_ms,
        ),
    )


def _access_log(base: AccessLog | None, spec: MeshConfig) -> AccessLog | None:
    """An empty file name is Istio's way to have none. A form without an encoding is a text, as in Istio."""
    if spec.access_log_file == "":
        return None
    if base is None and spec.access_log_file is None:
        return None
    path = spec.access_log_file or (base or AccessLog()).path
    encoding = spec.access_log_encoding or ("TEXT" if spec.access_log_format else "JSON")
    return AccessLog(path=path, encoding=encoding, form=spec.access_log_format)


def _paths(spec: MeshConfig) -> PathNormalization | None:
    said = spec.path_normalization.normalization if spec.path_normalization else None
    return "BASE" if said == "DEFAULT" else said


def keepalive_of(spec: TcpKeepalive | None) -> Keepalive | None:
    if spec is None:
        return None
    return Keepalive(
        probes=spec.probes, time_s=(spec.time or 0) // 1000, interval_s=(spec.interval or 0) // 1000
    )


def retry_of(retries: Retries | None, default: Retry) -> Retry:
    """None: the default. A list of conditions may carry bare status codes, as in Istio."""
    if retries is None:
        return default
    words = [word.strip() for word in retries.retry_on.split(",") if word.strip()] or list(Retry().on)
    return Retry(
        attempts=retries.attempts,
        on=tuple(word for word in words if not word.isdigit()),
        status_codes=tuple(int(word) for word in words if word.isdigit()),
        per_try_timeout_ms=retries.per_try_timeout or 0,
        backoff_ms=retries.backoff or 0,
        other_localities=bool(retries.retry_remote_localities),
        pass_over_tried=retries.retry_ignore_previous_hosts,
    )
