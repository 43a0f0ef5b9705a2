import pytest

from benchmarks.churn import backlog, growth
from benchmarks.propagation.mesh import Churn, change_of, serving_nodes, weight_at


def test_changes_go_round_and_tell_their_number_by_weight_and_place() -> None:
    churn = Churn(3)
    seen = []
    for _ in range(4):
        node, workloads = churn.next()
        assert [each.id for each in workloads] == [each.id for each in serving_nodes(3)[node]]
        first = next(each for each in workloads if each.weight > 1 and each not in seen)
        seen.append(first)
        place = int(first.ports[0].service.removeprefix("service-"))
        assert change_of(place, first.weight, 3) == churn.number
        assert weight_at(churn.number, place, 3) == first.weight
    assert [each.ports[0].service for each in seen] == ["service-0", "service-1", "service-2", "service-0"]
    assert [each.weight for each in seen] == [2, 2, 2, 3]
    assert [each.ports[0].health for each in seen] == ["UNHEALTHY"] * 3 + ["HEALTHY"]


def test_the_backlog_is_what_the_slowest_proxy_lacks_of_what_was_told() -> None:
    sent = {3: 10, 4: 20, 5: 30}  # of two services: 3 and 5 are one's changes, 4 is the other's
    quick = [(3, 0, 12), (4, 0, 22), (5, 0, 32)]
    skips = [(4, 0, 21), (5, 0, 45)]  # 5 stands for 3
    assert backlog(sent, [quick], [15, 25, 35], 2) == (0, 0, 0)
    assert backlog(sent, [quick, skips], [15, 25, 35, 50], 2) == (1, 1, 2, 0)


def test_a_change_that_never_came_stays_in_the_backlog() -> None:
    assert backlog({3: 10, 4: 20}, [[(3, 0, 11)]], [15, 99], 2) == (0, 1)


@pytest.mark.parametrize(
    ("series", "expected"),
    [((7, 7, 7, 7), 0.0), ((0, 10, 20, 30), 1.0), ((5, 0, 5, 0, 5), 0.0)],
)
def test_growth_is_zero_for_who_keeps_up_and_one_for_who_works_off_nothing(
    series: tuple[int, ...], expected: float
) -> None:
    assert growth(series, span=30) == pytest.approx(expected)
