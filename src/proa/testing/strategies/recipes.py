"""What the structs of Istio's kinds ask of their fields together, as recipes."""

from collections.abc import Callable, Mapping
from typing import Final, cast

import msgspec
from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.config.connection_pool import ConnectionPool, HttpPool, TcpKeepalive
from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.kinds.destination_rule import schema as dr
from proa.core.config.kinds.gateway import schema as gw
from proa.core.config.kinds.mesh_config import schema as mc
from proa.core.config.kinds.peer_authentication import schema as pa
from proa.core.config.kinds.service_entry import schema as se
from proa.core.config.kinds.sidecar import schema as sc
from proa.core.config.kinds.virtual_service import schema as vs
from proa.core.config.locality import Distribute, Failover, LocalityLbSetting
from proa.core.config.retries import Retries
from proa.core.config.selection import WorkloadSelector as SelectorOfPolicies
from proa.core.config.workload_selector import WorkloadSelector
from proa.testing.strategies import vocabulary as words
from proa.testing.strategies.shaped import Object, Recipe, Recipes, without
from proa.testing.strategies.vocabulary import Values, listed

# -- pieces --


def either(*values: Json) -> Values:
    return st.sampled_from(values)


def objects_in(value: Json) -> list[Object]:
    """The items of a list of objects."""
    return cast(list[Object], value or [])


def object_in(value: Json) -> Object:
    return cast(Object, value or {})


def unique(items: list[Object], key: Callable[[Object], Json]) -> list[Json]:
    """Of items with equal keys the first."""
    kept: dict[str, Json] = {}
    for item in items:
        kept.setdefault(repr(key(item)), item)
    return list(kept.values())


def only_beside(value: Object, name: str, needed: str) -> Object:
    return value if needed in value else without(value, [name])


# -- VirtualService --

_LONG: Final = "x" * 400
_STRINGS: Final = {
    "exact": either(*words.PATHS, "jason", "GET", "http", "", "é", "a b", _LONG, "\x00", "a\r\nb"),
    "prefix": either(*words.PATHS, "jas", "é", _LONG, "\x00"),
}
_PRESENT: Final[Values] = st.just({})
_STRING: Final = st.one_of(
    _STRINGS["exact"].map(lambda text: {"exact": text}),
    _STRINGS["prefix"].map(lambda text: {"prefix": text}),
    words.regex.map(lambda text: {"regex": text}),
)
_CONDITIONS: Final = words.mapped(words.header, _STRING | _PRESENT)


def _fit_http(rule: Object) -> Object:
    if "route" not in rule:
        idle = (
            "fault",
            "rewrite",
            "retries",
            "timeout",
            "mirror",
            "mirrors",
            "mirrorPercentage",
            "mirrorPercent",
        )
        rule = without(rule, idle)
    if "mirror" in rule:
        rule = without(rule, ["mirrors"])
    else:
        rule = without(rule, ["mirrorPercentage", "mirrorPercent"])
    if "prefixRewrite" in object_in(rule.get("redirect")):
        matches = objects_in(rule.get("match")) or [{}]
        rule = rule | {"match": [{**match, "uri": {"prefix": "/a"}} for match in matches]}
    return _weighed(rule)


def _weighed(rule: Object) -> Object:
    """Weights of several destinations do not add up to nothing, nor to more than Envoy counts."""
    shares = objects_in(rule.get("route"))
    if len(shares) < 2:
        return rule
    total = sum(cast(int, each.get("weight", 0)) for each in shares)
    if total in range(1, 2**32):
        return rule
    return rule | {"route": [{**each, "weight": 1} for each in shares]}


def _fit_redirect(value: Object) -> Object:
    value = without(value, ["derivePort"]) if "port" in value else value
    return without(value, ["uri"]) if "prefixRewrite" in value else value


