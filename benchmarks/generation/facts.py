"""The mesh of B8, as both sides are told it: services of one endpoint, each with a VirtualService of many routes."""

from collections.abc import Iterable
from typing import Final

import msgspec

from proa.core.config import Config
from proa.core.model.names import WorkloadId, cluster_name, service_hostname
from proa.core.model.snapshot import Change
from proa.testing.builders import (
    SIDECAR_PORT,
    change_of,
    config,
    contribution,
    registered_port,
    registration,
)

__all__ = [
    "ADDRESS",
    "PORT",
    "PROXIES",
    "SIDECAR_PORT",
    "ServiceFacts",
    "changed",
    "clients",
    "facts",
    "told",
]

PORT: Final = 9080
NAMESPACE: Final = "default"
ADDRESS: Final = "10.0.0.1"
PROXIES: Final = (WorkloadId(NAMESPACE, "first"), WorkloadId(NAMESPACE, "second"))
"""Two of one scope: the second finds made what the first had made."""


class ServiceFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the peer needs to know of one service. `routes`: path prefixes, in order."""

    host: str
    account: str
    routes: tuple[str, ...]

    @property
    def cluster(self) -> str:
        return cluster_name("outbound", PORT, "", self.host)


def facts(services: int, routes: int) -> tuple[ServiceFacts, ...]:
    return tuple(
        ServiceFacts(
            host=service_hostname(_name(number), NAMESPACE),
            account=_name(number),
            routes=tuple(f"/part/{each}" for each in range(routes)),
        )
        for number in range(services)
    )


def changed(known: ServiceFacts, number: int) -> ServiceFacts:
    """The service under another account and, where it has rules, with another first route."""
    routes = (f"/changed/{number}", *known.routes[1:]) if known.routes else ()
    return msgspec.structs.replace(known, account=f"account-{number}", routes=routes)


def told(services: Iterable[ServiceFacts]) -> Change:
    """The same as a change of our world: registrations and loaded objects."""
    services = tuple(services)
    registered = tuple(
        contribution(
            registration(
                f"{_short(each)}-0",
                registered_port(_short(each), PORT),
                account=each.account,
                address=ADDRESS,
            )
        )
        for each in services
    )
    objects = change_of([_rules(each) for each in services if each.routes])
    return msgspec.structs.replace(objects, contributions=(*registered, *objects.contributions))


def clients() -> Change:
    return Change(contributions=tuple(contribution(registration(str(each))) for each in PROXIES))


def _rules(service: ServiceFacts) -> Config:
    target = [{"destination": {"host": service.host}}]
    return config(
        "VirtualService",
        _short(service),
        {
            "hosts": [service.host],
            "http": [{"match": [{"uri": {"prefix": each}}], "route": target} for each in service.routes],  # type: ignore[dict-item]  # lists are invariant
        },
    )


def _name(number: int) -> str:
    return f"svc-{number}"


def _short(service: ServiceFacts) -> str:
    return service.host.partition(".")[0]
