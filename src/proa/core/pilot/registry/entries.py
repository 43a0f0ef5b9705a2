"""ServiceEntry and WorkloadEntry as contributions to the service model."""

from typing import Final

from immutables import Map

from proa.core.auth.spiffe import workload_id
from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.export_to import visible_in
from proa.core.config.kinds.service_entry.schema import ServiceEntry, ServicePort
from proa.core.model.endpoint import Endpoint, TlsFact
from proa.core.model.locality import TrafficDistribution
from proa.core.model.names import ObjectRef
from proa.core.model.service import Selector, Service, normal_protocol
from proa.core.model.service import ServicePort as ModelPort
from proa.core.model.snapshot import Contribution, Instance, SelectedPort, ServiceClaim

TLS_MODE_LABEL: Final = "security.istio.io/tlsMode"
"""Istio's label by which an entry says that a sidecar with mesh mTLS stands at its address (`istio`)."""


def contribution_of_service_entry(
    ref: ObjectRef, spec: ServiceEntry, trust_domain: str, distribution: TrafficDistribution = ""
) -> Contribution:
    """One claim per host; every host of the entry has the same ports and endpoints. Ports of UDP are left out: no
    sidecar carries it."""
    carried = tuple(port for port in spec.ports if port.protocol.upper() != "UDP")
    ports = tuple(sorted(_model_port(port) for port in carried))
    accounts = {*spec.subject_alt_names, *_accounts(ref.namespace, spec.endpoints, trust_domain)}
    selector = spec.workload_selector
    claims = tuple(
        ServiceClaim(
            service=Service(
                hostname=host.lower(),
                namespace=ref.namespace,
                ports=ports,
                resolution=spec.resolution,
                mesh_external=spec.location == "MESH_EXTERNAL",
                addresses=tuple(sorted(spec.addresses)),
                accounts=tuple(sorted(accounts)),
                visible_in=visible_in(spec.export_to, ref.namespace),
                distribution=distribution,
                sources=(ref,),
            ),
            says_who_sees=bool(spec.export_to),
            endpoints=_endpoints(ref.namespace, host, spec, carried, trust_domain),
            selector=Selector(namespace=ref.namespace, labels=selector.labels) if selector else None,
            selected_ports=tuple(
                SelectedPort(port=_model_port(port), target=port.target_port or port.number)
                for port in carried
            ),
        )
        for host in spec.hosts
    )
    return Contribution(source=ref, claims=claims)


def contribution_of_workload_entry(ref: ObjectRef, spec: WorkloadEntry, trust_domain: str) -> Contribution:
    """An instance that selectors of its namespace may pick."""
    if not spec.address:
        return Contribution(source=ref)
    template = _endpoint(ref.namespace, spec, port=0, service_port=0, trust_domain=trust_domain)
    instance = Instance(namespace=ref.namespace, labels=spec.labels, ports=spec.ports, template=template)
    return Contribution(source=ref, instances=(instance,))


def _model_port(port: ServicePort) -> ModelPort:
    return ModelPort(number=port.number, name=port.name, protocol=normal_protocol(port.protocol))


def _accounts(namespace: str, entries: tuple[WorkloadEntry, ...], trust_domain: str) -> set[str]:
    accounts = {entry.service_account for entry in entries if entry.service_account}
    return {str(workload_id(trust_domain, namespace, account)) for account in accounts}


def _endpoints(
    namespace: str, host: str, spec: ServiceEntry, ports: tuple[ServicePort, ...], trust_domain: str
) -> tuple[Endpoint, ...]:
    """An entry without an address stands behind a network's gateway, of which nothing is known here."""
    entries = spec.endpoints
    if not entries and spec.resolution in ("DNS", "DNS_ROUND_ROBIN") and spec.workload_selector is None:
        entries = (WorkloadEntry(address=host),)
    return tuple(
        _endpoint(
            namespace,
            entry,
            port=entry.ports.get(port.name, port.target_port or port.number),
            service_port=port.number,
            trust_domain=trust_domain,
        )
        for entry in entries
        if entry.address
        for port in ports
    )


def _endpoint(
    namespace: str, entry: WorkloadEntry, *, port: int, service_port: int, trust_domain: str
) -> Endpoint:
    fact: TlsFact = "mutual" if entry.labels.get(TLS_MODE_LABEL) == "istio" else "disabled"
    account = (
        str(workload_id(trust_domain, namespace, entry.service_account)) if entry.service_account else ""
    )
    return Endpoint(
        address=entry.address,
        port=port,
        service_port=service_port,
        labels=entry.labels or Map(),
        network=entry.network,
        locality=entry.locality,
        weight=max(1, entry.weight),
        tls=fact,
        account=account,
    )
