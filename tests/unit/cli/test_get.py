import json

import msgspec
import pytest
from immutables import Map

from proa.core.config import load_all
from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef
from proa.core.model.service import Service, ServicePort
from proa.ports.config_store import StoredObject
from proa.servers.admin.operations import ServiceStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve


def stored(kind: str, name: str, spec: dict[str, object], namespace: str = "default") -> StoredObject:
    version = "networking.istio.io/v1"
    metadata = {"name": name, "namespace": namespace}
    manifest = {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
    return StoredObject(
        ref=ObjectRef(kind, namespace, name),
        api_version=version,
        manifest=json.dumps(manifest),
        file="mesh.yaml",
        line=7,
        version=3,
        author="ann",
        time=0.0,
        created=0.0,
    )


RULES = FixedOperations(
    stored=(
        stored(
            "DestinationRule", "reviews", {"host": "reviews", "subsets": [{"name": "v1"}, {"name": "v2"}]}
        ),
        stored("VirtualService", "reviews", {"hosts": ["reviews"], "gateways": ["door"]}),
        stored("VirtualService", "other", {"hosts": ["other"]}, "shop"),
    )
)


def words(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_kind_in_any_spelling(proa: Proa, serve: Serve) -> None:
    with serve(RULES):
        answers = {proa("get", kind).stdout for kind in ("vs", "virtualservices", "VirtualService")}

    (answer,) = answers
    assert [line[:4] for line in words(answer)] == [
        ["NAME", "ABOUT", "VERSION", "BY"],
        ["reviews", "reviews", "at", "door"],
    ]


def test_all_kinds_of_all_namespaces(proa: Proa, serve: Serve) -> None:
    with serve(RULES):
        result = proa("get", "all", "-A")

    assert [line[:3] for line in words(result.stdout)] == [
        ["NAMESPACE", "KIND", "NAME"],
        ["default", "DestinationRule", "reviews"],
        ["default", "VirtualService", "reviews"],
        ["shop", "VirtualService", "other"],
    ]
    assert "reviews (v1, v2)" in result.stdout
    assert "mesh.yaml:7" in result.stdout


@pytest.mark.parametrize("output", ["yaml", "json"])
def test_what_is_printed_can_be_applied_again(proa: Proa, serve: Serve, output: str) -> None:
    with serve(RULES):
        result = proa("get", "vs", "-A", "-o", output)

    loaded = load_all(result.stdout, "again")
    assert [document.value["metadata"] for document in loaded.documents] == [
        {"name": "reviews", "namespace": "default"},
        {"name": "other", "namespace": "shop"},
    ]


def test_one_object_is_itself_and_no_list(proa: Proa, serve: Serve) -> None:
    with serve(RULES):
        result = proa("get", "vs/reviews", "-o", "json")

    assert json.loads(result.stdout)["kind"] == "VirtualService"


def test_an_absent_object_is_a_problem_and_an_empty_list_is_not(proa: Proa, serve: Serve) -> None:
    with serve(RULES):
        absent, empty = proa("get", "vs", "nope"), proa("get", "gw")

    assert absent.exit_code == 1
    assert "VirtualService nope is not in force in namespace default" in absent.stderr
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "no Gateway in namespace default (-A looks in all)" in empty.stderr


def test_an_unknown_kind_lists_the_known(proa: Proa) -> None:
    result = proa("get", "pods")

    assert result.exit_code == 2
    assert "VirtualService (vs)" in result.stderr


def test_services_count_their_healthy_endpoints(proa: Proa, serve: Serve) -> None:
    port = ServicePort(number=9080, name="http", protocol="HTTP")
    service = Service(hostname="reviews.default.svc.cluster.local", namespace="default", ports=(port,))
    well = Endpoint(address="127.0.0.1", port=1, service_port=9080, labels=Map(app="reviews"))
    endpoints = (well, msgspec.structs.replace(well, address="::1", health="UNHEALTHY", tls="mutual"))
    with serve(FixedOperations(service_statuses=(ServiceStatus(service=service, endpoints=endpoints),))):
        table = proa("get", "services").stdout
        one = proa("get", "services", "reviews").stdout
        tree = json.loads(proa("get", "svc", "reviews", "-o", "json").stdout)
        absent = proa("get", "svc", "nope")

    assert words(table)[1] == ["reviews.default.svc.cluster.local", "9080/HTTP", "1", "of", "2"]
    assert words(one)[3:] == [
        ["ENDPOINT", "WORKLOAD", "PORT", "HEALTH", "MESH", "TLS"],
        ["127.0.0.1:1", "-", "9080", "HEALTHY", "no"],
        ["[::1]:1", "-", "9080", "UNHEALTHY", "yes"],
    ]
    assert tree["services"][0]["endpoints"][0]["labels"] == {"app": "reviews"}
    assert absent.exit_code == 1
