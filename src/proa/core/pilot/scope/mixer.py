"""Who and where workloads are, as Mixer's attributes say it: of a server's port a Place, of a caller a Party.

Names are those of Kubernetes' adapter, which rules of 2018 were written for: a workload stands for a pod.
"""

from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.auth.spiffe import workload_id
from proa.core.mixer.api_specs import NO_APIS, ServiceApis, apis_for
from proa.core.mixer.asked import Party, Place
from proa.core.model.names import DOMAIN_SUFFIX, service_hostname
from proa.core.model.workload import InboundPort, Workload


def party_of(workload: Workload) -> Party:
    return Party(
        name=workload.id.name,
        namespace=workload.id.namespace,
        labels=workload.labels,
        account=workload.account,
        address=workload.bind,
    )


def service_attributes(host: str, namespace: str) -> Map[str, Value]:
    """Of the service that is called, by its host and the namespace that it is of."""
    name = host.removesuffix(f".{namespace}.{DOMAIN_SUFFIX}")
    return Map(
        {
            "destination.service": host,
            "destination.service.host": host,
            "destination.service.name": name,
            "destination.service.namespace": namespace,
            "destination.service.uid": f"istio://{namespace}/services/{name}",
        }
    )


def place_of(
    workload: Workload, port: InboundPort, trust_domain: str, apis: ServiceApis | None = None
) -> Place:
    """What is the same for all that comes in at a port. `destination.port` is the program's own. `apis`: what
    HTTPAPISpecs in force say of services."""
    namespace = workload.id.namespace
    host = service_hostname(port.service, namespace)
    principal = str(workload_id(trust_domain, namespace, workload.account)).removeprefix("spiffe://")
    attributes: dict[str, Value] = party_of(workload).attributes("destination")
    attributes |= {
        "destination.port": port.app_port,
        "destination.principal": principal,
        "destination.user": principal,
        **service_attributes(host, namespace),
        "context.reporter.kind": "inbound",
        "context.reporter.uid": attributes["destination.uid"],
    }
    told = apis_for(apis, host) if apis else NO_APIS
    return Place(attributes=Map({**told.constants, **attributes}), apis=told)
