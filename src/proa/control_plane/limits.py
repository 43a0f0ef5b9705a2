"""How much one caller may ask for. Generous: no honest node comes near, and a dishonest one takes from nobody else.

Two kinds. *Paces* make a caller wait: what it sends is worked off at this speed and stays in its own connection
meanwhile, so nothing is lost. *Bounds* refuse: with PERMISSION_DENIED what is never right, with "retry in" what may
be later. docs/limits.md is this table with what happens at each.
"""

from typing import Final

import msgspec

from proa.runtime.bucket import Rate

MIB: Final = 1024 * 1024


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are per second; sizes are bytes. `..._of_workload` are for each workload that a node has registered, on top
    of what every node has."""

    request_bytes: int = 4 * MIB
    names_per_stream: int = 50_000
    requests_of_stream: Rate = Rate(per_s=500, burst=2_000)
    bytes_of_stream: Rate = Rate(per_s=4 * MIB, burst=16 * MIB)
    requests_of_node: Rate = Rate(per_s=2_000, burst=20_000)

    streams_of_node: Rate = Rate(per_s=5, burst=50)
    streams_of_workload: Rate = Rate(per_s=1, burst=5)
    signs_of_node: Rate = Rate(per_s=2, burst=50)
    signs_of_workload: Rate = Rate(per_s=1, burst=5)

    sessions_per_node: int = 4
    workloads_per_node: int = 2_000
    state_bytes: int = 8 * MIB
    states_of_session: Rate = Rate(per_s=50, burst=500)
    bytes_of_session: Rate = Rate(per_s=32 * MIB, burst=64 * MIB)

    names_described: int = 2_000

    nodes: int = 4_096
    """Nodes whose paces are remembered; those that are loudest longest."""


def grown(base: Rate, each: Rate, count: int) -> Rate:
    """A node's rate in proportion to what it runs."""
    return Rate(per_s=base.per_s + each.per_s * count, burst=base.burst + each.burst * count)
