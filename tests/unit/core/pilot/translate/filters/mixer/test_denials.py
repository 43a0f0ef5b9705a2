from typing import TypeVar

from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.http.set_filter_state.v3.set_filter_state_pb2 import Config
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

from proa.core.expression.cel import TRUE, path
from proa.core.mixer.pushdown.values import Denial, Whose
from proa.core.model.names import ObjectRef
from proa.core.pilot.translate.filters.mixer.denials import STATE, denial_filters

M = TypeVar("M", bound=Message)


def denial(whose: Whose | None = None) -> Denial:
    return Denial(
        rule=ObjectRef("rule", "shop", "deny"),
        handler="no.denier.shop",
        instance="any.checknothing.shop",
        whose=whose,
        condition=TRUE,
        code=7,
        value=path("request.path"),
    )


def test_without_denials_there_is_no_filter() -> None:
    assert denial_filters((), "cluster.local") == []


def test_conditions_and_values_are_written_down_before_the_script_runs_and_judged_behind_it() -> None:
    filters = denial_filters((denial(), denial(Whose(("web.shop",)))), "mesh.example")
    assert [each.name for each in filters] == [
        "proa.mixer.denials.state",
        "proa.mixer.denials.answer",
        "proa.mixer.denials.rules",
    ]
    state = _unpacked(filters[0].typed_config, Config())
    peer, workload = "connection.uri_san_peer_certificate", "connection.dns_san_peer_certificate"
    named = f'({workload} in ["web.shop.workload.mesh.example"])'
    name = f'(has({workload}) ? {workload}.endsWith(".workload.mesh.example") : false)'
    own = f'(has({peer}) ? ({peer}.startsWith("spiffe://mesh.example/") ? {name} : false) : false)'
    who = f"({own} ? {named} : false)"
    assert {
        each.object_key: each.format_string.text_format_source.inline_string
        for each in state.on_request_headers
    } == {
        STATE: f"%CEL(true)%,%CEL(({who} ? true : false))%",
        f"{STATE}.1": "%CEL(request.path)%",
        f"{STATE}.2": "%CEL(request.path)%",
    }
    rules = _unpacked(filters[2].typed_config, RBAC())
    assert rules.matcher.HasField("on_no_match"), "what is not readable is refused"


def test_all_others_are_those_that_are_not_named() -> None:
    (state, *_) = denial_filters((denial(Whose(("web.shop",), "others")),), "cluster.local")
    text = _unpacked(state.typed_config, Config()).on_request_headers[0].format_string
    assert text.text_format_source.inline_string.endswith(" ? false : true))%")


def _unpacked(packed: AnyMessage, message: M) -> M:
    assert packed.Unpack(message)
    return message
