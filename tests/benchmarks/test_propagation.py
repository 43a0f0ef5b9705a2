import pytest

from benchmarks.propagation.mesh import client_nodes, flipping_workloads, serving_nodes
from benchmarks.propagation.run import latencies


def test_a_later_change_counts_for_the_ones_it_overtook() -> None:
    sent = {2: 1_000_000, 3: 2_000_000, 4: 3_000_000}
    one = [(2, 5_000_000, 6_000_000), (4, 8_000_000, 9_000_000)]
    first, ack = latencies(sent, [one])
    assert first == [4.0, 6.0, 5.0]
    assert ack == [5.0, 7.0, 6.0]


def test_a_proxy_that_never_got_the_last_change_spoils_the_run() -> None:
    with pytest.raises(RuntimeError, match="never got change 3"):
        latencies({2: 0, 3: 1}, [[(2, 5, 6)]])


def test_changes_alternate_health_and_carry_their_number() -> None:
    first, second = flipping_workloads(6)[0], flipping_workloads(7)[0]
    assert (first.ports[0].health, second.ports[0].health) == ("UNHEALTHY", "HEALTHY")
    assert (first.weight, second.weight) == (6, 7)
    assert flipping_workloads(6)[1:] == flipping_workloads(7)[1:]


def test_nodes_hold_twenty_five_workloads_and_every_name_once() -> None:
    placed = [
        each for nodes in (serving_nodes(50), client_nodes(110)) for node in nodes.values() for each in node
    ]
    assert len({each.id for each in placed}) == len(placed) == 250 + 110
    assert [len(node) for node in client_nodes(110).values()] == [25, 25, 25, 25, 10]
