"""What several objects for one thing come to: docs/merging.md states each rule beside the case here that shows it.

A case's first document is the scene. `workloads` are as in `golden/pilot`; `created` says when objects appeared, of
those that have an age; `proxy` whose configuration it is; `show` the resources. What no rule of merging decides is left
out of these. Beside them stand the notes.
"""

import json
from pathlib import Path
from typing import Final

import pytest
from envoy.config.cluster.v3.cluster_pb2 import Cluster
from google.protobuf.json_format import MessageToJson

from proa.core.auth.peer_policy import mode_of, settled
from proa.core.config import Json, to_yaml
from proa.core.config.document import parse
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.model.names import parse_workload_id
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.simulate.resources import decode
from proa.testing.builders import configs
from tests.golden.pilot.test_translation import MESSAGES, small_mesh
from tests.golden_files import GoldenFiles, case_name, inputs

LEFT_OUT: Final = frozenset(
    [
        "circuitBreakers",
        "commonLbConfig",
        "edsClusterConfig",
        "filters",
        "leastRequestLbConfig",
        "listenerFilters",
        "responseHeadersToRemove",
        "retryPolicy",
        "transportSocket",
        "transportSocketMatches",
        "typedExtensionProtocolOptions",
        "typedPerFilterConfig",
        "upgradeConfigs",
    ]
)
"""Fields of Envoy's messages that no rule of merging is about."""


def trimmed(value: Json) -> Json:
    """Without those, without empty ones, and of a host's names only the first."""
    if isinstance(value, dict):
        found = {key: trimmed(each) for key, each in value.items() if key not in LEFT_OUT}
        if isinstance(domains := found.get("domains"), list):
            found["domains"] = domains[:1]
        return {key: each for key, each in found.items() if each not in ({}, [])}
    if isinstance(value, list):
        return [trimmed(each) for each in value if not is_for_the_rest(each)]
    return value


def is_for_the_rest(value: Json) -> bool:
    """A virtual host of a proxy's for all that the scene does not name."""
    return isinstance(value, dict) and str(value.get("name")).startswith(("allow_any", "blackhole"))


@pytest.mark.parametrize("case", inputs(Path(__file__).parent), ids=case_name)
def test_merging(case: Path, golden: GoldenFiles) -> None:
    scene, *objects = case.read_text().split("\n---\n")
    told = parse(scene, case.name).documents[0].value
    workloads, created = told["workloads"], told.get("created", {})
    assert isinstance(workloads, dict)
    assert isinstance(created, dict)
    mesh = small_mesh({name: str(protocol) for name, protocol in workloads.items()})
    policies = []
    for text in objects:
        (config,) = configs(text)
        age = created.get(f"{config.kind}/{config.meta.namespace}/{config.meta.name}", 0)
        assert isinstance(age, int)
        mesh.apply(text, created=float(age))
        if isinstance(config.spec, PeerAuthentication):
            policies.append(mesh.written(config.ref))
    shown: dict[str, Json] = {}
    source = mesh.source(str(told["proxy"]))
    wanted = told.get("show", [])
    assert isinstance(wanted, list)
    for each in wanted:
        kind, _, name = str(each).partition(" ")
        resource = source.lookup(ResourceType[kind], name)
        if resource is None:
            shown[str(each)] = "nothing"
            continue
        message = decode(resource, MESSAGES[resource.type])
        told_of: dict[str, Json] = json.loads(MessageToJson(message, sort_keys=True))
        if isinstance(message, Cluster):
            # ROUND_ROBIN is the zero that JSON leaves out.
            told_of["lbPolicy"] = Cluster.LbPolicy.Name(message.lb_policy)
        shown[str(each)] = trimmed(told_of)
    if policies:
        workload = mesh.world.snapshot.workloads[parse_workload_id(str(told["proxy"]))]
        shown["modes"] = {
            str(port.service_port): settled(
                mode_of(
                    policies,
                    namespace=workload.id.namespace,
                    labels=workload.labels,
                    ports=(port.app_port, port.service_port),
                    root_namespace="istio-system",
                )
            ).serving
            for port in workload.inbound
        }
    shown["notes"] = [f"{note.code} {note.about}: {note.message}" for note in mesh.world.notes()]
    golden(case, to_yaml(shown))
