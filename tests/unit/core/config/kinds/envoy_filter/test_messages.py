"""Types by their names; nothing but protobufs is imported for a name."""

import sys

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster

from proa.core.config.kinds.envoy_filter.messages import find_type, message_of, type_of_url


def test_a_type_that_nobody_has_imported_is_found() -> None:
    found = find_type("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation")
    assert found is not None
    assert found.name == "HeaderMutation"


def test_a_type_inside_a_type() -> None:
    found = type_of_url("type.googleapis.com/envoy.config.cluster.v3.Cluster.EdsClusterConfig")
    assert found is not None


@pytest.mark.parametrize(
    "name",
    [
        "envoy.nothing.v3.Nothing",
        "envoy.extensions.filters.http.lua.v3.Nothing",
        "this.Zen",
        "envoy..Lua",
        "",
        "Lua",
        "envoy.config.cluster.v3.circuit_breaker_pb2",
    ],
)
def test_other_names_are_no_types(name: str) -> None:
    assert find_type(name) is None


def test_only_packages_of_protobufs_are_looked_into() -> None:
    assert "this" not in sys.modules
    assert find_type("this.Zen") is None
    assert "this" not in sys.modules


def test_a_url_needs_a_slash() -> None:
    assert type_of_url("envoy.config.cluster.v3.Cluster") is None


def test_a_value_is_read_once() -> None:
    message = message_of("CLUSTER", '{"name":"a"}')
    assert isinstance(message, Cluster)
    assert message.name == "a"
    assert message_of("CLUSTER", '{"name":"a"}') is message
