"""What the structs of Gateway API ask of their fields together, as recipes."""

from typing import Any, Final

from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.config.gateway_api import gateway_schema as gateways
from proa.core.config.gateway_api import policy_schema as policies
from proa.core.config.gateway_api import schema as routes
from proa.testing.strategies import vocabulary as words
from proa.testing.strategies.recipes import either, object_in, objects_in, unique
from proa.testing.strategies.shaped import Object, Recipe, Recipes, without
from proa.testing.strategies.vocabulary import Values, listed

_HOSTNAMES: Final = either("x.example.com", "*.example.com", "X.Example.com", "y.example.com")
_PARENTS: Final = either(
    {"name": "edge"},
    {"name": "edge", "namespace": "istio-system"},
    {"name": "edge", "sectionName": "l0"},
    {"name": "edge", "port": 80},
    {"name": "nobody"},
    {"group": "", "kind": "Service", "name": "a"},
    {"group": "", "kind": "Service", "name": "a", "namespace": "shop", "port": 9080},
)
_GATEWAYS: Final = either(
    {"name": "edge"},
    {"name": "edge", "group": "gateway.networking.k8s.io", "kind": "Gateway", "port": 9443},
    {"name": "edge", "namespace": "istio-system"},
    {"name": "edge", "sectionName": "l1"},
)
_BACKEND: Final[dict[str, Values]] = {"name": either("a", "b", "c"), "port": either(80, 9080, 443, 6379)}
_ELSEWHERE: Final[dict[str, Values]] = {
    "namespace": either("default", "shop"),
    "group": either(""),
    "kind": either("Service"),
}
_WEIGHT: Final[dict[str, Values]] = {"weight": either(0, 1, 2, 1_000_000)}
_PAIRS: Final = listed(
    st.builds(lambda name, value: {"name": name, "value": value}, words.own_header, words.literal_value),
    1,
).map(lambda pairs: unique(objects_in(pairs), lambda pair: str(pair["name"]).lower()))
_MODIFIER: Final[Values] = st.one_of(
    _PAIRS.map(lambda pairs: {"set": pairs}),
    _PAIRS.map(lambda pairs: {"add": pairs}),
    st.just({"remove": ["x-a", "X-B"]}),
    st.just({"set": [{"name": "x-a", "value": "1"}], "add": [{"name": "x-c", "value": "%"}]}),
)
_FULL: Final = st.builds(
    lambda path: {"type": "ReplaceFullPath", "replaceFullPath": path}, words.FIELDS["replace_full_path"]
)
_PREFIX: Final = st.builds(
    lambda path: {"type": "ReplacePrefixMatch", "replacePrefixMatch": path},
    words.FIELDS["replace_prefix_match"],
)
_NAMED: Final = words.FIELDS["hostname"]


def _object(required: dict[str, Values], optional: dict[str, Values]) -> Values:
    return st.fixed_dictionaries(required, optional=optional).map(_as_json)


def _as_json(value: dict[str, Json]) -> Json:
    return value


def _filter(kind: str, field: str, values: st.SearchStrategy[Any]) -> Values:
    return values.map(lambda value: {"type": kind, field: value})


_MIRROR: Final = st.one_of(
    _object({"backendRef": _object(_BACKEND, _ELSEWHERE)}, {"percent": either(0, 1, 100)}),
    _object(
        {
            "backendRef": _object(_BACKEND, {}),
            "fraction": either({"numerator": 1, "denominator": 3}, {"numerator": 0}),
        },
        {},
    ),
)
_CORS: Final = _object(
    {},
    {
        "allowOrigins": listed(either("*", "https://a.example", "http://*.a.example:8080", "https://*")),
        "allowMethods": listed(either("GET", "*", "POST")),
        "allowHeaders": listed(words.own_header),
        "exposeHeaders": listed(words.own_header),
        "maxAge": either(1, 5, 2**31 - 1),
        "allowCredentials": st.booleans(),
    },
)
_EDITS: Final = (
    _filter("RequestHeaderModifier", "requestHeaderModifier", _MODIFIER),
    _filter("ResponseHeaderModifier", "responseHeaderModifier", _MODIFIER),
)
_MIRRORING: Final = _filter("RequestMirror", "requestMirror", _MIRROR)
_REWRITES: Final = _filter(
    "URLRewrite", "urlRewrite", _object({}, {"hostname": _NAMED, "path": _FULL | _PREFIX})
)
_REDIRECTS: Final = _filter(
    "RequestRedirect",
    "requestRedirect",
    _object(
        {},
        {
            "scheme": either("http", "https"),
            "hostname": _NAMED,
            "path": _FULL | _PREFIX,
            "port": words.port,
            "statusCode": either(301, 302, 303, 307, 308),
        },
    ),
)
_CORSES: Final = _filter("CORS", "cors", _CORS)


