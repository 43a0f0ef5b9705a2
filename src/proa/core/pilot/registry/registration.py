"""A workload registered by a node agent as a contribution to the service model."""

from collections.abc import Mapping

from immutables import Map

from proa.core.auth.peer_policy import PortTls
from proa.core.auth.spiffe import workload_id
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef, WorkloadId, expand_host, service_hostname
from proa.core.model.service import Service, ServicePort, normal_protocol
from proa.core.model.snapshot import WORKLOAD_SOURCE, Contribution, Instance, ServiceClaim
from proa.core.model.workload import GatewayPort, InboundPort, UpstreamListener, Workload
from proa.core.sidecar.session import RegisteredPort, Registration


def workload_source(workload: WorkloadId) -> ObjectRef:
    return ObjectRef(WORKLOAD_SOURCE, workload.namespace, workload.name)


def contribution_of_registration(
    registration: Registration,
    *,
    accounts: Mapping[str, tuple[str, ...]],
    port_tls: Mapping[int, PortTls],
    trust_domain: str,
) -> Contribution:
    """`accounts`: per service name the accounts that may serve it (from objects and grants, never from the
    registration itself); `port_tls`: per service port where its TLS mode stands."""
    claims = tuple(
        ServiceClaim(
            service=_service(registration, name, accounts.get(name, ()), trust_domain),
            says_who_sees=False,
            endpoints=tuple(
                _endpoint(registration, port, port_tls, trust_domain)
                for port in registration.ports
                if port.service == name and port.health != "STARTING"
            ),
        )
        for name in registration.services
    )
    return Contribution(
        source=workload_source(registration.id),
        claims=claims,
        instances=_instances(registration, port_tls, trust_domain),
        workload=_workload(registration, port_tls),
    )


def _service(registration: Registration, name: str, accounts: tuple[str, ...], trust_domain: str) -> Service:
    namespace = registration.id.namespace
    ports = {
        port.service_port: ServicePort(
            number=port.service_port, name=port.name, protocol=normal_protocol(port.protocol)
        )
        for port in registration.ports
        if port.service == name
    }
    return Service(
        hostname=service_hostname(name, namespace),
        namespace=namespace,
        ports=tuple(sorted(ports.values())),
        accounts=tuple(sorted(str(workload_id(trust_domain, namespace, account)) for account in accounts)),
        sources=(workload_source(registration.id),),
    )


def _endpoint(
    registration: Registration, port: RegisteredPort, port_tls: Mapping[int, PortTls], trust_domain: str
) -> Endpoint:
    proxyless = registration.kind == "proxyless"
    return Endpoint(
        address=registration.address,
        port=port.sidecar_port,
        service_port=port.service_port,
        labels=registration.labels,
        workload=str(registration.id),
        network=registration.network,
        cluster=registration.cluster,
        locality=registration.locality,
        weight=registration.weight,
        health="UNHEALTHY" if port.health == "STARTING" else port.health,
        tls="disabled" if proxyless else port_tls[port.service_port].advertised,
        account=str(workload_id(trust_domain, registration.id.namespace, registration.account)),
    )


def _instances(
    registration: Registration, port_tls: Mapping[int, PortTls], trust_domain: str
) -> tuple[Instance, ...]:
    """What selectors of ServiceEntries may pick: only workloads with a port, each port under its name and number."""
    started = [port for port in registration.ports if port.health != "STARTING"]
    if not started:
        return ()
    ports = {port.name: port.sidecar_port for port in started if port.name}
    ports |= {str(port.service_port): port.sidecar_port for port in started}
    templates = {port.sidecar_port: _endpoint(registration, port, port_tls, trust_domain) for port in started}
    return (
        Instance(
            namespace=registration.id.namespace,
            labels=registration.labels,
            ports=Map(ports),
            template=templates[started[0].sidecar_port],
            templates=Map(templates),
        ),
    )


def _workload(registration: Registration, port_tls: Mapping[int, PortTls]) -> Workload:
    namespace = registration.id.namespace
    return Workload(
        id=registration.id,
        kind=registration.kind,
        node=registration.node,
        account=registration.account,
        labels=registration.labels,
        bind=registration.address,
        locality=registration.locality,
        network=registration.network,
        outbound_port=registration.outbound_port or 0,
        inbound=tuple(
            sorted(
                InboundPort(
                    service_port=port.service_port,
                    service=port.service,
                    protocol=normal_protocol(port.protocol),
                    app_port=port.app_port,
                    sidecar_port=port.sidecar_port,
                    mode=port_tls[port.service_port].serving,
                )
                for port in registration.ports
            )
        ),
        upstreams=tuple(
            sorted(
                UpstreamListener(
                    host=expand_host(upstream.host, namespace),
                    port=upstream.port,
                    local_port=upstream.local_port,
                )
                for upstream in registration.upstreams
            )
        ),
        gateway_ports=tuple(
            sorted(
                GatewayPort(
                    port=port.server_port, bound_port=port.bound_port, address=port.address, fault=port.fault
                )
                for port in registration.gateway_ports
            )
        ),
        knows_partners=registration.knows_partners,
    )
