"""What operators have said of a workload before it is placed: how its proxy runs, and the group that it joins.

Asked once per start by the agent, through the owner of registrations; an object that is changed counts from then on.
"""

from collections.abc import Iterator, Mapping

from immutables import Map
from msgspec.structs import replace

from proa.core.config.config import Config
from proa.core.config.kinds.proxy_config.schema import ProxyConfig
from proa.core.config.kinds.workload_group.schema import ReadinessProbe, WorkloadGroup
from proa.core.model.names import ObjectRef
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.scope.index import RuleIndex
from proa.core.sidecar.session import GroupPlan, PlanReply, PlanRequest
from proa.core.sidecar.spec import HealthCheck


def plan_of(snapshot: MeshSnapshot, index: RuleIndex, request: PlanRequest) -> PlanReply:
    """The group's labels count for ProxyConfigs too."""
    group = _group(snapshot, request)
    labels = request.labels if group is None else group.labels.update(request.labels)
    settings = snapshot.settings
    concurrency, environment = settings.concurrency, dict(settings.proxy_environment)
    for spec in _in_force(snapshot, index, request.id.namespace, labels):
        concurrency = concurrency if spec.concurrency is None else spec.concurrency
        environment |= dict(spec.environment_variables)
    return PlanReply(group=group, concurrency=concurrency, environment=Map(environment))


def _in_force(
    snapshot: MeshSnapshot, index: RuleIndex, namespace: str, labels: Mapping[str, str]
) -> Iterator[ProxyConfig]:
    """The widest first: the root namespace's, the workload's namespace's, those that name the workload. Of several
    alike the last by name."""
    root = snapshot.settings.root_namespace
    found: list[tuple[int, str, ProxyConfig]] = []
    for ref in index.proxy_configs:
        config = snapshot.configs[ref]
        if not isinstance(config, Config) or not isinstance(config.spec, ProxyConfig):
            continue
        selector = config.spec.selector.match_labels if config.spec.selector else Map[str, str]()
        if all(labels.get(key) == value for key, value in selector.items()):
            if ref.namespace == namespace:
                found.append((2 if selector else 1, ref.name, config.spec))
            elif ref.namespace == root:
                found.append((0, ref.name, config.spec))
    yield from (spec for _, _, spec in sorted(found, key=lambda each: each[:2]))


def _group(snapshot: MeshSnapshot, request: PlanRequest) -> GroupPlan | None:
    config = snapshot.configs.get(ObjectRef("WorkloadGroup", request.id.namespace, request.group))
    if not isinstance(config, Config) or not isinstance(config.spec, WorkloadGroup):
        return None
    spec, template = config.spec, config.spec.template
    return GroupPlan(
        labels=spec.metadata.labels if spec.metadata else Map(),
        account=template.service_account,
        ports=tuple(sorted(template.ports.items())),
        network=template.network,
        locality=template.locality,
        weight=template.weight,
        health=_health(spec.probe) if spec.probe else None,
    )


def _health(probe: ReadinessProbe) -> HealthCheck:
    """Zero is not set: 1 s, 10 s, 1 success, 3 failures."""
    times = HealthCheck(
        interval_ms=1000 * (probe.period_seconds or 10),
        timeout_ms=1000 * (probe.timeout_seconds or 1),
        healthy_threshold=probe.success_threshold or 1,
        unhealthy_threshold=probe.failure_threshold or 3,
        initial_delay_ms=1000 * probe.initial_delay_seconds,
    )
    return _way(probe, times)


def _way(probe: ReadinessProbe, times: HealthCheck) -> HealthCheck:
    if (http := probe.http_get) is not None:
        return replace(
            times,
            kind="http",
            path=http.path or "/",
            app_port=http.port,
            host=http.host,
            is_tls=http.scheme.upper() == "HTTPS",
            headers=tuple((each.name, each.value) for each in http.http_headers),
        )
    if (tcp := probe.tcp_socket) is not None:
        return replace(times, kind="tcp", app_port=tcp.port, host=tcp.host)
    if (grpc := probe.grpc) is not None:
        return replace(times, kind="grpc", app_port=grpc.port, grpc_service=grpc.service)
    return replace(times, kind="exec", command=probe.exec.command if probe.exec else ())