def _fit_virtual_service(spec: Object) -> Object:
    """Rules of TLS are for names that the hosts have; * is no name of the mesh's. Without hosts it is a delegate."""
    if not spec["hosts"]:
        rules = [rule for rule in objects_in(spec.get("http")) if "delegate" not in rule]
        spec = without(spec, ["gateways", "tls", "tcp", "http"]) | ({"http": [*rules]} if rules else {})
    hosts = [cast(str, host) for host in cast(list[Json], spec["hosts"])]
    names = [host for host in hosts if not host.startswith("*") or host == "*" or host.startswith("*.")]
    names = [host for host in names if host not in words.ADDRESSES]
    if "tls" in spec and not names:
        spec = without(spec, ["tls"])
    rules = [
        {**rule, "match": [{**match, "sniHosts": [*names]} for match in objects_in(rule["match"])]}
        for rule in objects_in(spec.get("tls"))
    ]
    if rules:
        spec = spec | {"tls": [*rules]}
    if "*" in hosts:
        spec = spec | {"gateways": ["edge", "istio-system/edge"]}
    if not {"http", "tls", "tcp"} & spec.keys():
        spec = spec | {"http": [{"route": [{"destination": {"host": "a"}}]}]}
    return spec


_REGEX_REWRITES: Final[tuple[Object, ...]] = (
    {"match": "/a/(.*)", "rewrite": "/b/\\1"},
    {"match": "(?P<x>a)|b", "rewrite": "\\0\\\\"},
    {"match": "é+", "rewrite": ""},
    {"match": "^/(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)", "rewrite": "\\9\\1"},
)
_RETRIES: Final = Recipe(
    values={"attempts": either(1, 2, 100, 2**31 - 1), "retry_on": words.retry_on}, always=("attempts",)
)
VIRTUAL_SERVICE: Final[Recipes] = {
    vs.VirtualService: Recipe(
        values={
            "hosts": either([])
            | listed(words.rule_host, 1)
            | listed(either("a", "b.shop.svc.cluster.local", "x.example.com", "y.example.com"), 1, 3)
            | either(["*"]),
            "gateways": listed(words.gateway, 1),
        },
        always=("hosts",),
        some=("http", "http", "tls", "tcp"),
        filled=("http", "tls", "tcp"),
        fit=_fit_virtual_service,
    ),
    vs.StringMatch: Recipe(values=_STRINGS, one_of=(("exact", "prefix", "regex"),)),
    vs.HttpMatch: Recipe(
        values={
            "headers": _CONDITIONS,
            "without_headers": _CONDITIONS,
            "query_params": words.mapped(either("a", "é", "a b", "x[]"), _STRING | _PRESENT),
            "scheme": either({"exact": "http"}, {"prefix": "http"}, {"regex": "https?"}),
            "method": either({"exact": "GET"}, {"prefix": "P"}, {"regex": "GET|HEAD"}),
        },
        always=("uri",),
    ),
    vs.Destination: Recipe(values={"host": words.host | words.host | words.wild_host}),
    vs.HttpRoute: Recipe(
        values={"name": either("a", "é b", "x" * 300)},
        one_of=(("route", "route", "route", "route", "redirect", "redirect", "direct_response", "delegate"),),
        filled=("route",),
        fit=_fit_http,
    ),
    vs.Delegate: Recipe(values={"name": either(*words.NAMES), "namespace": either("", "default", "shop")}),
    vs.Delay: Recipe(always=("fixed_delay",)),
    vs.Abort: Recipe(one_of=(("http_status", "grpc_status"),)),
    vs.Fault: Recipe(some=("delay", "abort")),
    vs.Rewrite: Recipe(
        values={
            "uri": either("/", "/b", "b", "/é", "?", "/a b", "/%20", "%REQ(x)%"),
            "uri_regex_rewrite": either(*_REGEX_REWRITES),
        },
        one_of=(("uri", "uri_regex_rewrite", "authority"),),
    ),
    vs.Redirect: Recipe(
        values={
            "uri": either("/b", "b", "/é?x=1", "%20", "/a#b", "%REQ(x)%"),
            "scheme": either("http", "https"),
            "redirect_code": either(0, 301, 302, 303, 307, 308),
        },
        some=("uri", "authority", "port", "derive_port", "scheme", "prefix_rewrite"),
        fit=_fit_redirect,
    ),
    vs.HttpBody: Recipe(
        values={"bytes": either("", "AAEC/w==", words.encoded(b"x" * 5000))}, one_of=(("string", "bytes"),)
    ),
    vs.Cors: Recipe(one_of=(("allow_origin", "allow_origins", ""),)),
    vs.HeaderOperations: Recipe(
        values={
            "set": words.mapped(words.own_header, words.header_value) | either({"host": "b.example"}),
            "add": words.mapped(words.own_header, words.header_value),
        }
    ),
    vs.TlsRoute: Recipe(always=("route",), filled=("match", "route"), fit=_weighed),
    vs.TcpRoute: Recipe(always=("route",), filled=("route",), fit=_weighed),
    vs.TlsMatch: Recipe(values={"sni_hosts": either(["a"])}),
    vs.TcpMatch: Recipe(),
}

