"""The read-only view: whoever implements it has just these four questions to answer."""

from proa.core.pilot.xds.source import ResourceSource
from proa.core.sidecar.relay_shelf import Shelf
from proa.testing.xds import CLUSTER, FakeSource


def test_both_sources_know_nothing_alike_when_nothing_is_known() -> None:
    fake = FakeSource()
    fake.is_complete = False
    sources: list[ResourceSource] = [fake, Shelf(())]
    for source in sources:
        assert source.lookup(CLUSTER, "a") is None
        assert list(source.names(CLUSTER)) == []
        assert not source.knows(CLUSTER, "a")
        assert not source.knows_all(CLUSTER)
