"""What a PeerAuthentication says, as users write it. Read by its validator and by Auth's peer policy."""

from typing import Annotated, Literal

from immutables import Map

from proa.core.config.record import NotEmpty, Port, Record
from proa.core.config.selection import WorkloadSelector

MutualTlsMode = Literal["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]


class MutualTls(Record, frozen=True, kw_only=True):
    """UNSET inherits from the next wider policy."""

    mode: MutualTlsMode = "UNSET"


class PeerAuthentication(Record, frozen=True, kw_only=True):
    """No selector: the whole namespace, or the whole mesh when it lies in the root namespace."""

    selector: WorkloadSelector | None = None
    mtls: MutualTls | None = None
    port_level_mtls: Annotated[Map[Port, MutualTls], NotEmpty()] = Map()
