"""Which workloads of its namespace an object is for: the selector that several kinds share."""

from immutables import Map

from proa.core.config.record import Record


class WorkloadSelector(Record, frozen=True, kw_only=True):
    """All labels must be the workload's."""

    labels: Map[str, str] = Map()
