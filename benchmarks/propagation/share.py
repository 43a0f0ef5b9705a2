"""How much of a figure is the swarm's own doing. Pure.

Server and swarm share a machine. A swarm that costs a good part of what its server costs is itself what limits, or
at least what disturbs; the row of the history then says so.
"""

from collections.abc import Sequence

from benchmarks.figures import Condition

SWARM_SHARE = 0.30
"""Of the server's CPU; beyond it the figure is limited by the swarm."""


def share_conditions(ours: Sequence[float], peer: Sequence[float]) -> dict[str, Condition]:
    """`ours` and `peer`: per pair, the swarm's CPU as a part of its server's."""
    worst = max(ours, default=0.0)
    found: dict[str, Condition] = {
        "swarm_share_of_server_cpu_ours": round(worst, 3),
        "swarm_share_of_server_cpu_peer": round(max(peer, default=0.0), 3),
    }
    if worst > SWARM_SHARE:
        found["caution"] = f"limited by the swarm: it costs more than {SWARM_SHARE:.0%} of our server's CPU"
    return found
