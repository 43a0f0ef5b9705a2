"""Whether a ServiceEntry makes sense: Istio's rules for the fields of its schema. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.endpoint import WorkloadEntry, check_endpoint, is_unix
from proa.core.config.export_to import check_export_to
from proa.core.config.hostnames import is_dns_label, is_ip, subnet_fault, wildcard_name_fault
from proa.core.config.kinds.service_entry.schema import ServiceEntry, ServicePort
from proa.core.config.labels import check_selector
from proa.core.config.locality import check_distribution
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.protocols import KNOWN_PROTOCOLS, is_http, is_known, is_tls
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)


def validate(spec: ServiceEntry, meta: Meta) -> Iterator[Finding]:
    yield from _check_hosts(spec)
    yield from _check_addresses(spec)
    yield from _check_ports(spec.ports, (*SPEC, "ports"))
    yield from _check_workloads(spec)
    yield from _check_resolution(spec)
    yield from check_export_to(spec.export_to, meta.namespace, (*SPEC, "exportTo"), may_hide=True)
    yield from check_distribution(meta.annotations)
    for index, name in enumerate(spec.subject_alt_names):
        if not name:
            yield Finding(
                (*SPEC, "subjectAltNames", index), "bad-value", "a name is empty; write it or remove it"
            )


def _check_hosts(spec: ServiceEntry) -> Iterator[Finding]:
    at = (*SPEC, "hosts")
    if not spec.hosts:
        yield Finding(at, "required", "at least one host is required; add one")
    for index, host in enumerate(spec.hosts):
        if host == "*":
            yield Finding(
                (*at, index), "bad-value", "the host cannot be * alone; write a name like *.example.com"
            )
        elif fault := wildcard_name_fault(host):
            yield Finding((*at, index), "bad-value", fault)
        elif host in spec.hosts[:index]:
            yield Finding((*at, index), "duplicate", f'"{host}" is listed already; remove one')
    can_tell_apart = all(is_http(port.protocol) or is_tls(port.protocol) for port in spec.ports)
    if len(spec.hosts) > 1 and spec.resolution != "NONE" and not can_tell_apart:
        message = (
            "several hosts cannot be told apart on a port without HTTP or TLS; write one entry for each host"
        )
        yield Finding(at, "conflict", message)


def _check_addresses(spec: ServiceEntry) -> Iterator[Finding]:
    at = (*SPEC, "addresses")
    for index, address in enumerate(spec.addresses):
        if fault := subnet_fault(address):
            yield Finding((*at, index), "bad-value", fault)
    if spec.resolution not in ("NONE", "STATIC") and any("/" in address for address in spec.addresses):
        yield Finding(
            at,
            "conflict",
            "CIDR blocks are allowed only with the resolution NONE or STATIC; change one of both",
        )


def _check_ports(ports: tuple[ServicePort, ...], at: Path) -> Iterator[Finding]:
    names: set[str] = set()
    numbers: set[int] = set()
    for index, port in enumerate(ports):
        if port.name in names:
            yield Finding(
                (*at, index, "name"),
                "duplicate",
                f'the port name "{shorten(port.name)}" is taken; rename one',
            )
        elif not is_dns_label(port.name):
            message = (
                f'"{shorten(port.name)}" is no port name; write letters, digits and inner dashes, at most 63'
            )
            yield Finding((*at, index, "name"), "bad-value", message)
        if port.number in numbers:
            yield Finding(
                (*at, index, "number"), "duplicate", f"the port {port.number} is there already; remove one"
            )
        if port.protocol and not is_known(port.protocol):
            message = f'"{shorten(port.protocol)}" is no protocol; write one of {", ".join(KNOWN_PROTOCOLS)}'
            yield Finding((*at, index, "protocol"), "bad-value", message)
        names.add(port.name)
        numbers.add(port.number)


def _check_workloads(spec: ServiceEntry) -> Iterator[Finding]:
    if spec.workload_selector is not None:
        yield from check_selector(spec.workload_selector.labels, (*SPEC, "workloadSelector", "labels"))
        if spec.endpoints:
            yield Finding(
                SPEC, "conflict", "only one of workloadSelector and endpoints can be set; remove one"
            )
    names = {port.name for port in spec.ports}
    for index, endpoint in enumerate(spec.endpoints):
        at = (*SPEC, "endpoints", index)
        yield from check_endpoint(endpoint, at)
        for name in endpoint.ports:
            if name not in names:
                message = (
                    f'the entry has no port named "{shorten(name)}"; add it to spec.ports or remove it here'
                )
                yield Finding((*at, "ports", name), "bad-value", message)


def _check_resolution(spec: ServiceEntry) -> Iterator[Finding]:
    at = (*SPEC, "endpoints")
    match spec.resolution:
        case "NONE":
            if spec.endpoints:
                message = (
                    "resolution NONE goes where the caller goes and has no endpoints; write STATIC or DNS"
                )
                yield Finding(SPEC, "conflict", message)
        case "STATIC":
            for index, endpoint in enumerate(spec.endpoints):
                yield from _check_static(endpoint, (*at, index, "address"))
            if any(map(is_unix, spec.endpoints)) and len(spec.ports) != 1:
                yield Finding(
                    (*SPEC, "ports"), "conflict", "a Unix socket serves exactly one port; write one"
                )
        case "DNS" | "DNS_ROUND_ROBIN":
            yield from _check_dns(spec)
        case "DYNAMIC_DNS":
            yield from _check_dynamic(spec)


def _check_static(endpoint: WorkloadEntry, at: Path) -> Iterator[Finding]:
    if endpoint.address and not is_unix(endpoint) and not is_ip(endpoint.address):
        message = f'"{shorten(endpoint.address)}" is no IP address; write one, or set the resolution to DNS'
        yield Finding(at, "bad-value", message)


def _check_dns(spec: ServiceEntry) -> Iterator[Finding]:
    if not spec.endpoints:
        for index, host in enumerate(spec.hosts):
            if host != "*" and "*" in host and not wildcard_name_fault(host):
                message = (
                    f'"{host}" cannot be looked up in DNS; write full names, add endpoints, or choose NONE'
                )
                yield Finding((*SPEC, "hosts", index), "conflict", message)
    if spec.resolution == "DNS_ROUND_ROBIN" and len(spec.endpoints) > 1:
        message = "DNS_ROUND_ROBIN is about one name; keep one endpoint, or set the resolution to DNS"
        yield Finding((*SPEC, "endpoints"), "conflict", message)
    for index, endpoint in enumerate(spec.endpoints):
        if is_unix(endpoint):
            message = "a Unix socket cannot be looked up in DNS; set the resolution to STATIC"
            yield Finding((*SPEC, "endpoints", index, "address"), "conflict", message)


def _check_dynamic(spec: ServiceEntry) -> Iterator[Finding]:
    """What callers ask for is looked up: it must be told from their requests, and it is all that there is."""
    for index, host in enumerate(spec.hosts):
        if not host.startswith("*."):
            message = f'"{shorten(host)}" is one name; write a wildcard like *.example.com, or choose DNS'
            yield Finding((*SPEC, "hosts", index), "conflict", message)
    if spec.endpoints:
        message = "DYNAMIC_DNS looks up what callers ask for and has no endpoints; remove them"
        yield Finding((*SPEC, "endpoints"), "conflict", message)
    if spec.workload_selector is not None:
        message = "DYNAMIC_DNS looks up what callers ask for and has no workloads; remove the selector"
        yield Finding((*SPEC, "workloadSelector"), "conflict", message)
    for index, port in enumerate(spec.ports):
        at = (*SPEC, "ports", index)
        if not is_http(port.protocol) and not is_tls(port.protocol):
            message = "what callers ask for is not told on such a port; set the protocol to HTTP or TLS"
            yield Finding((*at, "protocol"), "conflict", message)
        if port.target_port not in (None, port.number):
            message = "with DYNAMIC_DNS the port that was asked for is called; remove targetPort"
            yield Finding((*at, "targetPort"), "conflict", message)
