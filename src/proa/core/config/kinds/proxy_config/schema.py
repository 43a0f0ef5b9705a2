"""What a ProxyConfig says, as users write it. Read by its validator."""

from immutables import Map

from proa.core.config.record import Count, ReadOnlySpec, Record
from proa.core.config.selection import WorkloadSelector


class ProxyImage(Record, frozen=True, kw_only=True):
    image_type: str = ""


class ProxyConfig(ReadOnlySpec, frozen=True, kw_only=True):
    """`concurrency` None: as many threads as the processor limit allows; 0: as there are processors."""

    selector: WorkloadSelector | None = None
    concurrency: Count | None = None
    environment_variables: Map[str, str] = Map()
    image: ProxyImage | None = None