# -- DestinationRule --


def _fit_balancer(value: Object) -> Object:
    if "consistentHash" in value or value.get("simple") in ("RANDOM", "PASSTHROUGH"):
        return without(value, ["warmup", "warmupDurationSecs"])
    return value


def _fit_rule(spec: Object) -> Object:
    if "subsets" in spec:
        spec = spec | {"subsets": unique(objects_in(spec["subsets"]), lambda each: each["name"])}
    return without(spec, ["exportTo"]) if "workloadSelector" in spec else spec


def _fit_policy(value: Object) -> Object:
    levels = objects_in(value.get("portLevelSettings"))
    if not levels:
        value = without(value, ["portLevelSettings"])
        return value or {"loadBalancer": {"simple": "RANDOM"}}
    return value | {"portLevelSettings": unique(levels, lambda each: object_in(each["port"])["number"])}


_TRUST: Final = {"subjectAltNames": words.FIELDS["subject_alt_names"], "sni": words.wild_host}
_POLICIES: Final = ("load_balancer", "connection_pool", "outlier_detection", "tls")


def _with(mode: str, required: Mapping[str, Values], optional: Mapping[str, Values]) -> Values:
    return st.fixed_dictionaries({"mode": st.just(mode), **required}, optional=dict(optional)).map(_as_json)


def _as_json(value: dict[str, Json]) -> Json:
    return value


_CLIENT_TLS: Final[Values] = st.one_of(
    _with("DISABLE", {}, {}),
    _with("ISTIO_MUTUAL", {}, _TRUST),
    _with("SIMPLE", {}, {**_TRUST, "caCertificates": words.file | st.just("system")}),
    _with("SIMPLE", {"caCertificates": words.file, "caCrl": words.file}, _TRUST),
    _with("SIMPLE", {"credentialName": words.credential}, _TRUST),
    _with("SIMPLE", {"insecureSkipVerify": st.just(True)}, {"sni": words.wild_host}),
    _with("MUTUAL", {"credentialName": words.credential}, _TRUST),
    _with(
        "MUTUAL",
        {"clientCertificate": words.file, "privateKey": words.file},
        {**_TRUST, "caCertificates": words.file},
    ),
)
DESTINATION_RULE: Final[Recipes] = {
    dr.DestinationRule: Recipe(values={"host": words.wild_host}, fit=_fit_rule),
    dr.TrafficPolicy: Recipe(
        values={"tls": _CLIENT_TLS}, some=(*_POLICIES, "port_level_settings", "retry_budget"), fit=_fit_policy
    ),
    dr.PortPolicy: Recipe(values={"tls": _CLIENT_TLS}, some=_POLICIES),
    dr.LoadBalancer: Recipe(
        one_of=(("simple", "consistent_hash", "consistent_hash", ""),), fit=_fit_balancer
    ),
    dr.ConsistentHash: Recipe(
        values={"use_source_ip": st.just(True), "http_query_parameter_name": either("a", "é", "a b", "[]")},
        one_of=(
            ("http_header_name", "http_cookie", "use_source_ip", "http_query_parameter_name"),
            ("ring_hash", "maglev", ""),
        ),
    ),
    dr.HttpCookie: Recipe(
        values={"name": either("user", "a b", "é", "x;y=z", "__Host-a"), "path": either("/", "/a", "x y")}
    ),
    dr.CookieAttribute: Recipe(
        values={"name": either("SameSite", "Secure", "a b", "é"), "value": either("", "Lax", "a;b")}
    ),
    dr.OutlierDetection: Recipe(
        fit=lambda value: (
            value | {"splitExternalLocalOriginErrors": True}
            if "consecutiveLocalOriginFailures" in value
            else value
        )
    ),
    dr.Subset: Recipe(values={"name": either(*words.SUBSETS)}),
    dr.Tunnel: Recipe(
        values={
            "protocol": either("", "CONNECT", "POST"),
            "target_host": either("x.example.com", "a", "192.0.2.1"),
        }
    ),
    Distribute: Recipe(
        values={
            "origin": either("eu/eu-1/*", "us/*", "asia"),
            "to": either({"eu": 100}, {"eu/eu-1": 80, "us/*": 20}),
        },
        always=("origin", "to"),
    ),
    Failover: Recipe(
        values={"origin": either("eu", "us"), "to": either("asia", "é")}, always=("origin", "to")
    ),
    LocalityLbSetting: Recipe(
        values={"failover_priority": listed(either("app", "version=v1", "topology.istio.io/subzone"), 1)},
        one_of=(("distribute", "failover", "failover_priority", ""),),
        filled=("distribute", "failover"),
        fit=lambda value: {
            name: unique(objects_in(each), lambda item: item["from"])
            if name in ("distribute", "failover")
            else each
            for name, each in value.items()
        },
    ),
    ConnectionPool: Recipe(some=("tcp", "http")),
    HttpPool: Recipe(
        fit=lambda value: without(value, ["h2UpgradePolicy"]) if value.get("useClientProtocol") else value
    ),
    TcpKeepalive: Recipe(
        values={
            "probes": either(0, 1, 127),
            "time": either("1s", "1.5s", "7200s", "32767s"),
            "interval": either("1s", "75s", "32767s"),
        }
    ),
    WorkloadSelector: Recipe(values={"labels": words.worn}),
}

