"""The values that documents are filled with: right ones by the name of their field, odd but allowed wherever there is
room, and few enough that objects meet each other.

A field that has no row here gets any text. Whoever adds a field to the kinds table with a rule of its own adds a row,
or else the field is seldom valid and a test of coverage says so.
"""

from base64 import b64encode
from typing import Final

from hypothesis import strategies as st

from proa.core.config import Json
from proa.core.config.kinds.virtual_service.cors import METHODS
from proa.core.config.kinds.virtual_service.status_names import GRPC_STATUSES
from proa.core.config.operators import operators_fault
from proa.core.config.retries import RETRY_CONDITIONS
from proa.core.config.server_tls import CIPHER_SUITES, ECDH_CURVES

Values = st.SearchStrategy[Json]

NAMESPACES: Final = ("default", "shop", "istio-system")
NAMES: Final = ("one", "two", "edge", "a.b-2")
SERVICES: Final = ("a", "b")
PORTS: Final = (80, 443, 6379, 7000, 8080, 9080, 9443, 65535)
WILDCARDS: Final = ("*.example.com", "*.shop.svc.cluster.local", "*-x.example.com", "*.local")
FULL_NAMES: Final = (
    "a.default.svc.cluster.local",
    "b.default.svc.cluster.local",
    "a.shop.svc.cluster.local",
    "A.Shop.svc.cluster.local",
    "b.shop.svc.cluster.locale",
    "x.example.com",
    "X.Example.com",
    "y.example.com.",
    "xn--bcher-kva.example",
    "1.example.com",
)
SHORT_NAMES: Final = ("a", "b", "A", "c", "a.shop", "a.shop.svc", "1")
ADDRESSES: Final = ("10.1.2.3", "192.0.2.1", "::1", "2001:DB8::0:1", "127.0.0.1")
FILES: Final = ("/etc/certs/tls.pem", "/etc/certs/key.pem", "/a b")
SECRETS: Final = ("shop", "shop.2", "S-1_x")
SUBSETS: Final = ("v1", "v2", "V1", "v1-2")
PATHS: Final = (
    "/",
    "/api",
    "/api/",
    "/Api/v1",
    "/a b",
    "/ä",
    "/a%20b",
    "/a?b=c",
    "/a//b",
    "/..",
    "x",
    "*",
    "/a.*",
)
REGEXES: Final = (
    ".*",
    "/a(pi)?/.*",
    "(?i)jason|fred",
    "[^/]+",
    "^v[0-9]{1,3}$",
    "\\d+\\.\\d+",
    "a|b|",
    "(a)(b)?(c)",
    "(?P<name>x)+",
    "\\pL",
    "()",
)
HEADERS: Final = (
    "x-a",
    "X-B",
    "end-user",
    "cookie",
    ":path",
    ":method",
    ":authority",
    "content-type",
    "_",
    "x.y",
)
HEADER_VALUES: Final = (
    "",
    "1",
    "jason",
    "%REQ(x-a)%",
    "%REQ(:path?x-a):20%",
    "100%%",
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "%PROTOCOL% %RESPONSE_CODE%",
    "%DYNAMIC_METADATA(a:b)%",
    '%UPSTREAM_METADATA(["a","b"])%',
    "%FILTER_STATE(a:PLAIN)%",
    "%QUERY_PARAM(a)%",
    "é 漢",
    " \t ",
    '"{}',
)
BAD_VALUES: Final = (
    "%",
    "100%",
    "%PROTOCOLL%",
    "%REQ(a b)%",
    "%FILTER_STATE(a:JSON)%",
    "%START_TIME:3%",
    "%%%",
)
"""Operators that are none: right only where values are literal."""
_OPERATORS: Final = (
    "PROTOCOL",
    "START_TIME",
    "EMIT_TIME_LOCAL",
    "DOWNSTREAM_PEER_CERT_V_END",
    "REQ",
    "RESP",
    "TRAILER",
    "DYNAMIC_METADATA",
    "CLUSTER_METADATA",
    "UPSTREAM_METADATA",
    "METADATA",
    "FILTER_STATE",
    "UPSTREAM_FILTER_STATE",
    "QUERY_PARAM",
    "QUERY_PARAMS",
    "PATH",
    "REQUESTED_SERVER_NAME",
    "GRPC_STATUS",
    "GRPC_STATUS_NUMBER",
    "COMMON_DURATION",
    "ENVIRONMENT",
    "CEL",
    "COALESCE",
    "UNKNOWN",
    "",
)
_ARGUMENTS: Final = (
    "",
    "()",
    "(%)",
    "(%3f é)",
    "(x-a)",
    "(:path?x-a)",
    "(x-a?)",
    "(a b)",
    "(é)",
    "(:)",
    "(a:b)",
    "(a:)",
    "(a:PLAIN)",
    "(a:FIELD)",
    "(a:FIELD:b:c)",
    "(ROUTE)",
    "(LISTENER:)",
    "(DYNAMIC:a:b)",
    "(ORIG)",
    "(NQ:PATH)",
    "(HOST_FIRST:ORIG)",
    "(NUMBER)",
    "(a:b:us)",
    '(["a",1])',
)
_PIECES: Final = tuple(
    f"%{name}{argument}{length}%"
    for name in _OPERATORS
    for argument in _ARGUMENTS
    for length in ("", ":0", ":123456789")
)
LABELS: Final = {"app": "a", "version": "v1", "example.com/tier": "", "istio": "ingressgateway"}
DURATIONS: Final = ("1ms", "0.5s", "1s", "7s", "90s", "1m30s", "1h", "25h", "8760h", "2562047h47m15s")


