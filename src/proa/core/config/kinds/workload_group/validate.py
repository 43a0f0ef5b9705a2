"""Whether a WorkloadGroup makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

import msgspec

from proa.core.config.endpoint import check_endpoint
from proa.core.config.headers import header_name_fault
from proa.core.config.kinds.workload_group.schema import ReadinessProbe, WorkloadGroup
from proa.core.config.labels import check_labels
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import shorten

SPEC: Path = ("spec",)
# Stands in for the address that each entry of the group will have.
_ANY_ADDRESS = "192.0.2.1"


def validate(spec: WorkloadGroup, meta: Meta) -> Iterator[Finding]:
    if spec.metadata is not None:
        yield from check_labels(spec.metadata.labels, (*SPEC, "metadata", "labels"))
    at = (*SPEC, "template")
    if spec.template.address:
        message = "each entry of the group brings its own address; remove it"
        yield warning((*at, "address"), "no-effect", message)
    if spec.template.labels:
        message = "labels of the entries stand in spec.metadata.labels; move them there"
        yield warning((*at, "labels"), "no-effect", message)
    entry = msgspec.structs.replace(spec.template, address=spec.template.address or _ANY_ADDRESS)
    yield from check_endpoint(entry, at)
    if spec.metadata is not None and spec.metadata.annotations:
        message = "nothing reads the annotations of a workload that runs; remove them"
        yield warning((*SPEC, "metadata", "annotations"), "no-effect", message)
    if spec.probe is not None:
        yield from _check_probe(spec.probe, (*SPEC, "probe"))


def _check_probe(probe: ReadinessProbe, at: Path) -> Iterator[Finding]:
    ways = {"httpGet": probe.http_get, "tcpSocket": probe.tcp_socket, "exec": probe.exec, "grpc": probe.grpc}
    given = [name for name, value in ways.items() if value is not None]
    if not given:
        yield Finding(at, "required", f"one of {', '.join(ways)} is required; add one")
    elif len(given) > 1:
        yield Finding(at, "conflict", f"{' and '.join(given)} exclude each other; keep one")
    if probe.http_get is not None:
        place = (*at, "httpGet")
        if probe.http_get.scheme.upper() not in ("", "HTTP", "HTTPS"):
            message = f'"{shorten(probe.http_get.scheme)}" is no scheme; write HTTP or HTTPS'
            yield Finding((*place, "scheme"), "bad-value", message)
        if probe.http_get.path and not probe.http_get.path.startswith("/"):
            yield Finding((*place, "path"), "bad-value", "a path begins with a slash; write it")
        for index, header in enumerate(probe.http_get.http_headers):
            if header.name and (fault := header_name_fault(header.name)):
                yield Finding((*place, "httpHeaders", index, "name"), "bad-value", fault)
    if probe.exec is not None and not any(probe.exec.command):
        yield Finding((*at, "exec", "command"), "required", "a probe needs a command; write it")
