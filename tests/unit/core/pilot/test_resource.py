"""Types and their order."""

from proa.core.pilot.resource import BY_URL, ORDER, ResourceType


def test_types_are_found_by_their_url() -> None:
    assert all(BY_URL[each.url] is each for each in ResourceType)
    assert ResourceType.CLUSTER.url == "type.googleapis.com/envoy.config.cluster.v3.Cluster"


def test_what_others_need_comes_first() -> None:
    assert (
        ORDER.index(ResourceType.CLUSTER)
        < ORDER.index(ResourceType.ENDPOINT)
        < ORDER.index(ResourceType.ROUTE)
    )
