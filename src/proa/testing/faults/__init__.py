"""Things that go wrong on purpose: each a context manager, bounded in time, taken back when its block ends.

    with paused(pid):               # SIGSTOP, SIGCONT
    with killed(pid):               # SIGKILL; the block runs while it is dead
    with partition("a-namespace"):  # nothing in, nothing out
    with small_disk(1 << 20) as disk, full_disk(disk):
    with clock_jump(clock, 3600):

What a machine cannot do raises FaultUnavailable with the reason, for a test to skip. A fault that a block holds longer
than it said is taken back meanwhile, and FaultOverdue raised at the block's end, since the rest of the block tested
nothing. Only a test runner that is itself killed leaves something behind.
"""

from proa.testing.faults.bounds import FaultOverdue, FaultUnavailable
from proa.testing.faults.clocks import JumpingClock, clock_jump
from proa.testing.faults.disks import full_disk, slow_disk, small_disk
from proa.testing.faults.networks import flaky_network, partition
from proa.testing.faults.processes import killed, paused

__all__ = [
    "FaultOverdue",
    "FaultUnavailable",
    "JumpingClock",
    "clock_jump",
    "flaky_network",
    "full_disk",
    "killed",
    "partition",
    "paused",
    "slow_disk",
    "small_disk",
]
