"""What a ServiceEntry says, as users write it. Read by its validator and by the registry made of them."""

from typing import Literal

from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.record import Port, Record
from proa.core.config.workload_selector import WorkloadSelector

Location = Literal["MESH_EXTERNAL", "MESH_INTERNAL"]
Resolution = Literal["NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"]


class ServicePort(Record, frozen=True, kw_only=True):
    """`protocol` keeps the user's spelling; empty means it is sniffed. No `target_port`: the number."""

    number: Port
    name: str
    protocol: str = ""
    target_port: Port | None = None


class ServiceEntry(Record, frozen=True, kw_only=True):
    hosts: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    ports: tuple[ServicePort, ...] = ()
    location: Location = "MESH_EXTERNAL"
    resolution: Resolution = "NONE"
    endpoints: tuple[WorkloadEntry, ...] = ()
    workload_selector: WorkloadSelector | None = None
    subject_alt_names: tuple[str, ...] = ()
    export_to: tuple[str, ...] = ()