def _format(*, of_operator: bool) -> Values:
    """What is taken of all that names and arguments can be put together to: whether it is right Envoys say."""
    taken = [piece for piece in _PIECES if operators_fault(piece, of_operator=of_operator) is None]
    pieces = st.sampled_from(taken) | st.sampled_from(("a", " ", "%%", "é", "(", ")%%", ":3"))
    return st.lists(pieces, min_size=1, max_size=3).map("".join)


log_format: Final[Values] = _format(of_operator=True)
header_value: Final[Values] = st.sampled_from(HEADER_VALUES) | _format(of_operator=False)
literal_value: Final[Values] = st.sampled_from((*HEADER_VALUES, *BAD_VALUES))
text: Final[Values] = st.sampled_from(
    ("", "a", "A b", "é", "漢字", "\U0001f600", "%", "{}", "a\tb", "a\nb", "-", "~", "null", "x" * 300)
) | st.text(st.characters(codec="utf-8"), max_size=8)
labels: Final[Values] = st.dictionaries(
    st.sampled_from(tuple(LABELS)),
    st.sampled_from(("a", "b", "v1", "", "ingressgateway", "x_Y.z")),
    max_size=2,
)
worn: Final[Values] = st.sampled_from(
    ({"app": "a"}, {"version": "v1"}, {"istio": "ingressgateway"}, {"app": "c"})
)
"""Labels of a selector: mostly of somebody."""
host: Final[Values] = st.sampled_from((*FULL_NAMES, *SHORT_NAMES))
wild_host: Final[Values] = st.sampled_from((*FULL_NAMES, *SHORT_NAMES, *WILDCARDS))
rule_host: Final[Values] = st.sampled_from((*FULL_NAMES, *SHORT_NAMES, *WILDCARDS, *ADDRESSES))
namespace: Final[Values] = st.sampled_from(("default", "shop", "elsewhere"))
header: Final[Values] = st.sampled_from(HEADERS)
own_header: Final[Values] = st.sampled_from([each for each in HEADERS if not each.startswith(":")])
port: Final[Values] = st.sampled_from(PORTS)
duration: Final[Values] = st.sampled_from(DURATIONS)
subnet: Final[Values] = st.sampled_from(
    (
        *ADDRESSES,
        "10.0.0.0/8",
        "10.1.2.3/8",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::/32",
        "192.0.2.1/32",
        "10.0.0.7/31",
    )
)
gateway: Final[Values] = st.sampled_from(
    ("mesh", "edge", "default/edge", "istio-system/edge", "shop/one", "edge.default", "nobody")
)
export_to: Final[Values] = st.sampled_from(
    ([], ["*"], ["."], ["shop"], ["default", "elsewhere"], ["istio-system", "."])
)
credential: Final[Values] = st.sampled_from(SECRETS)
file: Final[Values] = st.sampled_from(FILES)
san: Final[Values] = st.sampled_from(
    ("a.example", "*.example", "spiffe://cluster.local/ns/default/sa/a", "10.0.0.1", "ann@a.example", "é")
)
regex: Final[Values] = st.sampled_from(REGEXES)
retry_on: Final[Values] = st.lists(
    st.sampled_from((*RETRY_CONDITIONS, "503", "599")), min_size=1, max_size=3
).map(",".join)


