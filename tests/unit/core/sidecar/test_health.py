"""Thresholds, the worst of several, and the kernel's table of sockets."""

from hypothesis import given
from hypothesis import strategies as st

from proa.core.sidecar.health import Listening, Track, beyond_loopback, observe, parse_listening, worst

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1
   1: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1
   2: 00000000:1F92 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 99 1
   3: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 13 1
"""
TCP6 = """\
  sl  local_address  remote_address  st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: 00000000000000000000000000000000:1F90 0:0000 0A 0:0 00:0 0 0 0 21 1
   1: 00000000000000000000000001000000:1F91 0:0000 0A 0:0 00:0 0 0 0 22 1
   2: 0000000000000000FFFF00000100007F:1F92 0:0000 0A 0:0 00:0 0 0 0 23 1
   3: B80D0120000000000000000001000000:1F93 0:0000 0A 0:0 00:0 0 0 0 24 1
"""


def after(track: Track, *results: bool) -> Track:
    for result in results:
        track = observe(track, result)
    return track


def test_an_app_that_starts_has_all_the_time_it_needs() -> None:
    assert after(Track(), *[False] * 50).state == "STARTING"
    assert after(Track(), *[False] * 50, True).state == "HEALTHY"


def test_it_takes_several_failures_in_a_row() -> None:
    track = after(Track(unhealthy_threshold=3), True, False, False)
    assert track.state == "HEALTHY"
    assert after(track, True, False, False).state == "HEALTHY"
    assert after(track, False).state == "UNHEALTHY"


def test_it_takes_several_successes_in_a_row_to_come_back() -> None:
    track = after(Track(healthy_threshold=2, unhealthy_threshold=1), True, True, False)
    assert track.state == "UNHEALTHY"
    assert after(track, True, False, True).state == "UNHEALTHY"
    assert after(track, True, True).state == "HEALTHY"


@given(st.lists(st.booleans()))
def test_draining_is_a_decision_and_stays(results: list[bool]) -> None:
    assert after(Track(state="DRAINING"), *results).state == "DRAINING"


@given(st.lists(st.booleans()), st.integers(1, 4), st.integers(1, 4))
def test_enough_of_one_kind_always_decides(results: list[bool], healthy: int, unhealthy: int) -> None:
    track = after(Track(healthy_threshold=healthy, unhealthy_threshold=unhealthy), *results)
    assert after(track, *[True] * healthy).state == "HEALTHY"
    assert after(track, *[True] * healthy, *[False] * unhealthy).state == "UNHEALTHY"


def test_a_workload_is_as_well_as_its_worst_port() -> None:
    assert worst(()) == "HEALTHY"
    assert worst(("HEALTHY", "STARTING")) == "STARTING"
    assert worst(("STARTING", "UNHEALTHY", "HEALTHY")) == "UNHEALTHY"


def test_only_listening_sockets_of_the_app_count() -> None:
    found = parse_listening(TCP, frozenset({"11", "12", "13"}))
    assert found == (Listening(address="0.0.0.0", port=8081), Listening(address="127.0.0.1", port=8080))
    assert beyond_loopback(found) == (Listening(address="0.0.0.0", port=8081),)


def test_ipv6_loopback_in_each_of_its_spellings() -> None:
    found = parse_listening(TCP6, frozenset({"21", "22", "23", "24"}))
    assert {each.address for each in found} == {
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "2001:0db8:0000:0000:0000:0000:0000:0001",
    }
    assert {each.port for each in beyond_loopback(found)} == {8080, 8083}
