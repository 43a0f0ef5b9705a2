"""Whether a route makes sense by itself: its own rules, then what today's kinds say to what it becomes. Called through
the kinds table.
"""

from collections.abc import Iterator, Mapping

from proa.core.config.gateway_api.attach import is_service
from proa.core.config.gateway_api.check.filters import OF_BACKENDS, check_filters
from proa.core.config.gateway_api.check.names import hostname_fault
from proa.core.config.gateway_api.check.references import check_parents, check_target
from proa.core.config.gateway_api.check.rules import check_grpc_rule, check_http_rule
from proa.core.config.gateway_api.rules import Place, Route, ruled
from proa.core.config.gateway_api.schema import BackendRef, GrpcRule, HttpRule, TcpRoute, TlsRoute
from proa.core.config.legacy.check import Reader
from proa.core.config.legacy.draft import SPEC
from proa.core.config.meta import Meta
from proa.core.config.path import Path, path_text
from proa.core.config.problem import Finding
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef

NETWORKING = "networking.istio.io"


def check_route(
    kind: str, spec: Route, meta: Meta, kinds: Mapping[tuple[str, str], Reader]
) -> Iterator[Finding]:
    """`kinds` is the table, for what the route becomes."""
    own = list(_check_route(spec))
    yield from own
    if any(finding.severity == "error" for finding in own):
        return
    ref = ObjectRef(kind, meta.namespace, meta.name)
    http: list[Json] = []
    drafts = [each.draft for each in ruled(ref, spec, Place(port=80, is_listener=True), is_service)]
    places = [place for index, draft in enumerate(drafts) for place in draft.below((*SPEC, "http", index))]
    http = [draft.value for draft in drafts]
    if not http:
        return
    found: list[Finding] = []
    today = Meta(name=meta.name, namespace=meta.namespace)
    value: Json = {"hosts": ["*"], "gateways": ["any"], "http": http}
    kinds[NETWORKING, "VirtualService"].read(value, today, found)
    for finding in found:
        if finding.severity == "error":
            near = [each for each in places if finding.path[: len(each.path)] == each.path]
            best = max(near, key=lambda each: len(each.path), default=None)
            where = f"VirtualService {path_text(finding.path)}"
            old = best.old if best else SPEC
            yield Finding(old, finding.code, f"{finding.message} (it becomes {where})")


def check_stream_route(spec: TlsRoute | TcpRoute, meta: Meta) -> Iterator[Finding]:
    yield from check_parents(spec.parent_refs)
    if isinstance(spec, TlsRoute):
        yield from _check_hostnames(spec.hostnames)
    if len(spec.rules) != 1:
        yield Finding((*SPEC, "rules"), "required", "exactly one rule is served; write one")
    for index, rule in enumerate(spec.rules):
        for number, backend in enumerate(rule.backend_refs):
            yield from check_target(backend, (*SPEC, "rules", index, "backendRefs", number))


def _check_route(spec: Route) -> Iterator[Finding]:
    yield from check_parents(spec.parent_refs)
    yield from _check_hostnames(spec.hostnames)
    rules: tuple[HttpRule | GrpcRule, ...] = spec.rules
    for index, rule in enumerate(rules):
        at = (*SPEC, "rules", index)
        if isinstance(rule, HttpRule):
            yield from check_http_rule(rule, at)
        else:
            yield from check_grpc_rule(rule, at)
        for number, backend in enumerate(rule.backend_refs):
            yield from _check_backend(backend, (*at, "backendRefs", number))


def _check_hostnames(hostnames: tuple[str, ...]) -> Iterator[Finding]:
    for index, host in enumerate(hostnames):
        if fault := hostname_fault(host):
            yield Finding((*SPEC, "hostnames", index), "bad-value", fault)


def _check_backend(backend: BackendRef, at: Path) -> Iterator[Finding]:
    yield from check_target(backend, at)
    yield from check_filters(backend.filters, (*at, "filters"), OF_BACKENDS, "a backend")