def listed(values: Values, least: int = 0, most: int = 2) -> Values:
    """A list of them, each once."""
    return st.lists(values, min_size=least, max_size=most, unique_by=repr).map(_as_json)


def _as_json(value: list[Json]) -> Json:
    return value


def mapped(keys: Values, values: Values, least: int = 0) -> Values:
    names = keys.map(str)
    return st.dictionaries(names, values, min_size=least, max_size=2).map(_as_object)


def _as_object(value: dict[str, Json]) -> Json:
    return value


def encoded(value: bytes) -> str:
    return b64encode(value).decode()


FIELDS: Final[dict[str, Values]] = {
    "address": st.sampled_from(("192.0.2.7", "192.0.2.8", "::1", "real.example.org")),
    "addresses": listed(subnet),
    "allow_headers": listed(own_header | st.just("*")),
    "allow_methods": listed(st.sampled_from(METHODS)),
    "allow_origin": listed(st.sampled_from(("*", "https://a.example", "null", "é"))),
    "authority": st.sampled_from(("a.example", "a:80", "[::1]:80", "é", "A.Example", "*")),
    "ca_certificates": file,
    "ca_crl": file,
    "cipher_suites": listed(st.sampled_from(CIPHER_SUITES)),
    "client_certificate": file,
    "credential_name": credential,
    "credential_names": listed(credential, 1),
    "default_endpoint": st.sampled_from(
        ("127.0.0.1:9080", "0.0.0.0:80", "[::1]:1", "unix:///tmp/a.sock", "unix://@a")
    ),
    "destination_subnets": listed(subnet),
    "domain": st.sampled_from(("svc.cluster.local", "example.com")),
    "ecdh_curves": listed(st.sampled_from(ECDH_CURVES)),
    "export_to": export_to,
    "expose_headers": listed(own_header),
    "gateways": listed(gateway),
    "grpc_status": st.sampled_from(tuple(GRPC_STATUSES)),
    "host": wild_host,
    "hostname": st.sampled_from(("a.example", "x.example.com", "b.shop.svc.cluster.local")),
    "hostnames": listed(
        st.sampled_from(("x.example.com", "*.example.com", "X.Example.com", "y.example.com"))
    ),
    "http_header_name": header,
    "jwks_uri": st.sampled_from(("https://a.example/keys", "http://a.example:80/k?x=1")),
    "labels": labels,
    "locality": st.sampled_from(("a", "a/b", "a/b/c", "eu-1/é/x", "a//c", "/b")),
    "match_labels": worn,
    "namespace": namespace,
    "network": st.sampled_from(("", "net-1", "é")),
    "numerator": st.integers(0, 100),
    "precedence": st.integers(-3, 3),
    "prefix_rewrite": st.sampled_from(("/", "/b", "b", "/a%20b")),
    "private_key": file,
    "protocol": st.sampled_from(("HTTP", "http", "HTTP2", "GRPC", "HTTPS", "TLS", "TCP", "MONGO", "")),
    "regex": regex,
    "remove": listed(own_header),
    "replace_full_path": st.sampled_from(("/", "/b", "/b?c=%20")),
    "replace_prefix_match": st.sampled_from(("/", "/b", "/b/", "")),
    "retry_on": retry_on,
    "server_certificate": file,
    "service_account": st.sampled_from(("legacy", "a", "b")),
    "sni": wild_host,
    "source_labels": worn,
    "source_namespace": namespace,
    "stat_prefix": st.sampled_from(("a", "a.b", "é", "a b", "x" * 80)),
    "subject_alt_names": listed(san, 1),
    "subset": st.sampled_from(SUBSETS),
    "table_size": st.sampled_from((0, 2, 3, 251, 65537)),
    "minimum_ring_size": st.sampled_from((0, 1, 2, 1023, 1024, 70_000)),
    "uri_path": st.sampled_from(PATHS),
    "verify_certificate_hash": listed(st.sampled_from(("ab" * 32, ":".join(["AB"] * 32))), 1),
    "verify_certificate_spki": listed(st.just(encoded(b"k" * 32)), 1),
}
"""Rings and tables are not as large as they may be: one of millions of entries keeps an Envoy busy for half a minute.

By the attribute of a schema's struct; `recipes` has the rows that are of one struct alone."""
