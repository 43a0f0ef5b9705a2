"""One address behind a service, with every fact a client's sidecar needs to choose it and to trust it."""

from typing import Literal

import msgspec
from immutables import Map

from proa.core.model.digest import digest_of

Health = Literal["HEALTHY", "UNHEALTHY", "DRAINING"]
TlsFact = Literal["mutual", "disabled"]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """`address` is an IP, a DNS name (DNS services only) or `unix://PATH`; `weight` >= 1; `tls` says whether a
    sidecar stands there that takes mesh mTLS; `account` is the SPIFFE id it is expected to show."""

    address: str
    port: int
    service_port: int
    labels: Map[str, str] = msgspec.field(default_factory=Map)
    workload: str = ""
    network: str = ""
    cluster: str = ""
    locality: str = ""
    weight: int = 1
    health: Health = "HEALTHY"
    tls: TlsFact = "disabled"
    account: str = ""

    def has_labels(self, wanted: Map[str, str]) -> bool:
        return all(self.labels.get(key) == value for key, value in wanted.items())

    @property
    def is_named(self) -> bool:
        """Whether the address is a DNS name: the last part of a name is no number."""
        is_address = ":" in self.address or self.address.rpartition(".")[2].isdecimal()
        return bool(self.address) and not is_address

    @property
    def sort_key(self) -> tuple[int, str, int, str]:
        return (self.service_port, self.address, self.port, self.workload)


class EndpointSet(msgspec.Struct, frozen=True, kw_only=True):
    """All endpoints of one host, sorted, with the digest that tells two sets apart."""

    endpoints: tuple[Endpoint, ...] = ()
    digest: str = ""


def build_endpoint_set(endpoints: tuple[Endpoint, ...]) -> EndpointSet:
    """Order of arrival does not matter: equal members give an equal set."""
    ordered = tuple(sorted(endpoints, key=lambda endpoint: endpoint.sort_key))
    return EndpointSet(endpoints=ordered, digest=digest_of(ordered))
