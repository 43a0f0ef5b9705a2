"""What a user asks to have placed, completed by what operators have said of it: a WorkloadGroup, a ProxyConfig.

The agent asks the control plane (`session.PlanRequest`) and places what `planned` makes of the answer. What users write
themselves counts; a group fills in what they did not. Later changes of these objects count at the next start.
"""

import msgspec

from proa.core.model.digest import digest_of
from proa.core.sidecar.session import GroupPlan, PlanReply
from proa.core.sidecar.spec import PROTOCOLS, PortSpec, WorkloadSpec


def planned(spec: WorkloadSpec, reply: PlanReply) -> WorkloadSpec:
    """With what the reply says; `written` tells it from one that was asked for so."""
    full = spec if reply.group is None else _joined(spec, reply.group)
    full = msgspec.structs.replace(full, concurrency=reply.concurrency, environment=reply.environment)
    return full if full == spec else msgspec.structs.replace(full, written=digest_of(spec))


def is_made_of(spec: WorkloadSpec, asked: WorkloadSpec) -> bool:
    """Whether a placed spec is what somebody asked for."""
    return spec.written == digest_of(asked) if spec.written else spec == asked


def _joined(spec: WorkloadSpec, group: GroupPlan) -> WorkloadSpec:
    service = spec.service or spec.name
    labels = group.labels.update(spec.labels)
    ports = spec.ports or tuple(
        PortSpec(service=service, service_port=number, app_port=number, protocol=_protocol(name), name=name)
        for name, number in group.ports
    )
    return msgspec.structs.replace(
        spec,
        labels=labels if "app" in labels else labels.set("app", service),
        ports=ports,
        account=spec.account or group.account,
        network=spec.network or group.network,
        locality=spec.locality or group.locality,
        weight=group.weight if spec.weight == 1 and group.weight else spec.weight,
        health=spec.health or ((group.health,) if group.health is not None and ports else ()),
    )


def _protocol(name: str) -> str:
    """Istio's way to name ports: what stands before the first dash."""
    word = name.partition("-")[0].upper()
    return word if word in PROTOCOLS else "AUTO"