# -- Gateway --

_VERSIONS: Final[Values] = either(
    {},
    {"minProtocolVersion": "TLSV1_3"},
    {"minProtocolVersion": "TLSV1_0", "maxProtocolVersion": "TLSV1_2"},
    {"maxProtocolVersion": "TLSV1_3"},
)
_PARAMETERS: Final = {
    "cipherSuites": words.FIELDS["cipher_suites"],
    "ecdhCurves": words.FIELDS["ecdh_curves"],
}
_CLIENTS: Final = {
    "subjectAltNames": words.FIELDS["subject_alt_names"],
    "verifyCertificateSpki": words.FIELDS["verify_certificate_spki"],
    "verifyCertificateHash": words.FIELDS["verify_certificate_hash"],
    "insecureSkipVerify": st.booleans(),
}
_PAIR: Final = {"serverCertificate": words.file, "privateKey": words.file}
_CERTIFICATES: Final[tuple[Mapping[str, Values], ...]] = (
    {"credentialName": words.credential},
    {"credentialNames": words.FIELDS["credential_names"]},
    _PAIR,
    {
        "tlsCertificates": st.lists(
            st.fixed_dictionaries(_PAIR, optional={"caCertificates": words.file}), min_size=1, max_size=2
        ).map(lambda each: [*each])
    },
)
_ROOTS: Final[tuple[Mapping[str, Values], ...]] = (
    {"caCertificates": words.file},
    {"caCertificates": words.file, "caCrl": words.file},
    {"caCertCredentialName": words.credential},
)


def _ended(mode: str) -> Values:
    """TLS that the gateway ends with an operator's certificates."""
    asks = mode != "SIMPLE"
    ways = [
        _with(mode, {**own, **roots}, {**_PARAMETERS, **(_CLIENTS if asks else {})})
        for own in _CERTIFICATES
        for roots in (_ROOTS if asks else ({},))
    ]
    return st.tuples(st.one_of(ways), _VERSIONS).map(
        lambda both: {**object_in(both[0]), **object_in(both[1])}
    )


_SERVER_TLS: Final[Values] = st.one_of(
    _ended("SIMPLE"),
    _ended("MUTUAL"),
    _ended("OPTIONAL_MUTUAL"),
    _with("PASSTHROUGH", {}, {}),
    _with("AUTO_PASSTHROUGH", {}, {}),
    _with("ISTIO_MUTUAL", {}, {"subjectAltNames": words.FIELDS["subject_alt_names"]}),
)