def _filters(*kinds: Values) -> Values:
    """Of each type one."""
    return listed(st.one_of(*kinds), 0, 3).map(
        lambda drawn: unique(objects_in(drawn), lambda each: each["type"])
    )


_BACKENDS: Final = listed(_object(_BACKEND, {**_ELSEWHERE, **_WEIGHT, "filters": _filters(*_EDITS)}), 0, 2)


def _fit_http(rule: Object) -> Object:
    """A rule that redirects sends nothing on; a prefix is replaced where each match is of one."""
    filters = objects_in(rule.get("filters"))
    types = [each["type"] for each in filters]
    if "RequestRedirect" in types:
        filters = [each for each in filters if each["type"] != "URLRewrite"]
        rule = without(rule, ["backendRefs"]) | {"filters": [*filters]}
    if "ReplacePrefixMatch" in repr(filters):
        matches: list[Json] = [
            {**match, "path": {"type": "PathPrefix", "value": "/a"}}
            for match in objects_in(rule.get("matches"))
        ]
        rule = rule | {"matches": [*matches]}
    return rule


def _paths() -> Values:
    plain = either("/", "/a", "/a/", "/A/b", "/é", "/a b", "/a%20b")
    return st.one_of(
        plain.map(lambda path: {"type": "PathPrefix", "value": path}),
        plain.map(lambda path: {"type": "Exact", "value": path}),
        words.regex.map(lambda path: {"type": "RegularExpression", "value": path}),
    )


def _values(names: Values) -> Values:
    exact = st.builds(
        lambda name, value: {"name": name, "value": value}, names, either("1", "é", "a b", "x" * 90)
    )
    regex = st.builds(
        lambda name, value: {"name": name, "value": value, "type": "RegularExpression"}, names, words.regex
    )
    return listed(exact | regex)


def _listeners() -> Values:
    """Each port is of one protocol."""
    names = _object({}, {"hostname": _HOSTNAMES, "allowedRoutes": _ALLOWED})
    nameless = _object({}, {"allowedRoutes": _ALLOWED})
    certificates = either(
        {"certificateRefs": [{"name": "shop"}]},
        {
            "mode": "Terminate",
            "certificateRefs": [{"name": "shop", "kind": "Secret", "group": ""}, {"name": "other"}],
        },
    )
    kinds: Values = st.one_of(
        names.map(lambda own: {**object_in(own), "protocol": "HTTP", "port": 80}),
        names.map(lambda own: {**object_in(own), "protocol": "HTTP", "port": 8080}),
        st.tuples(names, certificates).map(
            lambda both: {**object_in(both[0]), "tls": both[1], "protocol": "HTTPS", "port": 443}
        ),
        names.map(
            lambda own: {**object_in(own), "protocol": "TLS", "port": 9443, "tls": {"mode": "Passthrough"}}
        ),
        nameless.map(lambda own: {**object_in(own), "protocol": "TCP", "port": 6379}),
    )
    return listed(kinds, 1, 3).map(_named)


def _named(listeners: Json) -> Json:
    kept = unique(objects_in(listeners), lambda each: [each["port"], str(each.get("hostname", "")).lower()])
    return [{**object_in(each), "name": f"l{number}"} for number, each in enumerate(kept)]


_FROM: Final = either(
    {"from": "Same"},
    {"from": "All"},
    {"from": "None"},
    {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}},
)
_ALLOWED: Final = _object(
    {},
    {
        "namespaces": _FROM,
        "kinds": listed(
            either({"kind": "HTTPRoute"}, {"group": routes.GROUP, "kind": "TCPRoute"}, {"kind": "TLSRoute"})
        ),
    },
)
_ONE_STREAM_RULE: Final = listed(
    _object(
        {"backendRefs": listed(_object(_BACKEND, {**_ELSEWHERE, **_WEIGHT}), 1)}, {"name": either("one")}
    ),
    1,
    1,
)
_METHODS: Final = st.one_of(
    _object({"service": either("a.B", "B")}, {"method": either("Get", "list_all")}),
    _object({"method": either("Get")}, {}),
    _object(
        {"type": either("RegularExpression"), "service": either("a\\..*", "[a-z]+")},
        {"method": either("Get|Put")},
    ),
)


