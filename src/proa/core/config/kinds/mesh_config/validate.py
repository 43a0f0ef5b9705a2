"""Whether a MeshConfig makes sense. Called through the kinds table."""

import re
from collections.abc import Iterator
from typing import Final

from proa.core.config.connection_pool import check_keepalive
from proa.core.config.export_to import check_export_to
from proa.core.config.hostnames import is_ip, name_fault
from proa.core.config.kinds.mesh_config.access_log import check_access_log, check_formats
from proa.core.config.kinds.mesh_config.schema import MeshConfig
from proa.core.config.kinds.mesh_config.tracers import check_tracers
from proa.core.config.labels import is_namespace_name
from proa.core.config.locality import check_locality
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.retries import check_retries
from proa.core.config.tree import shorten
from proa.core.config.variables import check_variables
from proa.core.model.names import ROOT_NAMESPACE

NAME = "istio"
SPEC: Path = ("spec",)
REFUSALS: Final = frozenset(
    [*range(400, 418), 421, 422, 423, 424, 426, 428, 429, 431, *range(500, 509), 510, 511]
)
"""The statuses that Envoy knows and that refuse."""
TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}", re.ASCII)
NOWHERE: Path = ("metadata", "name")


def validate(spec: MeshConfig, meta: Meta) -> Iterator[Finding]:
    if (meta.namespace, meta.name) != (ROOT_NAMESPACE, NAME):
        message = f"a mesh has one MeshConfig; write name {NAME} and namespace {ROOT_NAMESPACE}"
        yield Finding(NOWHERE, "bad-value", message)
    if spec.root_namespace and not is_namespace_name(spec.root_namespace):
        message = f'"{shorten(spec.root_namespace)}" is no namespace; write a name'
        yield Finding((*SPEC, "rootNamespace"), "bad-value", message)
    for index, alias in enumerate(spec.trust_domain_aliases):
        if alias and not TRUST_DOMAIN.fullmatch(alias):
            message = f'"{shorten(alias)}" is no trust domain; it has small letters, digits, dots, dashes, underscores'
            yield Finding((*SPEC, "trustDomainAliases", index), "bad-value", message)
    for name, entries in (
        ("defaultServiceExportTo", spec.default_service_export_to),
        ("defaultVirtualServiceExportTo", spec.default_virtual_service_export_to),
        ("defaultDestinationRuleExportTo", spec.default_destination_rule_export_to),
    ):
        # Not this object's namespace is meant by `.`, so no other entry can mean the same.
        yield from check_export_to(entries, ".", (*SPEC, name))
    if spec.tcp_keepalive is not None:
        yield from check_keepalive(spec.tcp_keepalive, (*SPEC, "tcpKeepalive"))
    if spec.default_http_retry_policy is not None:
        yield from check_retries(spec.default_http_retry_policy, (*SPEC, "defaultHttpRetryPolicy"))
    if spec.locality_lb_setting is not None:
        # It is for those services that are said to eject.
        yield from check_locality(spec.locality_lb_setting, (*SPEC, "localityLbSetting"), ejects=True)
    if spec.default_config is not None:
        at = (*SPEC, "defaultConfig", "proxyMetadata")
        yield from check_variables(spec.default_config.proxy_metadata, at)
    yield from _check_providers(spec)
    yield from check_access_log(spec)
    for index, server in enumerate(spec.dns_resolvers):
        if not _is_server(server):
            message = f'"{shorten(server)}" is no server; write address:port, like 192.0.2.53:53'
            yield Finding((*SPEC, "dnsResolvers", index), "bad-value", message)


def _check_providers(spec: MeshConfig) -> Iterator[Finding]:
    named: set[str] = set()
    for index, each in enumerate(spec.extension_providers):
        at: Path = (*SPEC, "extensionProviders", index)
        if each.name and each.name in named:
            yield Finding((*at, "name"), "duplicate", f'"{shorten(each.name)}" is there already; rename one')
        named.add(each.name)
        checkers = {
            "envoyExtAuthzHttp": each.envoy_ext_authz_http,
            "envoyExtAuthzGrpc": each.envoy_ext_authz_grpc,
        }
        called = {
            "envoyOtelAls": each.envoy_otel_als,
            "opentelemetry": each.opentelemetry,
            "zipkin": each.zipkin,
        }
        others = {"prometheus": each.prometheus, "envoyFileAccessLog": each.envoy_file_access_log}
        ways = {**checkers, **called, **others}
        if sum(way is not None for way in ways.values()) != 1:
            yield Finding(at, "required", f"a provider is one of {', '.join(ways)}; write one")
        for name, service in called.items():
            if service is not None and (fault := name_fault(service.service.rpartition("/")[2])):
                yield Finding((*at, name, "service"), "bad-value", fault)
        yield from check_formats(each, at)
        yield from check_tracers(each, at)
        for name, way in checkers.items():
            status = way.status_on_error if way is not None else ""
            if status and not (status.isascii() and status.isdecimal() and int(status[:4]) in REFUSALS):
                message = f'"{shorten(status)}" is no status of a refusal; write one like 403 or 503'
                yield Finding((*at, name, "statusOnError"), "bad-value", message)
            if way is not None and way.service:
                host = way.service.rpartition("/")[2]
                if fault := name_fault(host):
                    yield Finding((*at, name, "service"), "bad-value", fault)


def _is_server(text: str) -> bool:
    address, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 0 < int(port) < 65536):
        return False
    return (
        is_ip(address[1:-1])
        if address.startswith("[") and address.endswith("]")
        else (is_ip(address) and ":" not in address)
    )