def _servers(protocols: tuple[str, ...], hosts: Values, tls: Values | None) -> Values:
    ports = st.fixed_dictionaries(
        {"number": either(80, 443, 8080), "name": st.just(""), "protocol": either(*protocols)},
        optional={"targetPort": either(0, 81)},
    )
    required: dict[str, Values] = {"port": ports.map(_as_json), "hosts": listed(hosts, 1)}
    optional: dict[str, Values] = {"bind": either("127.0.0.1", "0.0.0.0", "127.0.0.2")}
    optional["defaultEndpoint"] = either("127.0.0.1:1")
    if tls is not None:
        required["tls"] = tls
    return st.fixed_dictionaries(required, optional=optional).map(_as_json)


_SERVED: Final = (
    "*", "*.example.com", "x.example.com", "X.example.com", "shop/*", "./y.example.com", "*/*.local",
    "istio-system/x.example.com", "*.a.example.com", "10.1.2.3", "::1",
)  # fmt: skip
_WEB_HOSTS: Final = either(*_SERVED, "*-x.example.com", "a.shop.svc.cluster.local")
_SERVERS: Final = st.one_of(
    _servers(("HTTP", "http", "HTTP2", "GRPC", "GRPC-WEB"), _WEB_HOSTS, None),
    _servers(("HTTP",), _WEB_HOSTS, either({"httpsRedirect": True}, {"httpsRedirect": False})),
    _servers(("HTTPS", "TLS"), either(*_SERVED), _SERVER_TLS),
    _servers(("TCP", "MONGO"), _WEB_HOSTS, None),
)


def _fit_gateway(spec: Object) -> Object:
    """Names of ports and servers are each there once."""
    servers: list[Json] = []
    for number, server in enumerate(objects_in(spec["servers"])):
        servers.append(
            {**server, "port": {**object_in(server["port"]), "name": f"p{number}"}, "name": f"s{number}"}
        )
    return spec | {"servers": servers}


GATEWAY: Final[Recipes] = {
    gw.Gateway: Recipe(
        values={"servers": listed(_SERVERS, 1, 3), "selector": either({"istio": "ingressgateway"}, {})},
        fit=_fit_gateway,
    ),
}

# -- ServiceEntry, WorkloadEntry --

_SERVICE_PORTS: Final[tuple[Object, ...]] = (
    {"number": 80, "name": "http", "protocol": "HTTP"},
    {"number": 9080, "name": "web", "protocol": "http"},
    {"number": 443, "name": "tls", "protocol": "TLS", "targetPort": 8443},
    {"number": 443, "name": "https", "protocol": "HTTPS"},
    {"number": 7000, "name": "grpc", "protocol": "GRPC"},
    {"number": 8080, "name": "http2", "protocol": "HTTP2", "targetPort": 1},
    {"number": 6379, "name": "redis", "protocol": "Redis"},
    {"number": 27017, "name": "mongo", "protocol": "MONGO"},
    {"number": 9000, "name": "any"},
    {"number": 65535, "name": "tcp", "protocol": "TCP"},
)
_TELLING: Final = ("HTTP", "http", "TLS", "HTTPS", "GRPC", "HTTP2")


def _fit_endpoint(value: Object) -> Object:
    return without(value, ["ports"]) if str(value.get("address", "")).startswith("unix:") else value


def _fit_dynamic(spec: Object) -> Object:
    """Names that callers ask for: below a wildcard, on ports that tell them, and found nowhere else."""
    ports = [port for port in objects_in(spec.get("ports")) if port.get("protocol") in _TELLING]
    kept = without(spec, ["endpoints", "addresses", "workloadSelector"])
    return kept | {"hosts": ["*.example.com"], "ports": unique(ports, lambda port: port["number"])}


