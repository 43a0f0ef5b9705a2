import json
from pathlib import Path

from immutables import Map

from proa.core.model.endpoint import Endpoint
from proa.core.model.names import ObjectRef
from proa.core.model.service import Service, ServicePort
from proa.ports.config_store import StoredObject
from proa.servers.admin.operations import ServiceStatus
from proa.testing.admin_operations import FixedOperations
from tests.unit.cli.conftest import Proa, Serve

RULE = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - route:
    - destination:
        host: %s
"""
HOST = "reviews.default.svc.cluster.local"


def stored(host: str) -> StoredObject:
    manifest = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "reviews", "namespace": "default"},
        "spec": {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": host}}]}]},
    }
    return StoredObject(
        ref=ObjectRef("VirtualService", "default", "reviews"),
        api_version="networking.istio.io/v1",
        manifest=json.dumps(manifest),
        file="routes.yaml",
        line=7,
        version=1,
        author="me",
        time=0.0,
        created=0.0,
    )


def running() -> ServiceStatus:
    service = Service(
        hostname=HOST, namespace="default", ports=(ServicePort(number=80, name="http", protocol="HTTP"),)
    )
    endpoint = Endpoint(
        address="127.0.0.1",
        port=1,
        service_port=80,
        labels=Map({"app": "reviews"}),
        workload="default/reviews",
    )
    return ServiceStatus(service=service, endpoints=(endpoint,))


def test_files_alone_need_no_mesh(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % "nosuch.example")

    result = proa("analyze", "-f", tmp_path / "a.yaml")

    assert result.exit_code == 1
    assert f"{tmp_path}/a.yaml:10: spec.http[0].route[0].destination.host: nobody has" in result.stderr
    assert "[host-missing, IST0101]" in result.stderr


def test_files_without_faults_are_fine(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % "reviews")

    result = proa("analyze", "-f", tmp_path / "a.yaml")

    assert (result.exit_code, result.stdout) == (0, "1 object: fine\n")


def test_what_one_object_says_wrongly_is_told_too(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("kind: [")

    assert proa("analyze", "-f", tmp_path / "a.yaml").exit_code == 1


def test_a_mesh_is_known_whole(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(stored=(stored("reviewz"),), service_statuses=(running(),))):
        result = proa("analyze")

    assert result.exit_code == 1
    assert (
        "routes.yaml:7: spec.http[0].route[0].destination.host: nobody has the host reviewz.default"
        in result.stderr
    )
    assert "did you mean" in result.stderr


def test_a_mesh_without_faults_is_fine(proa: Proa, serve: Serve) -> None:
    with serve(FixedOperations(stored=(stored("reviews"),), service_statuses=(running(),))):
        assert proa("analyze").stdout == "1 object: fine\n"


def test_files_over_a_mesh_take_the_place_of_what_is_in_force(
    proa: Proa, serve: Serve, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_text(RULE % "reviews")
    with serve(FixedOperations(stored=(stored("reviewz"),), service_statuses=(running(),))):
        assert proa("analyze", "--mesh", "-f", tmp_path / "a.yaml").exit_code == 0


def test_for_programs(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RULE % "nosuch.example")

    found = json.loads(proa("analyze", "-f", tmp_path / "a.yaml", "-o", "json").stdout)

    assert (found["objects"], found["errors"]) == (1, 1)
    (message,) = found["messages"]
    assert (message["code"], message["istio"], message["level"]) == ("host-missing", ["IST0101"], "error")


def test_without_a_mesh_and_without_files_there_is_nothing_to_look_at(proa: Proa) -> None:
    result = proa("analyze")
    assert result.exit_code == 1
    assert "no control plane is running" in result.stderr


MIXER = """\
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: no}
spec: {status: {code: 7}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any}
spec:
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: deny}
spec:
  match: source.label["app"] == "reviews"
  actions:
  - handler: no.denier
    instances: [any.checknothing, other.checknothing]
"""


def test_what_does_not_go_together_among_objects_of_mixer(proa: Proa, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MIXER)
    result = proa("analyze", "-f", tmp_path / "a.yaml")
    assert result.exit_code == 1
    told = [line for line in result.stderr.splitlines() if "[mixer-" in line]
    assert [line.rpartition("a.yaml:")[2].split(": ")[0] for line in told] == ["1", "6", "15", "18"]
    assert 'did you mean "source.labels"' in told[2]
    assert "[mixer-reference-missing, IST0101]" in told[3]
