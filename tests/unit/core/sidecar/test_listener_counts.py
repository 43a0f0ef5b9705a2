"""What Envoy's counters say about listeners that are on their way to its workers."""

import pytest

from proa.core.sidecar.listener_counts import ListenerCounts, read_counts


def counts(changes: int, judged: int, warming: int = 0, has_workers: bool = True) -> ListenerCounts:
    return ListenerCounts(changes=changes, judged=judged, warming=warming, has_workers=has_workers)


def test_counters_are_read_by_their_names() -> None:
    stats = {
        "listener_manager.listener_added": 3,
        "listener_manager.listener_modified": 2,
        "listener_manager.listener_create_success": 6,
        "listener_manager.listener_create_failure": 1,
        "listener_manager.total_listeners_warming": 1,
        "listener_manager.workers_started": 1,
        "listener_manager.listener_stopped": 9,
    }
    assert read_counts(stats) == counts(5, 7, warming=1)
    assert read_counts({}) == counts(0, 0, has_workers=False)


@pytest.mark.parametrize(
    ("now", "workers", "missing"),
    [
        (counts(3, 3), 1, 0),
        (counts(4, 3), 1, 1),
        (counts(4, 7), 2, 1),
        (counts(4, 3, warming=1), 1, 0),
        (counts(4, 0, has_workers=False), 2, 0),
    ],
    ids=[
        "all there",
        "one on its way",
        "half of the workers",
        "warming is waited for elsewhere",
        "no workers yet",
    ],
)
def test_what_is_missing(now: ListenerCounts, workers: int, missing: int) -> None:
    assert now.missing(workers) == missing
