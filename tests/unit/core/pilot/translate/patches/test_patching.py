"""Lists of filters and routes under each operation."""

import pytest
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from google.protobuf.message import Message

from proa.core.config import Json
from proa.core.pilot.translate.patches.patching import Target, edit, is_named
from tests.unit.core.pilot.translate.patches.patching_parts import patch, patching


def edited(operation: str, wanted: str, *names: str, end: int | None = None) -> tuple[list[str], bool]:
    value: Json = None if operation == "REMOVE" else {"name": "new"}
    work = patching(patch("NETWORK_FILTER", operation, value))
    chain = FilterChain(filters=[Filter(name=name) for name in names])

    def is_wanted(each: Message) -> bool:
        return isinstance(each, Filter) and is_named(wanted, each.name)

    for applied in work.of("NETWORK_FILTER", "SIDECAR_INBOUND"):
        edit(chain.filters, applied, is_wanted, says_which=bool(wanted), end=end)
    return [each.name for each in chain.filters], work.seen == {0}


@pytest.mark.parametrize(
    ("operation", "wanted", "after"),
    [
        ("ADD", "", "a b c new"),
        ("ADD", "b", "a b c new"),
        ("INSERT_FIRST", "", "new a b c"),
        ("INSERT_FIRST", "b", "new a b c"),
        ("INSERT_BEFORE", "b", "a new b c"),
        ("INSERT_BEFORE", "", "new a b c"),
        ("INSERT_AFTER", "b", "a b new c"),
        ("INSERT_AFTER", "c", "a b c new"),
        ("INSERT_AFTER", "", "a b c new"),
        ("REPLACE", "b", "a new c"),
        ("REMOVE", "b", "a c"),
        ("MERGE", "b", "a new c"),
        ("MERGE", "", "new new new"),
    ],
)
def test_operations(operation: str, wanted: str, after: str) -> None:
    assert edited(operation, wanted, "a", "b", "c") == (after.split(), True)


@pytest.mark.parametrize("operation", ["INSERT_BEFORE", "INSERT_AFTER", "REPLACE", "REMOVE", "MERGE"])
def test_what_is_not_there_is_not_found(operation: str) -> None:
    assert edited(operation, "x", "a", "b") == (["a", "b"], False)


@pytest.mark.parametrize("operation", ["REPLACE", "REMOVE"])
def test_what_takes_away_must_say_which(operation: str) -> None:
    assert edited(operation, "", "a", "b") == (["a", "b"], False)


def test_what_is_added_goes_before_the_end() -> None:
    assert edited("ADD", "", "a", "end", end=1) == (["a", "new", "end"], True)
    assert edited("ADD", "", end=0) == (["new"], True)


def test_old_names_mean_the_same() -> None:
    assert is_named("envoy.router", "envoy.filters.http.router")
    assert is_named("envoy.filters.http.router", "envoy.filters.http.router")
    assert not is_named("envoy.router", "envoy.filters.http.cors")


def test_contexts() -> None:
    work = patching(
        patch("CLUSTER", "REMOVE"),
        patch("CLUSTER", "REMOVE", context="GATEWAY"),
        patch("CLUSTER", "REMOVE", context="SIDECAR_INBOUND"),
    )
    assert len(list(work.of("CLUSTER", "SIDECAR_INBOUND"))) == 2
    assert len(list(work.of("CLUSTER", "SIDECAR_OUTBOUND"))) == 1
    assert work.context(inbound=True) == "SIDECAR_INBOUND"
    assert work.context(inbound=False) == "SIDECAR_OUTBOUND"
    assert patching(target=Target(is_gateway=True)).context(inbound=True) == "GATEWAY"
