from benchmarks.propagation.share import share_conditions


def test_a_row_whose_swarm_costs_much_says_that_it_is_limited_by_it() -> None:
    assert "caution" not in share_conditions([0.1, 0.3], [0.9])
    found = share_conditions([0.1, 0.31], [0.2])
    assert found["swarm_share_of_server_cpu_ours"] == 0.31
    assert "limited by the swarm" in str(found["caution"])
