"""Rows of the relay's table."""

from proa.core.sidecar.relay_shelf import Refusal, Shelf
from proa.testing.xds import CLUSTER, ENDPOINT, SECRET, fake_resource


def test_a_refused_value_gives_way_to_the_last_one_taken_and_is_remembered() -> None:
    one, two = fake_resource(CLUSTER, "c", "1"), fake_resource(CLUSTER, "c", "2")
    shelf = Shelf([one])
    assert shelf.put(two) is None
    refusal = Refusal(version="2", error="no")
    shelf.refuse(CLUSTER, "c", refusal)
    assert shelf.lookup(CLUSTER, "c") == one
    assert shelf.put(two) == refusal
    assert shelf.lookup(CLUSTER, "c") == one
    assert shelf.put(fake_resource(CLUSTER, "c", "3")) is None
    assert shelf.put(two) is None


def test_a_refused_value_without_forerunner_stays_unclaimed_and_unstored() -> None:
    shelf = Shelf(())
    shelf.put(fake_resource(CLUSTER, "c", "1"))
    assert shelf.versions(frozenset())[CLUSTER] == {"c": ""}  # no Envoy has taken it
    shelf.refuse(CLUSTER, "c", Refusal(version="1", error="no"))
    assert shelf.lookup(CLUSTER, "c") is not None
    assert shelf.versions(frozenset())[CLUSTER] == {"c": ""}
    assert shelf.stored() == ()


def test_what_the_envoy_has_not_judged_is_not_claimed_nor_stored_over_what_it_took() -> None:
    one = fake_resource(ENDPOINT, "e", "1")
    shelf = Shelf([one])
    shelf.put(fake_resource(ENDPOINT, "e", "2"))
    assert shelf.versions(frozenset([(ENDPOINT, "e")]))[ENDPOINT] == {"e": ""}
    assert shelf.stored() == (one,)
    shelf.prove(ENDPOINT, "e", "2")
    assert [resource.digest for resource in shelf.stored()] == ["2"]


def test_absence_is_known_by_name_or_by_completeness() -> None:
    shelf = Shelf(())
    shelf.remove(ENDPOINT, "e")
    assert shelf.knows(ENDPOINT, "e")
    shelf.forget(ENDPOINT, "e")
    assert not shelf.knows(ENDPOINT, "e")
    assert not shelf.knows(CLUSTER, "c")
    assert shelf.complete(CLUSTER)
    assert not shelf.complete(CLUSTER)
    assert shelf.knows(CLUSTER, "c")


def test_local_resources_stay_local() -> None:
    shelf = Shelf(())
    shelf.put(fake_resource(SECRET, "s", "1"))
    assert shelf.stored() == ()
    assert SECRET not in shelf.versions(frozenset())
