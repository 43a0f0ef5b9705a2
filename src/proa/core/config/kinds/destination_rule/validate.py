"""Whether a DestinationRule makes sense: Istio's rules for the fields of its schema. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.export_to import check_export_to
from proa.core.config.hostnames import is_dns_label, wildcard_name_fault
from proa.core.config.kinds.destination_rule.schema import ClientTls, DestinationRule, Subset, TrafficPolicy
from proa.core.config.labels import check_labels
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)


def validate(spec: DestinationRule, meta: Meta) -> Iterator[Finding]:
    if fault := wildcard_name_fault(spec.host):
        yield Finding((*SPEC, "host"), "bad-value", fault)
    if spec.traffic_policy:
        yield from _check_policy(spec.traffic_policy, (*SPEC, "trafficPolicy"))
    yield from _check_subsets(spec.subsets, (*SPEC, "subsets"))
    yield from check_export_to(spec.export_to, meta.namespace, (*SPEC, "exportTo"))


def _check_subsets(subsets: tuple[Subset, ...], at: Path) -> Iterator[Finding]:
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
            yield from _check_policy(subset.traffic_policy, (*at, index, "trafficPolicy"))


def _check_policy(policy: TrafficPolicy, at: Path) -> Iterator[Finding]:
    if policy == TrafficPolicy():
        message = "an empty policy says nothing; add loadBalancer, connectionPool, outlierDetection or tls"
        yield Finding(at, "required", message)
    pool, outlier = policy.connection_pool, policy.outlier_detection
    if pool is not None and pool.tcp is None and pool.http is None:
        yield Finding((*at, "connectionPool"), "required", "an empty pool says nothing; add tcp or http")
    if outlier is not None and outlier.consecutive_errors:
        message = "consecutiveErrors is the old name; write consecutive5xxErrors or consecutiveGatewayErrors"
        yield warning((*at, "outlierDetection", "consecutiveErrors"), "deprecated", message)
    if policy.load_balancer is not None and policy.load_balancer.simple == "LEAST_CONN":
        message = "LEAST_CONN is the old name; write LEAST_REQUEST"
        yield warning((*at, "loadBalancer", "simple"), "deprecated", message)
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
    if tls.mode == "DISABLE" and (tls.sni or tls.subject_alt_names):
        yield warning(
            at, "no-effect", "without TLS there is no sni and no certificate to check; choose another mode"
        )
