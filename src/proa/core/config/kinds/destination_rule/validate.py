"""Whether a DestinationRule makes sense: Istio's rules for the fields of its schema. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.connection_pool import check_connection_pool
from proa.core.config.export_to import OWN_NAMESPACE, check_export_to
from proa.core.config.hostnames import is_dns_label, wildcard_name_fault
from proa.core.config.kinds.destination_rule.balancing import check_load_balancer
from proa.core.config.kinds.destination_rule.beyond import check_tunnel
from proa.core.config.kinds.destination_rule.ejection import check_outlier_detection
from proa.core.config.kinds.destination_rule.originated import check_originated
from proa.core.config.kinds.destination_rule.schema import (
    ClientTls,
    DestinationRule,
    PortPolicy,
    Subset,
    TrafficPolicy,
)
from proa.core.config.labels import check_labels, check_selector
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
MAX_PORT_LEVELS = 4096
"""Istio's bound."""


def validate(spec: DestinationRule, meta: Meta) -> Iterator[Finding]:
    if fault := wildcard_name_fault(spec.host):
        yield Finding((*SPEC, "host"), "bad-value", fault)
    if spec.traffic_policy:
        yield from _check_policy(spec.traffic_policy, (*SPEC, "trafficPolicy"), ejects=False)
    ejects = spec.traffic_policy is not None and spec.traffic_policy.outlier_detection is not None
    yield from _check_subsets(spec.subsets, (*SPEC, "subsets"), ejects=ejects)
    yield from check_export_to(spec.export_to, meta.namespace, (*SPEC, "exportTo"))
    if spec.workload_selector is not None:
        yield from check_selector(
            spec.workload_selector.match_labels, (*SPEC, "workloadSelector", "matchLabels")
        )
        if any(entry not in (OWN_NAMESPACE, meta.namespace) for entry in spec.export_to):
            message = "a rule for some workloads holds in its own namespace only; write . or remove exportTo"
            yield Finding((*SPEC, "exportTo"), "conflict", message)


def _check_subsets(subsets: tuple[Subset, ...], at: Path, *, ejects: bool) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, subset in enumerate(subsets):
        name = subset.name
        if not is_dns_label(name):
            message = (
                f'"{shorten(name)}" is no subset name; write letters, digits and inner dashes, at most 63'
            )
            yield Finding((*at, index, "name"), "bad-value", message)
        elif name in seen:
            yield Finding(
                (*at, index, "name"), "duplicate", f'the subset "{name}" is there already; rename one'
            )
        seen.add(name)
        yield from check_labels(subset.labels, (*at, index, "labels"))
        if subset.traffic_policy:
            yield from _check_policy(subset.traffic_policy, (*at, index, "trafficPolicy"), ejects=ejects)


def _check_policy(policy: TrafficPolicy, at: Path, *, ejects: bool) -> Iterator[Finding]:
    """`ejects`: whether it inherits outlierDetection. A port's settings inherit nothing."""
    if policy == TrafficPolicy():
        message = "an empty policy says nothing; add loadBalancer, connectionPool, outlierDetection or tls"
        yield Finding(at, "required", message)
    yield from _check_blocks(policy, at, ejects=ejects)
    if policy.tunnel is not None:
        yield from check_tunnel(policy.tunnel, (*at, "tunnel"))
    ports: set[int] = set()
    for index, level in enumerate(policy.port_level_settings):
        place = (*at, "portLevelSettings", index)
        yield from _check_blocks(level, place, ejects=False)
        if level == PortPolicy(port=level.port):
            yield Finding(place, "required", "says nothing of its port; add a policy or remove it")
        if level.port.number in ports:
            message = f"port {level.port.number} has settings already; keep one of them"
            yield Finding((*place, "port", "number"), "duplicate", message)
        ports.add(level.port.number)
    if len(policy.port_level_settings) > MAX_PORT_LEVELS:
        message = (
            f"{len(policy.port_level_settings)} entries are too many; at most {MAX_PORT_LEVELS} are read"
        )
        yield Finding((*at, "portLevelSettings"), "out-of-range", message)


def _check_blocks(policy: TrafficPolicy | PortPolicy, at: Path, *, ejects: bool) -> Iterator[Finding]:
    if policy.connection_pool is not None:
        yield from check_connection_pool(policy.connection_pool, (*at, "connectionPool"))
    if policy.outlier_detection is not None:
        yield from check_outlier_detection(policy.outlier_detection, (*at, "outlierDetection"))
    if policy.load_balancer is not None:
        ejects = ejects or policy.outlier_detection is not None
        yield from check_load_balancer(policy.load_balancer, (*at, "loadBalancer"), ejects=ejects)
    if policy.tls is not None:
        yield from _check_tls(policy.tls, (*at, "tls"))


def _check_tls(tls: ClientTls, at: Path) -> Iterator[Finding]:
    if tls.sni and (fault := wildcard_name_fault(tls.sni)):
        yield Finding((*at, "sni"), "bad-value", fault)
    for index, name in enumerate(tls.subject_alt_names):
        if not name:
            yield Finding(
                (*at, "subjectAltNames", index), "bad-value", "a name is empty; write it or remove it"
            )
    yield from check_originated(tls, at)
    if tls.mode == "DISABLE" and (tls.sni or tls.subject_alt_names):
        yield warning(
            at, "no-effect", "without TLS there is no sni and no certificate to check; choose another mode"
        )
