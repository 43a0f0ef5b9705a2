import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from google.protobuf.json_format import ParseDict
from immutables import Map

from proa.core.attributes.value_types import Timestamp, has_type
from proa.core.attributes.vocabulary import STANDARD
from proa.core.expression.tracing import Reference
from proa.core.mixer.api_specs import apis_for, compile_apis
from proa.core.mixer.asked import Asked, Party, Place, RequestBag, read_check
from proa.testing.mixer import mixer_config

CLAIMS = {"iss": "issuer.example", "sub": "ann", "aud": ["shop", "bank"], "azp": "app", "level": 3}
REQUEST = ParseDict(
    {
        "attributes": {
            "source": {
                "address": {"socket_address": {"address": "::ffff:10.0.0.7", "port_value": 4711}},
                "principal": "spiffe://cluster.local/ns/shop/sa/web",
                "certificate": "PEM",
            },
            "request": {
                "time": "2026-11-23T01:02:03.000000004Z",
                "http": {
                    "headers": {
                        ":path": "/cart?x=1",
                        ":method": "POST",
                        ":authority": "cart.shop",
                        ":scheme": "http",
                        "content-type": "application/grpc+proto",
                        "user-agent": "curl",
                    }
                },
            },
            "tls_session": {"sni": "outbound_.80_._.cart.shop"},
            "metadata_context": {"filter_metadata": {"envoy.filters.http.jwt_authn": {"payload": CLAIMS}}},
        }
    },
    CheckRequest(),
)
CALLER = Party(name="web-1", namespace="shop", labels=Map({"app": "web"}), account="web", workload="web")
PLACE = Place(attributes=Map(Party(name="cart-1", namespace="shop").attributes("destination")))


@pytest.fixture
def bag() -> RequestBag:
    asked = read_check(REQUEST, {"PEM": "web-1.shop.workload.cluster.local"}.__getitem__)
    assert asked.workload == "web-1.shop.workload.cluster.local"
    return RequestBag(asked, PLACE, CALLER)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("request.path", "/cart?x=1"),
        ("request.method", "POST"),
        ("request.host", "cart.shop"),
        ("request.useragent", "curl"),
        ("request.referer", None),
        ("request.time", Timestamp(1795395723000000004)),
        ("request.auth.principal", "issuer.example/ann"),
        ("request.auth.audiences", "shop"),
        ("request.auth.presenter", "app"),
        ("request.auth.claims", {"iss": "issuer.example", "sub": "ann", "azp": "app"}),
        ("source.principal", "cluster.local/ns/shop/sa/web"),
        ("source.uid", "kubernetes://web-1.shop"),
        ("source.labels", {"app": "web"}),
        ("source.workload.uid", "istio://shop/workloads/web"),
        ("source.ip", bytes((10, 0, 0, 7))),
        ("origin.ip", bytes((10, 0, 0, 7))),
        ("destination.workload.name", "cart-1"),
        ("destination.serviceAccount", None),
        ("connection.mtls", True),
        ("connection.requested_server_name", "outbound_.80_._.cart.shop"),
        ("context.protocol", "grpc"),
        ("response.code", None),
    ],
)
def test_what_a_proxy_tells_reads_as_attributes(bag: RequestBag, name: str, value: object) -> None:
    found = bag.get(name)
    assert (dict(found) if isinstance(found, Map) else found) == value
    declared = STANDARD.type_of(name)
    assert declared is not None
    assert found is None or has_type(found, declared)


def test_a_stranger_is_nobody_whatever_its_headers_say() -> None:
    asked = Asked(
        headers={"x-forwarded-client-cert": "By=spiffe://x;URI=spiffe://y"}, address="not an address"
    )
    bag = RequestBag(asked, PLACE, None)
    for name in ("source.principal", "source.labels", "source.uid", "source.ip", "request.auth.claims"):
        assert bag.get(name) is None
    assert bag.get("connection.mtls") is False
    assert bag.get("context.protocol") == "http"


def test_what_apis_tell_is_among_the_attributes() -> None:
    spec = mixer_config(
        "HTTPAPISpec",
        "carts",
        {
            "attributes": {"attributes": {"api.service": {"stringValue": "carts"}}},
            "patterns": [
                {
                    "httpMethod": "POST",
                    "uriTemplate": "/cart",
                    "attributes": {"attributes": {"api.operation": {"stringValue": "fill"}}},
                }
            ],
            "apiKeys": [{"query": "x"}],
        },
    )
    binding = mixer_config(
        "HTTPAPISpecBinding", "b", {"services": [{"service": "*"}], "apiSpecs": [{"name": "carts"}]}
    )
    told = apis_for(compile_apis((spec, binding), STANDARD), "cart.shop")
    place = Place(attributes=PLACE.attributes.update(told.constants), apis=told)
    asked = read_check(REQUEST, lambda _: "")
    bag = RequestBag(asked, place, CALLER)
    names = ("api.service", "api.operation", "api.version", "request.api_key", "request.path", "source.name")
    assert [bag.get(name) for name in names] == ["carts", "fill", None, "1", "/cart?x=1", "web-1"]
    read = [Reference(name, None, "exact") for name in names]
    assert {each.name for each in bag.grounded(read)} == {"request.path", "request.method", "source.name"}
    nobodys = RequestBag(asked, PLACE, CALLER)
    assert nobodys.get("request.api_key") is None
    assert [each.name for each in nobodys.grounded(read)] == ["request.path", "source.name"]


def test_a_connection_has_its_own_attributes_and_none_of_a_request() -> None:
    told = CheckRequest()
    told.attributes.source.CopyFrom(REQUEST.attributes.source)
    told.attributes.tls_session.sni = "outbound_.3306_._.db.shop"
    asked = read_check(told, {"PEM": "web-1.shop.workload.cluster.local"}.__getitem__)
    found = RequestBag(asked, PLACE, CALLER)
    assert found.get("context.protocol") == "tcp"
    assert found.get("source.principal") == "cluster.local/ns/shop/sa/web"
    assert found.get("source.labels") == Map({"app": "web"})
    assert found.get("connection.requested_server_name") == "outbound_.3306_._.db.shop"
    assert found.get("destination.name") == "cart-1"
    names = [name for name in STANDARD.types if name.startswith("request.")]
    assert {found.get(name) for name in (*names, "context.time")} == {None}
