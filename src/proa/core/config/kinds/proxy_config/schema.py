"""What a ProxyConfig says, as users write it. Read by its validator and where workloads are planned."""

from types import MappingProxyType

from immutables import Map

from proa.core.config.record import Count, Record
from proa.core.config.selection import WorkloadSelector


class ProxyImage(Record, frozen=True, kw_only=True):
    IDLE = MappingProxyType({"imageType": "proxies come as a Python package and not as an image"})

    image_type: str = ""


class ProxyConfig(Record, frozen=True, kw_only=True):
    """`concurrency` None: as many threads as the processor limit allows; 0: as there are processors."""

    selector: WorkloadSelector | None = None
    concurrency: Count | None = None
    environment_variables: Map[str, str] = Map()
    image: ProxyImage | None = None
