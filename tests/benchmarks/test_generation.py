import pytest

from benchmarks.generation import scratch
from benchmarks.generation.facts import changed, clients, facts, told
from benchmarks.generation.ours import Ours
from benchmarks.generation.run import compare


@pytest.mark.parametrize("routes", [0, 5])
def test_the_peer_makes_what_we_make(routes: int) -> None:
    assert compare(facts(100, routes)) == ()


def test_a_peer_that_makes_something_else_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "generate", lambda services: ({"no-such-cluster"}, 7))
    missing, size = compare(facts(3, 0))
    assert missing == "the peer makes no-such-cluster, we do not"
    assert "7 bytes" in size


def test_one_change_sends_its_cluster_endpoints_and_routes_and_nothing_else() -> None:
    services = facts(20, 3)
    ours = Ours()
    ours.generate((told(services), clients()))
    ours.change(told([changed(services[4], 1)]))
    assert ours.names == {services[4].cluster, "http_proxy", "9080"}
    built = ours.world.memo.built
    assert built["build_cluster"] == 21