def _fit_entry(spec: Object) -> Object:
    resolution = str(spec.get("resolution", "NONE"))
    if resolution == "DYNAMIC_DNS":
        return _fit_dynamic(spec)
    ports = unique(objects_in(spec.get("ports")), lambda port: port["number"])
    spec = spec | {"ports": ports}
    names = {port["name"] for port in objects_in(ports)}
    endpoints: list[Object] = []
    for each in objects_in(spec.get("endpoints")):
        known = {name: to for name, to in object_in(each.get("ports")).items() if name in names}
        endpoints.append({**each, "ports": known} if known else without(each, ["ports"]))
    hosts = cast(list[str], spec["hosts"])
    if resolution == "NONE" or "workloadSelector" in spec:
        endpoints = []
    elif resolution == "STATIC":
        endpoints = [each for each in endpoints if each.get("address") != "real.example.org"]
    else:
        spec = without(spec, ["addresses"])
        endpoints = [each for each in endpoints if not str(each.get("address")).startswith("unix:")]
    if len(ports) != 1:
        endpoints = [each for each in endpoints if not str(each.get("address")).startswith("unix:")]
    if any(port.get("protocol") not in _TELLING for port in objects_in(ports)) and resolution != "NONE":
        hosts = hosts[:1]
    endpoints = endpoints[:1] if resolution == "DNS_ROUND_ROBIN" else endpoints
    if resolution.startswith("DNS") and not endpoints:
        hosts = [host for host in hosts if "*" not in host] or ["x.example.com"]
    spec = spec | {"hosts": [*hosts], "endpoints": [*endpoints]}
    return spec if endpoints else without(spec, ["endpoints"])


SERVICE_ENTRY: Final[Recipes] = {
    se.ServiceEntry: Recipe(
        values={
            "hosts": listed(st.sampled_from((*words.FULL_NAMES, *words.WILDCARDS, "a.shop", "short")), 1),
            "ports": listed(either(*_SERVICE_PORTS), 1, 3),
            "export_to": words.export_to | st.just(["~"]),
        },
        always=("ports", "resolution"),
        one_of=(("endpoints", "endpoints", "workload_selector", ""),),
        filled=("endpoints",),
        fit=_fit_entry,
    ),
    WorkloadEntry: Recipe(
        values={
            "address": words.FIELDS["address"] | either("unix:///tmp/a.sock", "unix://@a"),
            "ports": words.mapped(either("http", "redis", "web", "tls"), words.port),
        },
        always=("address",),
        fit=_fit_endpoint,
    ),
}

# -- Sidecar, PeerAuthentication --

_IMPORTS: Final = (
    "./*", "*/*", "~/*", "~shop/*", "shop/*", "*/x.example.com", "*/*.example.com", "default/*",
    "./a.default.svc.cluster.local", "nobody/*", "*/A.Shop.svc.cluster.local",
)  # fmt: skip


_HOSTS: Final[Values] = words.listed(either(*_IMPORTS), 1)
_PORTLESS: Final[Values] = _HOSTS.map(lambda hosts: {"hosts": hosts})
_OWN: Final[Values] = st.fixed_dictionaries(
    {
        "hosts": _HOSTS,
        "port": either(
            {"number": 9080, "protocol": "HTTP", "name": "web"},
            {"number": 6379, "protocol": "TCP"},
            {"number": 443, "protocol": "TLS"},
            {"number": 80, "protocol": "GRPC"},
        ),
    },
    optional={
        "captureMode": either("DEFAULT", "NONE", "IPTABLES"),
        "bind": either("127.0.0.1", "127.0.0.2", "::1"),
    },
).map(lambda listener: {**listener})


def _egress(parts: tuple[Json, Json]) -> Json:
    """Each port once, then the listener without one; there is at least one."""
    own = unique(objects_in(parts[0]), lambda each: object_in(each["port"])["number"])
    return [*own, *objects_in(parts[1])] or [{"hosts": ["./*"]}]


def _fit_ingress(listener: Object) -> Object:
    """TLS is ended on ports of two protocols."""
    if "tls" not in listener:
        return listener
    port = object_in(listener["port"])
    protocol = "TLS" if port.get("protocol") in ("TCP", "TLS") else "HTTPS"
    return listener | {"port": {**port, "protocol": protocol}}


def _fit_sidecar(spec: Object) -> Object:
    if "ingress" in spec:
        spec = spec | {
            "ingress": unique(objects_in(spec["ingress"]), lambda each: object_in(each["port"])["number"])
        }
    if not {"egress", "ingress", "outboundTrafficPolicy", "inboundConnectionPool"} & spec.keys():
        spec = spec | {"egress": [{"hosts": ["./*"]}]}
    return spec


