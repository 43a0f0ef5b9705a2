"""Why a client does not know a host by the name it used: it is hidden, elsewhere, or nowhere. For explanations."""

from proa.core.config.near_names import suggestion
from proa.core.model.names import short_names
from proa.core.model.service import Service
from proa.core.model.snapshot import MeshSnapshot
from proa.core.pilot.scope.scope import Scope
from proa.core.pilot.scope.views import imported_service


def why_unknown(snapshot: MeshSnapshot, scope: Scope, name: str) -> str:
    """`name` is without its port. Looks at every service: it is asked by people."""
    hidden = [
        why
        for service in snapshot.services.values()
        if name in short_names(service.hostname, scope.namespace)
        and (why := _why_hidden(snapshot, scope, service))
    ]
    if hidden:
        return hidden[0]
    seen = sorted(host for host in snapshot.services if imported_service(snapshot, scope, host))
    elsewhere = [host for host in seen if host.split(".")[0] == name]
    if elsewhere:
        service = snapshot.services[elsewhere[0]]
        return f"namespace {service.namespace} has one of that name: {name}.{service.namespace}"
    spellings = {each for host in seen for each in short_names(host, scope.namespace)}
    return f"no service or ServiceEntry is called {name}{suggestion(name, spellings)}"


def _why_hidden(snapshot: MeshSnapshot, scope: Scope, service: Service) -> str:
    if not service.is_seen_from(scope.namespace):
        seen_by = ", ".join(service.visible_in) or "nobody"
        return f"{service.hostname} is exported to {seen_by} only (exportTo), not to {scope.namespace}"
    imported = imported_service(snapshot, scope, service.hostname)
    if imported is None:
        return f"{service.hostname} is not among the egress hosts of this workload's Sidecar"
    if imported.ports and not any(
        scope.hears(port.number, service.namespace, service.hostname) for port in imported.ports
    ):
        return f"{service.hostname} is called at listeners of the Sidecar's own alone (captureMode NONE)"
    return ""
