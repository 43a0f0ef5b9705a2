"""How a route chooses an endpoint by the request's own content (consistent hashing)."""

from envoy.config.route.v3.route_components_pb2 import RouteAction

from proa.core.pilot.translate.encode import millis
from proa.core.pilot.translate.routes.intents import HashKey


def hash_policy(key: HashKey) -> RouteAction.HashPolicy:
    policy = RouteAction.HashPolicy()
    if key.header:
        policy.header.header_name = key.header
    elif key.query_parameter:
        policy.query_parameter.name = key.query_parameter
    elif key.filter_state:
        policy.filter_state.key = key.filter_state
    elif key.source_ip:
        policy.connection_properties.source_ip = True
    else:
        policy.cookie.name = key.cookie
        policy.cookie.path = key.path
        if key.ttl_ms is not None:
            policy.cookie.ttl.CopyFrom(millis(key.ttl_ms))
        for name, value in key.attributes:
            policy.cookie.attributes.add(name=name, value=value)
    return policy
