"""What a service is in the mesh, whichever source told of it."""

from typing import Literal

import msgspec
from immutables import Map

from proa.core.model.locality import TrafficDistribution
from proa.core.model.names import ObjectRef

Protocol = Literal["HTTP", "HTTP2", "GRPC", "TCP", "TLS", "AUTO"]
"""What a port speaks. AUTO is told apart on the first bytes of each connection. HTTPS, MONGO and the like of
Istio's list are folded by `normal_protocol`."""

Resolution = Literal["STATIC", "DNS", "DNS_ROUND_ROBIN", "NONE", "DYNAMIC_DNS"]
"""Where a connection goes: to addresses that are known, to all that a name has, to one of them at a time; where the
caller goes; to the name that the caller asks for, which must be one of the service's."""

_SPELLINGS: dict[str, Protocol] = {
    "": "AUTO",
    "AUTO": "AUTO",
    "HTTP": "HTTP",
    "HTTP2": "HTTP2",
    "GRPC": "GRPC",
    "GRPC-WEB": "HTTP",
    "HTTP_PROXY": "HTTP",
    "HTTPS": "TLS",
    "TLS": "TLS",
    "TCP": "TCP",
    "MONGO": "TCP",
    "MYSQL": "TCP",
    "REDIS": "TCP",
}


def normal_protocol(spelling: str) -> Protocol:
    """Istio's protocol names (any case) folded to what makes a difference in a sidecar. One that is not known is a
    stream of bytes: a node's registration may bear any name, and must not stop the control plane."""
    return _SPELLINGS.get(spelling.upper(), "TCP")


class ServicePort(msgspec.Struct, frozen=True, kw_only=True, order=True):
    number: int
    name: str
    protocol: Protocol

    @property
    def is_http(self) -> bool:
        """Whether requests on this port can be routed one by one."""
        return self.protocol in ("HTTP", "HTTP2", "GRPC", "AUTO")


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """One host name. `namespace` owns it; `accounts` are the SPIFFE ids its servers may have (empty: no secure
    naming is possible, mTLS is then not offered to it). `visible_in` are the
    namespaces that see it, `*` for all."""

    hostname: str
    namespace: str
    ports: tuple[ServicePort, ...]
    resolution: Resolution = "STATIC"
    mesh_external: bool = False
    addresses: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    visible_in: tuple[str, ...] = ("*",)
    distribution: TrafficDistribution = ""
    sources: tuple[ObjectRef, ...] = ()

    @property
    def is_public(self) -> bool:
        return "*" in self.visible_in

    def is_seen_from(self, namespace: str) -> bool:
        return self.is_public or namespace in self.visible_in

    @property
    def is_looked_up(self) -> bool:
        """Whether its endpoints are names, which proxies look up."""
        return self.resolution in ("DNS", "DNS_ROUND_ROBIN")

    @property
    def has_endpoints(self) -> bool:
        """Whether it is known where it is, other than by what callers ask for."""
        return self.resolution not in ("NONE", "DYNAMIC_DNS")

    def port(self, number: int) -> ServicePort | None:
        return next((port for port in self.ports if port.number == number), None)


class Selector(msgspec.Struct, frozen=True, kw_only=True):
    """Which instances of a namespace stand behind a service: all `labels` must be theirs."""

    namespace: str
    labels: Map[str, str]

    def matches(self, namespace: str, labels: Map[str, str]) -> bool:
        return namespace == self.namespace and all(
            labels.get(key) == value for key, value in self.labels.items()
        )
