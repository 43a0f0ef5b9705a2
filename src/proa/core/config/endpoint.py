"""One endpoint as users write it: the spec of a WorkloadEntry, also written inline in a ServiceEntry.

It stands beside the kinds and not in one of them, because kinds do not know each other. The rules of its address
are here too; callers are the validators of both kinds.
"""

from immutables import Map

from proa.core.config.record import Count32, Port, Record


class WorkloadEntry(Record, frozen=True, kw_only=True):
    """`ports` maps a service's port name to the port of this endpoint. A `weight` of 0 is not set: it counts as 1."""

    address: str = ""
    ports: Map[str, Port] = Map()
    labels: Map[str, str] = Map()
    network: str = ""
    locality: str = ""
    weight: Count32 = 0
    service_account: str = ""
