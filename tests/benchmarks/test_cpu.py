import os
import time

from benchmarks.cpu import CpuMeter, resident_bytes


def test_a_lap_holds_the_work_since_the_last_one() -> None:
    meter = CpuMeter(os.getpid())
    began = time.process_time()
    while time.process_time() - began < 0.1:
        pass
    first = meter.lap()
    # Where the kernel counts in ticks of 10 ms, user and system time are each cut off at both readings.
    assert first > 0.065
    assert meter.lap() < first  # what was read once is not counted again


def test_the_peak_is_no_smaller_than_what_is_occupied_now() -> None:
    held = bytearray(8 * 2**20)
    now = resident_bytes(os.getpid())
    assert 8 * 2**20 <= now <= resident_bytes(os.getpid(), peak=True)
    assert len(held) == 8 * 2**20