SIDECAR: Final[Recipes] = {
    sc.Sidecar: Recipe(
        values={
            "egress": st.tuples(listed(_OWN, 0, 2), listed(_PORTLESS, 0, 1)).map(_egress),
        },
        some=("egress", "ingress", "outbound_traffic_policy", "inbound_connection_pool"),
        filled=("ingress",),
        fit=_fit_sidecar,
    ),
    sc.Ingress: Recipe(
        values={"tls": st.one_of(_ended("SIMPLE"), _ended("MUTUAL"), _ended("OPTIONAL_MUTUAL"))},
        fit=_fit_ingress,
    ),
    sc.SidecarPort: Recipe(values={"number": either(80, 9080, 6379, 7000)}),
    sc.OutboundTrafficPolicy: Recipe(
        fit=lambda value: value | {"mode": "ALLOW_ANY"} if "egressProxy" in value else value
    ),
    sc.EgressProxy: Recipe(values={"host": either(*words.FULL_NAMES, "a", "a.shop")}, always=("port",)),
}


def _fit_mesh_config(spec: Object) -> Object:
    """A format that is an object says so; providers have names of their own."""
    form = str(spec.get("accessLogFormat", ""))
    if form:
        spec = spec | {"accessLogEncoding": "JSON" if form.startswith("{") else "TEXT"}
    if "extensionProviders" in spec:
        providers = unique(objects_in(spec["extensionProviders"]), lambda each: each["name"])
        spec = spec | {"extensionProviders": providers}
    return spec


def _encoded(form: Json) -> str:
    return msgspec.json.encode(form).decode()


_PROVIDERS: Final = either("a.default.svc.cluster.local", "shop/a.shop.svc.cluster.local", "x.example.com")
MESH_CONFIG: Final[Recipes] = {
    mc.MeshConfig: Recipe(
        values={
            "access_log_file": either("/dev/stdout", ""),
            "dns_refresh_rate": either("2ms", "1s", "24h"),
            "access_log_format": either("", '{"a": "%REQ(x-a)%", "b": [{"c": "%DURATION%"}, 1, null]}')
            | words.log_format
            | words.log_format.map(lambda text: _encoded({"a": text, "%": {"b": [text, True]}})),
            "trust_domain_aliases": listed(either("old.example", "b")),
            "dns_resolvers": listed(either("127.0.0.1:1", "[::1]:1")),
            "root_namespace": either("", "istio-system", "shop"),
            **{
                f"default_{name}_export_to": words.export_to
                for name in ("service", "virtual_service", "destination_rule")
            },
        },
        filled=("extension_providers",),
        fit=_fit_mesh_config,
    ),
    mc.ExtensionProvider: Recipe(
        values={"name": either("grpc", "http")},
        one_of=(
            (
                "envoy_ext_authz_http",
                "envoy_ext_authz_grpc",
                "prometheus",
                "envoy_file_access_log",
                "envoy_otel_als",
                "opentelemetry",
                "zipkin",
            ),
        ),
    ),
    mc.FileLog: Recipe(values={"path": either("/dev/stdout", "/dev/stderr")}),
    mc.OtelLog: Recipe(values={"service": _PROVIDERS, "log_name": either("", "a")}),
    mc.Opentelemetry: Recipe(values={"service": _PROVIDERS}, one_of=(("http", "grpc", ""),)),
    mc.Zipkin: Recipe(values={"service": _PROVIDERS, "path": either("", "/api/v2/spans")}),
    mc.HttpHeader: Recipe(values={"name": words.own_header, "value": either("a", "é")}),
    mc.OtelByHttp: Recipe(values={"path": either("/", "/v1/traces")}),
    mc.GrpcChecker: Recipe(
        values={
            "service": _PROVIDERS,
            "status_on_error": either("", "403", "503"),
            "path_prefix": either("", "/check", "/a b"),
            "include_additional_headers_in_check": words.mapped(words.own_header, either("1", "é")),
            **{
                name: listed(words.own_header | either("x-*", "*-b"), 1)
                for name in (
                    "include_request_headers_in_check",
                    "headers_to_upstream_on_allow",
                    "headers_to_downstream_on_deny",
                    "headers_to_downstream_on_allow",
                )
            },
        }
    ),
    Retries: _RETRIES,
}
PEER_AUTHENTICATION: Final[Recipes] = {
    pa.PeerAuthentication: Recipe(
        fit=lambda value: only_beside(value, "portLevelMtls", "selector"),
    ),
    SelectorOfPolicies: Recipe(always=("match_labels",)),
}
