"""Whether a Sidecar makes sense: Istio's rules for the fields of its schema. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.hostnames import sidecar_host_fault
from proa.core.config.kinds.sidecar.schema import EgressListener, Sidecar
from proa.core.config.labels import check_selector
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning

SPEC: Path = ("spec",)


def validate(spec: Sidecar, meta: Meta) -> Iterator[Finding]:
    labels = spec.workload_selector.labels if spec.workload_selector else {}
    yield from check_selector(labels, (*SPEC, "workloadSelector", "labels"))
    if not spec.egress and spec.outbound_traffic_policy is None:
        yield Finding(SPEC, "required", "a Sidecar must say something; add egress or outboundTrafficPolicy")
    at = (*SPEC, "egress")
    for index in range(1, len(spec.egress)):
        message = "only the last listener may be without a port; write all hosts in one list"
        yield Finding((*at, index), "conflict", message)
    for index, listener in enumerate(spec.egress):
        yield from _check_hosts(listener, meta.namespace, (*at, index, "hosts"))


def _check_hosts(listener: EgressListener, namespace: str, at: Path) -> Iterator[Finding]:
    if not listener.hosts:
        yield Finding(at, "required", "at least one host is required; write ~/* for none")
    seen: set[str] = set()
    for index, host in enumerate(listener.hosts):
        if fault := sidecar_host_fault(host):
            yield Finding((*at, index), "bad-value", fault)
            continue
        owner, _, name = host.partition("/")
        meant = f"{namespace if owner == '.' else owner}/{name.lower()}"
        if meant in seen:
            yield warning((*at, index), "no-effect", f'"{host}" is listed already; remove one')
        seen.add(meant)
    if seen and all(host.startswith("~") and not host.startswith("~/") for host in seen):
        message = "nothing is imported that could be taken out; add */* to import all the rest"
        yield warning(at, "no-effect", message)
