"""EnvoyFilters that an Envoy takes: patches that are known to be right for what they are put into.

Any message of Envoy's may stand in a patch, and its types do not tell whether an Envoy takes it where it is put. So
values are picked from a list here, while what they are matched by is drawn.
"""

from typing import Final

from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.config.kinds.envoy_filter.schema import (
    ConfigPatch,
    EnvoyFilter,
    ListenerMatch,
    ObjectMatch,
    Patch,
)
from proa.testing.strategies import vocabulary as words
from proa.testing.strategies.shaped import Recipe, Recipes
from proa.testing.strategies.vocabulary import Values, listed

_MANAGER: Final = "envoy.filters.network.http_connection_manager"
_ROUTER: Final = "envoy.filters.http.router"
_TYPE: Final = "type.googleapis.com"
_LUA: Final[Json] = {
    "name": "lua",
    "typed_config": {
        "@type": f"{_TYPE}/envoy.extensions.filters.http.lua.v3.Lua",
        "default_source_code": {"inline_string": "function envoy_on_request(handle) end"},
    },
}
_VIA: Final[Json] = {
    "name": _MANAGER,
    "typed_config": {
        "@type": f"{_TYPE}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "via": "proa",
    },
}


def _matched(kind: str, filter_chain: Values | None = None, **optional: Values) -> Values:
    """A match of `kind` by any of these, and always by the filter chain, if there is one."""
    contexts: Values = st.sampled_from(("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"))
    always = {} if filter_chain is None else {"filterChain": filter_chain}
    inner = st.fixed_dictionaries(always, optional=optional).map(_as_json)
    proxy: Values = st.sampled_from(({"proxyVersion": "^1\\..*"}, {"metadata": {"NAMESPACE": "default"}}))
    optional = {"context": contexts, "proxy": proxy}
    return st.fixed_dictionaries({kind: inner}, optional=optional).map(_as_json)


def _as_json(value: dict[str, Json]) -> Json:
    return value


def _patches(apply_to: str, match: Values, *patches: Json) -> Values:
    return st.builds(
        lambda matched, patch: {"applyTo": apply_to, "match": matched, "patch": patch},
        match,
        st.sampled_from(patches),
    )


_NUMBERS: Final[Values] = st.sampled_from((0, 80, 9080))
_IN_MANAGER: Final[Values] = st.sampled_from(
    ({"filter": {"name": _MANAGER, "subFilter": {"name": _ROUTER}}}, {"filter": {"name": _MANAGER}}, {})
)
_NAMED_MANAGER: Final[Values] = st.just({"name": _MANAGER})
_CHAINS: Final[Values] = st.fixed_dictionaries(
    {"filter": _NAMED_MANAGER},
    optional={
        "name": st.just("default"),
        "sni": words.host,
        "transportProtocol": st.sampled_from(("tls", "raw_buffer")),
        "applicationProtocols": st.sampled_from(("h2,http/1.1", "istio")),
        "destinationPort": _NUMBERS,
    },
).map(_as_json)
_HTTP_FILTER: Final = _patches(
    "HTTP_FILTER",
    _matched("listener", _IN_MANAGER, portNumber=_NUMBERS, portName=st.sampled_from(("http", "web"))),
    {"operation": "INSERT_BEFORE", "value": _LUA},
    {"operation": "INSERT_FIRST", "value": _LUA},
)
_NETWORK_FILTER: Final = _patches(
    "NETWORK_FILTER",
    _matched(
        "listener",
        _CHAINS,
        portNumber=_NUMBERS,
        name=st.sampled_from(("http_proxy", "nowhere")),
        listenerFilter=st.just("envoy.filters.listener.tls_inspector"),
    ),
    {"operation": "MERGE", "value": _VIA},
)
_CLUSTER: Final = _patches(
    "CLUSTER",
    _matched(
        "cluster",
        name=st.just("nowhere"),
        portNumber=_NUMBERS,
        service=words.host,
        subset=st.sampled_from(("", "v1")),
    ),
    {"operation": "MERGE", "value": {"connect_timeout": "3s"}},
    {"operation": "MERGE_AND_REPLACE_LIST", "value": {"per_connection_buffer_limit_bytes": 4096}},
)
_ROUTES: Final = _patches(
    "ROUTE_CONFIGURATION",
    _matched(
        "routeConfiguration",
        portNumber=_NUMBERS,
        name=st.sampled_from(("http_proxy", "80")),
        portName=st.just("http"),
        gateway=st.sampled_from(("default/edge", "shop/one")),
    ),
    {"operation": "MERGE", "value": {"request_headers_to_remove": ["x-gone"]}},
)
_VIRTUAL_HOST: Final = _patches(
    "VIRTUAL_HOST",
    _matched(
        "routeConfiguration",
        vhost=st.sampled_from(({"name": "a.default.svc.cluster.local:9080"}, {"domainName": "*"}, {})),
    ),
    {"operation": "MERGE", "value": {"include_request_attempt_count": True}},
    {
        "operation": "ADD",
        "value": {
            "name": "extra",
            "domains": ["extra.invalid"],
            "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 204}}],
        },
    },
)
_ROUTE: Final = _patches(
    "HTTP_ROUTE",
    _matched(
        "routeConfiguration",
        vhost=st.sampled_from(({"route": {"action": "ROUTE"}}, {"route": {"name": "a"}})),
    ),
    {"operation": "MERGE", "value": {"request_headers_to_remove": ["x-gone"]}},
    {"operation": "INSERT_FIRST", "value": {"match": {"path": "/extra"}, "direct_response": {"status": 204}}},
    {"operation": "REMOVE"},
)
ENVOY_FILTER: Final[Recipes] = {
    EnvoyFilter: Recipe(
        values={
            "config_patches": listed(
                st.one_of(_HTTP_FILTER, _NETWORK_FILTER, _CLUSTER, _ROUTES, _VIRTUAL_HOST, _ROUTE), 1, 3
            ),
            "priority": st.sampled_from((-1, 0, 7)),
        },
        one_of=(("workload_selector", "target_refs", "", ""),),
    ),
    ConfigPatch: Recipe(),
    ObjectMatch: Recipe(),
    ListenerMatch: Recipe(),
    Patch: Recipe(),
}
