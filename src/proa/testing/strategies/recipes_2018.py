"""What the structs of 2018's routing kinds and of Kubernetes' Ingress ask of their fields together, as recipes."""

from typing import Final

from hypothesis import strategies as st

from proa.core.config.legacy import ingress_schema as ingress
from proa.core.config.legacy import schema as old
from proa.testing.strategies import vocabulary as words
from proa.testing.strategies.recipes import either, object_in, objects_in
from proa.testing.strategies.shaped import Object, Recipe, Recipes, without
from proa.testing.strategies.vocabulary import listed

_SERVICES: Final = either(
    {"name": "a"},
    {"name": "b", "namespace": "shop"},
    {"service": "a.shop.svc.cluster.local"},
    {"service": "x.example.com"},
    {"name": "a", "namespace": "default", "domain": "svc.cluster.local"},
)
_LABELLED: Final = st.tuples(_SERVICES, either({}, {"version": "v1"}, {"version": "v2", "app": "a"})).map(
    lambda both: {**object_in(both[0]), "labels": both[1]} if both[1] else both[0]
)
_SOURCES: Final = either(
    {"name": "a"},
    {"name": "a", "namespace": "shop"},
    {"service": "b.default.svc.cluster.local"},
    {"labels": {"app": "a"}},
)
_PERCENT: Final = either(0, 0.5, 33.3, 100)


def _fit_route(spec: Object) -> Object:
    if "redirect" in spec:
        spec = without(spec, ["route", "rewrite", "httpFault", "httpReqTimeout", "httpReqRetries", "mirror"])
    shares = objects_in(spec.get("route"))
    if len(shares) > 1:
        spec = spec | {"route": [{**each, "weight": 50} for each in shares]}
    return spec


def _fit_delay(value: Object) -> Object:
    return without(value, ["exponentialDelay"])


_CONDITIONS: Final = words.mapped(
    either("uri", "scheme", "method", "authority", "cookie", "x-a"),
    st.one_of(
        either("/a", "jason", "é").map(lambda value: {"exact": value}),
        either("/a", "j").map(lambda value: {"prefix": value}),
        words.regex.map(lambda value: {"regex": value}),
    ),
)
RULES_2018: Final[Recipes] = {
    old.IstioService: Recipe(values={"service": words.host}, one_of=(("name", "service"),)),
    old.MatchCondition: Recipe(values={"source": _SOURCES}),
    old.MatchRequest: Recipe(values={"headers": _CONDITIONS}),
    old.StringMatch: Recipe(one_of=(("exact", "prefix", "regex"),)),
    old.RouteRule: Recipe(
        values={
            "destination": _SERVICES,
            "mirror": _LABELLED,
            "append_headers": words.mapped(words.own_header, words.header_value),
        },
        one_of=(("route", "route", "redirect", ""),),
        fit=_fit_route,
    ),
    old.DestinationWeight: Recipe(
        values={"destination": _LABELLED, "labels": either({}, {"version": "v1"}), "weight": either(0, 100)}
    ),
    old.Redirect: Recipe(values={"uri": either("/b", "b")}, some=("uri", "authority")),
    old.Rewrite: Recipe(values={"uri": either("/b", "b")}, one_of=(("uri", "authority"),)),
    old.SimpleRetry: Recipe(values={"attempts": either(1, 3, 100)}),
    old.Delay: Recipe(values={"percent": _PERCENT}, always=("fixed_delay",), fit=_fit_delay),
    old.Abort: Recipe(
        values={"percent": _PERCENT, "http_status": either(200, 400, 503)},
        one_of=(("http_status", "grpc_status"),),
        never=("http2_error",),
    ),
    old.Fault: Recipe(some=("delay", "abort")),
    old.DestinationPolicy: Recipe(
        values={"destination": _LABELLED, "source": _SOURCES}, some=("load_balancing", "circuit_breaker")
    ),
    old.VersionPolicy: Recipe(
        values={"labels": either({"version": "v1"}, {"version": "v2"})},
        some=("load_balancing", "circuit_breaker"),
    ),
    old.LoadBalancing: Recipe(always=("name",)),
    old.CircuitBreaker: Recipe(always=("simple_cb",)),
    old.SimpleCircuitBreaker: Recipe(values={"max_connections": either(1, 100)}, always=("max_connections",)),
    old.EgressRule: Recipe(
        values={
            "destination": either(
                {"service": "x.example.com"}, {"service": "*.example.com"}, {"service": "10.0.0.0/8"}
            ),
            "ports": listed(
                either(
                    {"port": 80, "protocol": "http"},
                    {"port": 443, "protocol": "https"},
                    {"port": 6379, "protocol": "tcp"},
                ),
                1,
            ),
        },
    ),
    old.IngressRule: Recipe(
        values={
            "destination": _LABELLED,
            "match": _CONDITIONS.map(
                lambda headers: {"request": {"headers": without(object_in(headers), ["authority"])}}
            ),
            "port": either(0, 80, 443),
            "destination_port": either(0, 80, 9080),
            "tls_secret": words.credential,
        },
        never=("destination_port_name",),
    ),
    ingress.Ingress: Recipe(
        values={
            "ingress_class_name": either("istio", "", "nginx"),
            "default_backend": st.just({"service": {"name": "a", "port": {"number": 9080}}}),
        },
        always=("rules",),
        filled=("rules",),
    ),
    ingress.IngressHostRule: Recipe(
        values={"host": either("", "x.example.com", "*.example.com")}, always=("http",)
    ),
    ingress.HttpRules: Recipe(filled=("paths",), always=("paths",)),
    ingress.HttpPath: Recipe(
        values={
            "path": either("", "/", "/a", "/a/", "/a/.*", "/é"),
            "path_type": either("", "Exact", "Prefix", "ImplementationSpecific"),
        }
    ),
    ingress.BackendService: Recipe(values={"name": either("a", "b", "c")}),
    ingress.BackendPort: Recipe(values={"number": either(80, 9080)}, always=("number",), never=("name",)),
    ingress.IngressTls: Recipe(
        values={"hosts": listed(either("x.example.com", "*.example.com")), "secret_name": words.credential},
        always=("secret_name",),
    ),
}
