"""Workloads as Mixer's attributes say them."""

from immutables import Map

from proa.core.attributes.addresses import parse_address
from proa.core.attributes.vocabulary import STANDARD
from proa.core.mixer.api_specs import compile_apis
from proa.core.model.names import WorkloadId
from proa.core.model.workload import InboundPort, Workload
from proa.core.pilot.scope.mixer import party_of, place_of, service_attributes
from proa.testing.mixer import mixer_config

WORKLOAD = Workload(
    id=WorkloadId("shop", "web-1"),
    kind="sidecar",
    node="n",
    account="seller",
    labels=Map({"app": "web"}),
    bind="10.0.0.7",
)
PORT = InboundPort(service_port=80, service="web", protocol="HTTP", app_port=8080, sidecar_port=20000)


def test_a_place_tells_the_server_the_service_and_the_port() -> None:
    found = place_of(WORKLOAD, PORT, "cluster.local").attributes
    assert dict(found) == {
        "destination.uid": "kubernetes://web-1.shop",
        "destination.name": "web-1",
        "destination.namespace": "shop",
        "destination.labels": Map({"app": "web"}),
        "destination.ip": parse_address("10.0.0.7"),
        "destination.serviceAccount": "seller",
        "destination.workload.uid": "istio://shop/workloads/web-1",
        "destination.workload.name": "web-1",
        "destination.workload.namespace": "shop",
        "destination.port": 8080,
        "destination.principal": "cluster.local/ns/shop/sa/seller",
        "destination.user": "cluster.local/ns/shop/sa/seller",
        "destination.service": "web.shop.svc.cluster.local",
        "destination.service.host": "web.shop.svc.cluster.local",
        "destination.service.name": "web",
        "destination.service.namespace": "shop",
        "destination.service.uid": "istio://shop/services/web",
        "context.reporter.kind": "inbound",
        "context.reporter.uid": "kubernetes://web-1.shop",
    }
    assert all(STANDARD.type_of(name) is not None for name in found)


def test_a_party_is_who_calls() -> None:
    found = party_of(WORKLOAD).attributes("source")
    assert (found["source.labels"], found["source.serviceAccount"]) == (Map({"app": "web"}), "seller")
    assert found["source.namespace"] == "shop"


def test_a_service_outside_of_the_meshs_domain_has_its_whole_host_for_a_name() -> None:
    for host, namespace, name in (
        ("cart.shop.svc.cluster.local", "shop", "cart"),
        ("cart.shop.svc.cluster.local", "other", "cart.shop.svc.cluster.local"),
        ("bank.test", "shop", "bank.test"),
    ):
        found = service_attributes(host, namespace)
        assert found["destination.service.host"] == found["destination.service"] == host
        assert found["destination.service.name"] == name
        assert found["destination.service.uid"] == f"istio://{namespace}/services/{name}"


def test_a_place_has_what_specs_say_of_its_service() -> None:
    spec = mixer_config(
        "HTTPAPISpec",
        "web",
        {
            "attributes": {"attributes": {"api.service": {"stringValue": "web-api"}}},
            "patterns": [{"httpMethod": "GET", "uriTemplate": "/"}],
        },
        "shop",
    )
    for service, name in (("web", "web-api"), ("other", None)):
        bound = {"services": [{"name": service}], "apiSpecs": [{"name": "web"}]}
        binding = mixer_config("HTTPAPISpecBinding", "b", bound, "shop")
        apis = compile_apis((spec, binding), STANDARD)
        found = place_of(WORKLOAD, PORT, "cluster.local", apis)
        assert found.attributes.get("api.service") == name
        assert bool(found.apis.specs) == (name is not None)
