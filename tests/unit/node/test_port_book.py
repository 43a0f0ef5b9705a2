"""Ports come from the range, come back, and do not meet."""

import pytest

from proa.node.port_book import LOOPBACK, PortBook
from proa.runtime.held_ports import PortTaken, hold_port

SPAN = (19500, 19504)  # where the meshes of other tests take none


def test_a_workload_that_comes_back_gets_its_ports_again() -> None:
    book = PortBook((21000, 21999), "here")
    with book.hold(LOOPBACK, "a inbound") as first:
        pass
    with book.hold(LOOPBACK, "a inbound") as again:
        assert again.port == first.port


def test_all_ports_can_be_had_and_no_more() -> None:
    book = PortBook(SPAN, "here")
    held = [book.hold(LOOPBACK, f"p{number}") for number in range(5)]
    try:
        assert {each.port for each in held} == set(range(19500, 19505))
        with pytest.raises(PortTaken):
            book.hold(LOOPBACK, "one more")
    finally:
        for each in held:
            each.close()


def test_an_apps_port_is_nobody_elses_until_it_is_returned() -> None:
    book = PortBook(SPAN, "here")
    taken = {book.take_app_port("a") for _ in range(5)}
    assert len(taken) == 5
    with pytest.raises(PortTaken):
        book.hold(LOOPBACK, "x")
    book.return_app_port(19502)
    assert book.take_app_port("b") == 19502


def test_low_and_taken_gateway_ports_are_mapped() -> None:
    book = PortBook((22000, 22999), "here")
    with book.hold_mapped(LOOPBACK, 80, "g 80", low_ports=False) as low:
        assert low.port == 22080
    with (
        hold_port(LOOPBACK) as foreign,
        book.hold_mapped(LOOPBACK, foreign.port, "g", low_ports=False) as mapped,
    ):
        assert mapped.port != foreign.port
        assert 22000 <= mapped.port <= 22999
    with book.hold_mapped(LOOPBACK, foreign.port, "g", low_ports=False) as free:
        assert free.port == foreign.port


def test_two_agents_begin_to_look_at_different_places() -> None:
    """Apps of the same name in two meshes of one machine would take each other's port."""
    ports = {
        PortBook((19600, 29999), f"/homes/{number}").take_app_port("default/echo") for number in range(8)
    }
    assert len(ports) == 8
