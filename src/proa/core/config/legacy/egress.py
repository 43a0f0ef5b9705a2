"""An EgressRule as a ServiceEntry: a host, a family of hosts or a block of addresses that the mesh may call."""

from proa.core.config.hostnames import subnet_fault
from proa.core.config.legacy.draft import SPEC, Derived, Place
from proa.core.config.legacy.schema import EgressRule
from proa.core.config.path import Path
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef, service_hostname


def service_entry(ref: ObjectRef, rule: EgressRule) -> Derived:
    """A block of addresses has no name: it gets one of the rule's, for a ServiceEntry must have one."""
    named = rule.destination.service
    is_block = not subnet_fault(named)
    host = service_hostname(ref.name, ref.namespace) if is_block else named
    destination: Path = (*SPEC, "destination", "service")
    places = [Place((*SPEC, "hosts"), ref, destination)]
    spec: dict[str, Json] = {"hosts": [host]}
    if is_block:
        spec["addresses"] = [named]
        places.append(Place((*SPEC, "addresses"), ref, destination))
    ports: list[Json] = []
    for index, port in enumerate(rule.ports):
        places.append(Place((*SPEC, "ports", index), ref, (*SPEC, "ports", index)))
        places.append(Place((*SPEC, "ports", index, "number"), ref, (*SPEC, "ports", index, "port")))
        places.append(Place((*SPEC, "ports", index, "protocol"), ref, (*SPEC, "ports", index, "protocol")))
        ports.append({"name": f"{port.protocol}-{port.port}", "number": port.port, "protocol": port.protocol})
    spec["ports"] = ports
    return Derived(
        kind="ServiceEntry",
        namespace=ref.namespace,
        name=ref.name,
        spec=spec,
        sources=(ref,),
        places=tuple(places),
    )
