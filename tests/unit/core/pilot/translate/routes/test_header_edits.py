from envoy.config.core.v3.base_pb2 import HeaderValueOption
from envoy.config.route.v3.route_components_pb2 import Route

from proa.core.pilot.translate.routes.header_edits import edit_headers
from proa.core.pilot.translate.routes.intents import HeaderEdits


def test_edits_add_up() -> None:
    route = Route()
    edit_headers(route, HeaderEdits(set=(("a", "1"),), add=(("b", "2"),), remove=("c",)), HeaderEdits())
    edit_headers(route, HeaderEdits(set=(("d", ""),)), HeaderEdits(remove=("e",)))
    assert [(each.header.key, each.append_action) for each in route.request_headers_to_add] == [
        ("a", HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD),
        ("b", HeaderValueOption.APPEND_IF_EXISTS_OR_ADD),
        ("d", HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD),
    ]
    assert all(each.keep_empty_value for each in route.request_headers_to_add)
    assert (list(route.request_headers_to_remove), list(route.response_headers_to_remove)) == (["c"], ["e"])
