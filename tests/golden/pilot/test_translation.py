"""What proxies are sent, in full: each input is a small mesh and objects, each golden file the decoded resources.

An input's first document tells of the mesh: `workloads` are `[namespace/]service-version` with a protocol, `show`
the workload whose proxy it is and the resources to print, `own` the places that agents have for listeners of their
sidecars. One thing is shown per case; what it means is tested by simulation beside the translators.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from proa.core.config import Json, to_yaml
from proa.core.config.document import parse
from proa.core.model.names import parse_workload_id
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import decode
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, registered_port, registration
from tests.golden_files import GoldenFiles, case_name, inputs

MESSAGES: dict[ResourceType, type[Message]] = {
    ResourceType.CLUSTER: Cluster,
    ResourceType.ENDPOINT: ClusterLoadAssignment,
    ResourceType.LISTENER: Listener,
    ResourceType.ROUTE: RouteConfiguration,
}
EDGE = registration(
    "istio-system/ingress",
    kind="gateway",
    labels={"istio": "ingressgateway"},
    gateway_ports=(GatewayPort(server_port=80, bound_port=31080),),
)


def small_mesh(workloads: dict[str, str], own: Mapping[str, list[str]] = MappingProxyType({})) -> Mesh:
    placed = []
    for number, (name, protocol) in enumerate(sorted(workloads.items())):
        identity = parse_workload_id(name)
        service, _, version = identity.name.partition("-")
        port = registered_port(service, 9080, protocol=protocol)
        doors = tuple(_door(place) for place in own.get(name, ()))
        labels = {"app": service, "version": version}
        placed.append(
            registration(name, port, address=f"10.0.0.{number + 1}", labels=labels, gateway_ports=doors)
        )
    return Mesh(EDGE, *placed)


def _door(place: str) -> GatewayPort:
    address, _, port = place.rpartition(":")
    return GatewayPort(server_port=int(port), bound_port=int(port), address=address)


@pytest.mark.parametrize("case", inputs(Path(__file__).parent), ids=case_name)
def test_translation(case: Path, golden: GoldenFiles) -> None:
    scene, *objects = case.read_text().split("\n---\n")
    told = parse(scene, case.name).documents[0].value
    workloads, show = told["workloads"], told["show"]
    assert isinstance(workloads, dict)
    assert isinstance(show, dict)
    own = msgspec.convert(told.get("own", {}), dict[str, list[str]])
    mesh = small_mesh({name: str(protocol) for name, protocol in workloads.items()}, own)
    for text in objects:
        mesh.apply(text)
    source = mesh.source(str(show["proxy"]))
    wanted = show["resources"]
    assert isinstance(wanted, list)
    shown: dict[str, Json] = {}
    for each in wanted:
        kind, _, name = str(each).partition(" ")
        resource = source.lookup(ResourceType[kind], name)
        assert resource is not None, each
        message = decode(resource, MESSAGES[resource.type])
        shown[str(each)] = json.loads(MessageToJson(message, sort_keys=True))
    golden(case, to_yaml(shown))
