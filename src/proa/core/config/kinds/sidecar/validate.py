"""Whether a Sidecar makes sense: Istio's rules for its fields. Called through the kinds table."""

import re
from collections.abc import Iterator

from proa.core.config.hostnames import is_ip, name_fault, wildcard_name_fault
from proa.core.config.kinds.sidecar.schema import Egress, Ingress, OutboundTrafficPolicy, Sidecar, SidecarPort
from proa.core.config.labels import check_selector, is_namespace_name
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.protocols import KNOWN_PROTOCOLS, is_known
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
_ENDPOINT = re.compile(r"(127\.0\.0\.1|0\.0\.0\.0|\[::1\]|\[::\]):([0-9]{1,5})")
_UNIX = "unix://"


def validate(spec: Sidecar, meta: Meta) -> Iterator[Finding]:
    if spec.workload_selector is not None:
        yield from check_selector(spec.workload_selector.labels, (*SPEC, "workloadSelector", "labels"))
    settings = (spec.inbound_connection_pool, spec.outbound_traffic_policy)
    if not spec.egress and not spec.ingress and settings == (None, None):
        yield Finding(SPEC, "required", "an empty Sidecar says nothing; add egress, ingress or a policy")
    yield from _check_ingresses(spec.ingress)
    yield from _check_egresses(spec.egress)
    if spec.outbound_traffic_policy is not None:
        yield from _check_policy(spec.outbound_traffic_policy, (*SPEC, "outboundTrafficPolicy"))


def _check_ingresses(listeners: tuple[Ingress, ...]) -> Iterator[Finding]:
    taken: set[int] = set()
    for index, listener in enumerate(listeners):
        at = (*SPEC, "ingress", index)
        yield from _check_port(listener.port, (*at, "port"))
        if listener.port.number in taken:
            message = f"the port {listener.port.number} is there already; remove one"
            yield Finding((*at, "port", "number"), "duplicate", message)
        taken.add(listener.port.number)
        if listener.bind and not is_ip(listener.bind):
            message = f'"{shorten(listener.bind)}" is no IP address; write one'
            yield Finding((*at, "bind"), "bad-value", message)
        if listener.default_endpoint and (fault := _endpoint_fault(listener.default_endpoint)):
            yield Finding((*at, "defaultEndpoint"), "bad-value", fault)
        if listener.tls is not None:
            if listener.tls.mode not in ("SIMPLE", "MUTUAL"):
                message = f"a sidecar cannot do {listener.tls.mode} here; write SIMPLE or MUTUAL"
                yield Finding((*at, "tls", "mode"), "bad-value", message)
            if listener.tls.https_redirect:
                message = "a sidecar redirects nobody; remove httpsRedirect"
                yield Finding((*at, "tls", "httpsRedirect"), "bad-value", message)


def _endpoint_fault(text: str) -> str | None:
    if text.startswith(_UNIX):
        path = text.removeprefix(_UNIX)
        is_fine = path.startswith("@") or (path.startswith("/") and not path.endswith("/"))
        return (
            None
            if is_fine
            else f'"{shorten(text)}" is no socket; write unix:///absolute/path or unix://@name'
        )
    found = _ENDPOINT.fullmatch(text)
    if found is not None and 1 <= int(found[2]) <= 65535:
        return None
    return f'"{shorten(text)}" is no place of the workload; write 127.0.0.1:port, [::1]:port, 0.0.0.0:port or unix://'


def _check_egresses(listeners: tuple[Egress, ...]) -> Iterator[Finding]:
    everything: int | None = None
    taken: set[tuple[int, str]] = set()
    for index, listener in enumerate(listeners):
        at = (*SPEC, "egress", index)
        if listener.port is None:
            if listener.bind.startswith(_UNIX):
                yield Finding((*at, "port"), "required", "a socket needs a port's protocol; add port")
            if everything is not None:
                message = f"egress[{everything}] without a port takes all ports already; add a port"
                yield Finding((*at, "port"), "duplicate", message)
            everything = index
        else:
            yield from _check_port(listener.port, (*at, "port"))
            if (listener.port.number, listener.bind) in taken:
                message = f"the port {listener.port.number} is there already; remove one"
                yield Finding((*at, "port", "number"), "duplicate", message)
            taken.add((listener.port.number, listener.bind))
        if listener.bind and not is_ip(listener.bind) and not listener.bind.startswith(_UNIX):
            message = f'"{shorten(listener.bind)}" is no IP address and no unix:// socket; write one'
            yield Finding((*at, "bind"), "bad-value", message)
        if not listener.hosts:
            yield Finding((*at, "hosts"), "required", "at least one host is required; write one like ./*")
        for number, host in enumerate(listener.hosts):
            if fault := _host_fault(host):
                yield Finding((*at, "hosts", number), "bad-value", fault)


def _host_fault(text: str) -> str | None:
    namespace, slash, host = text.partition("/")
    if not slash or not namespace or not host:
        return f'"{shorten(text)}" needs a namespace and a name, like ./* or default/reviews.default.svc.cluster.local'
    plain = namespace.removeprefix("~") if len(namespace) > 1 else namespace
    if plain not in ("*", ".", "~") and not is_namespace_name(plain):
        return f'"{shorten(namespace)}" is no namespace; write a name, ., * or ~'
    if namespace == "~" and host != "*":
        return "~ is no namespace at all; write ~/*"
    return None if host == "*" else wildcard_name_fault(host)


def _check_port(port: SidecarPort, at: Path) -> Iterator[Finding]:
    if port.protocol and not is_known(port.protocol):
        message = f'"{shorten(port.protocol)}" is no protocol; write one of {", ".join(KNOWN_PROTOCOLS)}'
        yield Finding((*at, "protocol"), "bad-value", message)


def _check_policy(policy: OutboundTrafficPolicy, at: Path) -> Iterator[Finding]:
    proxy = policy.egress_proxy
    if proxy is None:
        return
    if policy.mode != "ALLOW_ANY":
        message = "only with ALLOW_ANY is there traffic for an egress proxy; write mode: ALLOW_ANY"
        yield Finding((*at, "egressProxy"), "conflict", message)
    if proxy.host and (fault := name_fault(proxy.host)):
        yield Finding((*at, "egressProxy", "host"), "bad-value", fault)
    if proxy.port is None:
        yield Finding((*at, "egressProxy", "port"), "required", "an egress proxy needs a port; add it")
