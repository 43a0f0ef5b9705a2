"""Every mistake of a value with its path; what Envoy's own JSON is, passes."""

import json

import pytest
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.config.kinds.envoy_filter.messages import DEEPEST, MESSAGES
from proa.core.config.kinds.envoy_filter.value import check_value
from proa.core.config.path import path_text


def judge(apply_to: str, value: dict[str, Json]) -> list[str]:
    return [f"{path_text(each.path)} {each.code}" for each in check_value(MESSAGES[apply_to], value, ("v",))]


def test_both_spellings_of_fields() -> None:
    assert judge("CLUSTER", {"connect_timeout": "1s", "lbPolicy": "RANDOM"}) == []


def test_a_null_is_no_value() -> None:
    assert judge("CLUSTER", {"name": None}) == []


def test_all_mistakes_at_once() -> None:
    value: dict[str, Json] = {
        "nam": "a",
        "connect_timeout": 5,
        "metadata": {"filter_metadata": {"a": {"b": [1]}, "c": 1}},
        "health_checks": [{"timeout": "x"}, "y"],
    }
    assert judge("CLUSTER", value) == [
        "v.nam unknown-field",
        "v.connect_timeout bad-value",
        "v.metadata.filter_metadata bad-value",
        "v.health_checks[0].timeout bad-value",
        "v.health_checks[1] wrong-type",
    ]


def test_inside_of_an_any_inside_of_an_any() -> None:
    manager: dict[str, Json] = {
        "@type": f"type.googleapis.com/{HttpConnectionManager.DESCRIPTOR.full_name}",
        "http_filters": [
            {
                "name": "a",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                    "inline_cod": "x",
                },
            }
        ],
    }
    assert judge("NETWORK_FILTER", {"name": "a", "typed_config": manager}) == [
        "v.typed_config.http_filters[0].typed_config.inline_cod unknown-field"
    ]


def test_types_with_a_spelling_of_their_own_in_an_any() -> None:
    wrapped: dict[str, Json] = {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "3s"}
    assert judge("HTTP_FILTER", {"typed_config": wrapped}) == []
    assert judge("HTTP_FILTER", {"typed_config": {**wrapped, "value": "x"}}) == [
        "v.typed_config.value bad-value"
    ]


def test_two_of_a_oneof() -> None:
    assert judge("CLUSTER", {"type": "EDS", "cluster_type": {"name": "a"}}) == ["v bad-value"]


def test_nesting_has_a_bound() -> None:
    value: dict[str, Json] = {}
    for _ in range(2 * DEEPEST):
        value = {"and_rules": {"rules": [value]}}
    host: dict[str, Json] = {"name": "a", "routes": [{"match": {"dynamic_metadata": [{"value": value}]}}]}
    for _ in range(2 * DEEPEST):
        host = {"matcher": {"on_no_match": host}}
    assert judge("VIRTUAL_HOST", host)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["name", "@type", "value", "typed_config", "connect_timeout", "type", "routes", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(
    st.sampled_from(sorted(MESSAGES)),
    st.dictionaries(st.sampled_from(["name", "typed_config", "type"]), JSON),
)
def test_it_never_raises_and_what_it_lets_pass_can_be_read(apply_to: str, value: dict[str, Json]) -> None:
    if not judge(apply_to, value):
        json_format.Parse(json.dumps(value), MESSAGES[apply_to]())


@pytest.mark.parametrize("apply_to", sorted(MESSAGES))
def test_an_empty_value_of_each(apply_to: str) -> None:
    assert judge(apply_to, {}) == []