def _fit_session(value: Object) -> Object:
    """A time is a permanent cookie's, and such a cookie has one."""
    if value.get("type") == "Header":
        return without(value, ["cookieConfig", "absoluteTimeout"])
    if object_in(value.get("cookieConfig")).get("lifetimeType") == "Permanent":
        return {"absoluteTimeout": "90s", **value}
    return without(value, ["absoluteTimeout"])


GATEWAY_API: Final[Recipes] = {
    gateways.GatewayClass: Recipe(
        values={
            "controller_name": either(
                "proa.dev/gateway-controller", "istio.io/gateway-controller", "other.example/c"
            )
        }
    ),
    gateways.Gateway: Recipe(
        values={"gateway_class_name": either("proa", "istio", "one"), "listeners": _listeners()}
    ),
    gateways.AllowedListeners: Recipe(values={"namespaces": _FROM}),
    gateways.ListenerSet: Recipe(
        values={
            "parent_ref": either(
                {"name": "edge"},
                {"name": "edge", "namespace": "istio-system"},
                {"name": "edge", "group": routes.GROUP, "kind": "Gateway"},
            ),
            "listeners": _listeners(),
        }
    ),
    policies.BackendTlsPolicy: Recipe(
        values={
            "target_refs": listed(
                _object(
                    {"group": either(""), "kind": either("Service"), "name": either("a", "b")},
                    {"sectionName": either("http-9080", "web")},
                ),
                1,
            ).map(lambda targets: unique(objects_in(targets), lambda each: each["name"]))
        }
    ),
    policies.Validation: Recipe(
        values={
            "ca_certificate_refs": listed(
                either(
                    {"group": "", "kind": "ConfigMap", "name": "roots"},
                    {"kind": "Secret", "name": "a", "group": ""},
                ),
                1,
                1,
            ),
            "subject_alt_names": listed(
                either(
                    {"type": "Hostname", "hostname": "a.example"},
                    {"type": "Hostname", "hostname": "b.a.example"},
                    {"type": "URI", "uri": "spiffe://cluster.local/ns/default/sa/a"},
                ),
                1,
            ),
        },
        one_of=(("ca_certificate_refs", "well_known_ca_certificates"),),
    ),
    routes.SessionPersistence: Recipe(
        values={"session_name": either("", "x-session", "A_b")}, fit=_fit_session
    ),
    gateways.ReferenceGrant: Recipe(filled=("from_", "to")),
    gateways.GrantFrom: Recipe(
        values={
            "group": either(routes.GROUP),
            "kind": either("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute"),
            "namespace": words.namespace,
        }
    ),
    gateways.GrantTo: Recipe(
        values={"group": either(""), "kind": either("Service"), "name": either("", "a", "b")}
    ),
    routes.HttpRoute: Recipe(
        values={"parent_refs": listed(_PARENTS, 1), "hostnames": listed(_HOSTNAMES)},
        always=("rules",),
        filled=("rules",),
    ),
    routes.GrpcRoute: Recipe(
        values={"parent_refs": listed(_PARENTS, 1), "hostnames": listed(_HOSTNAMES)},
        always=("rules",),
        filled=("rules",),
    ),
    routes.TlsRoute: Recipe(
        values={
            "parent_refs": listed(_GATEWAYS, 1),
            "hostnames": listed(_HOSTNAMES),
            "rules": _ONE_STREAM_RULE,
        }
    ),
    routes.TcpRoute: Recipe(values={"parent_refs": listed(_GATEWAYS, 1), "rules": _ONE_STREAM_RULE}),
    routes.HttpRule: Recipe(
        values={
            "name": either("one", "r"),
            "filters": _filters(*_EDITS, _MIRRORING, _REWRITES, _REDIRECTS, _CORSES),
            "backend_refs": _BACKENDS,
        },
        fit=_fit_http,
    ),
    routes.GrpcRule: Recipe(
        values={"name": either("one"), "filters": _filters(*_EDITS, _MIRRORING), "backend_refs": _BACKENDS}
    ),
    routes.HttpMatch: Recipe(
        values={
            "path": _paths(),
            "headers": _values(words.own_header),
            "query_params": _values(either("a", "é", "x[]")),
        }
    ),
    routes.GrpcMatch: Recipe(values={"method": _METHODS, "headers": _values(words.own_header)}),
    routes.Timeouts: Recipe(
        values={"request": either("10s", "0s", "1h"), "backend_request": either("0s", "1ms", "10s")},
    ),
    routes.Retry: Recipe(
        values={"codes": listed(st.sampled_from((400, 503, 599)), 1), "attempts": either(0, 1, 5, 2**31 - 1)}
    ),
}
