"""Changes to headers on the way in and out, at routes and at single destinations."""

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption
from envoy.config.route.v3.route_components_pb2 import Route, WeightedCluster

from proa.core.pilot.translate.routes.intents import HeaderEdits


def edit_headers(
    place: Route | WeightedCluster.ClusterWeight, request: HeaderEdits, response: HeaderEdits
) -> None:
    """Added to what the place does already."""
    place.request_headers_to_add.extend(_additions(request))
    place.request_headers_to_remove.extend(request.remove)
    place.response_headers_to_add.extend(_additions(response))
    place.response_headers_to_remove.extend(response.remove)


def _additions(edits: HeaderEdits) -> list[HeaderValueOption]:
    ways = (
        (edits.set, HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD),
        (edits.add, HeaderValueOption.APPEND_IF_EXISTS_OR_ADD),
    )
    return [
        HeaderValueOption(
            header=HeaderValue(key=name, value=value), append_action=action, keep_empty_value=True
        )
        for pairs, action in ways
        for name, value in pairs
    ]
