"""Whatever valid objects say, of all kinds in force: their order is no matter, and whoever cannot see one is sent the
same as without it. Views are those of sidecars and gateways, each resource's digest.
"""

from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.control_plane.conversion import Conversion
from proa.core.config import KINDS, Config, Json, examine, to_manifest
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL
from proa.core.model.names import WorkloadId
from proa.core.pilot.resource import ResourceType
from proa.core.sidecar.session import GatewayPort
from proa.testing.builders import Mesh, change_of, registration, simple
from proa.testing.strategies import objects_of_kind, valid_sets
from proa.testing.strategies.documents import as_document

VIEWERS: Final = (
    WorkloadId("default", "client"),
    WorkloadId("default", "a-v1"),
    WorkloadId("shop", "b-v1"),
    WorkloadId("istio-system", "edge"),
)
QUIET: Final = settings(max_examples=30, suppress_health_check=list(HealthCheck))
View = dict[tuple[ResourceType, str], str]


def a_mesh() -> Mesh:
    edge = registration(
        "istio-system/edge",
        kind="gateway",
        labels={"istio": "ingressgateway", GATEWAY_NAME_LABEL: "edge"},
        gateway_ports=tuple(
            GatewayPort(server_port=port, bound_port=port + 8000) for port in (80, 443, 8080)
        ),
    )
    client = registration("client", labels={"role": "client"})
    return Mesh(
        client, simple("a"), simple("shop/b", protocol="AUTO", address="10.0.0.2"), simple("shop/a"), edge
    )


def views(mesh: Mesh) -> dict[WorkloadId, View]:
    found: dict[WorkloadId, View] = {}
    for viewer in VIEWERS:
        source = mesh.source(viewer)
        kept = found[viewer] = {}
        for kind in ResourceType:
            for name in source.names(kind):
                resource = source.lookup(kind, name)
                if resource is not None:
                    kept[kind, name] = resource.digest
    return found


def told(mesh: Mesh, *configs: Config) -> Mesh:
    """As the control plane does: what is written in other languages is converted first, all together."""
    in_force = Conversion().in_force({config.ref: config for config in configs})
    mesh.world.fold_in([change_of(in_force.values())])
    return mesh


@QUIET
@given(valid_sets(most=5).flatmap(lambda configs: st.tuples(st.just(configs), st.permutations(configs))))
def test_the_order_of_objects_is_no_matter(orders: tuple[tuple[Config, ...], list[Config]]) -> None:
    one, other, each_alone = told(a_mesh(), *orders[0]), told(a_mesh(), *orders[1]), a_mesh()
    known: dict[object, Config] = {}
    opened = views(each_alone)
    assert set(opened) == set(VIEWERS)
    # One after the other, and the views are open meanwhile.
    in_force = Conversion().in_force({config.ref: config for config in orders[1]})
    for config in in_force.values():
        known[config.ref] = config
        each_alone.world.fold_in([change_of([config])])
    assert views(one) == views(other) == views(each_alone)


OF_OTHERS: Final = ("VirtualService", "DestinationRule", "ServiceEntry")
"""The kinds that say to whom they are exported."""


def moved(seen: Config, exported: Json, hosts: Json = None) -> Config:
    """The same object in a namespace that nobody who looks is in."""
    manifest = to_manifest(seen)
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    kept = {name: value for name, value in spec.items() if name not in ("exportTo", "workloadSelector")}
    changed: dict[str, Json] = kept if exported is None else kept | {"exportTo": exported}
    if hosts is not None:
        changed["hosts"] = hosts
    metadata: dict[str, Json] = {"name": f"moved-{seen.meta.name}", "namespace": "elsewhere"}
    written = examine(as_document({**manifest, "metadata": metadata, "spec": changed}))
    assert written.config is not None, written.problems
    return written.config


ROWS: Final = [row for row in KINDS.values() if row.kind in OF_OTHERS]


@QUIET
@given(
    valid_sets(most=4),
    st.one_of([objects_of_kind(row) for row in ROWS]),
    st.sampled_from([["."], ["elsewhere"], ["nobody", "."]]),
)
def test_what_is_exported_to_others_changes_no_view(
    configs: tuple[Config, ...], seen: Config, exported: list[Json]
) -> None:
    mesh = told(a_mesh(), *configs)
    before = views(mesh)
    mesh.world.fold_in([change_of([moved(seen, exported)])])
    assert views(mesh) == before


NARROW: Final = """
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: narrow}
spec: {workloadSelector: {labels: {role: client}}, egress: [{hosts: ["./*", "istio-system/*"]}]}
"""


@QUIET
@given(
    valid_sets(most=4),
    st.one_of([objects_of_kind(row) for row in ROWS if row.kind != "DestinationRule"]),
)
def test_what_no_egress_list_imports_changes_nothing_of_that_view(
    configs: tuple[Config, ...], seen: Config
) -> None:
    # A Sidecar that another one with a selector for the same workload precedes would not count.
    mesh = told(a_mesh(), *(config for config in configs if config.kind != "Sidecar"))
    mesh.apply(NARROW)
    before = views(mesh)[VIEWERS[0]]
    # Of one name there is one service: it has a name that nobody else claims.
    hosts: Json = ["unseen.invalid"] if seen.kind == "ServiceEntry" and "*" not in str(seen.spec) else None
    mesh.world.fold_in([change_of([moved(seen, None, hosts)])])
    if seen.kind == "VirtualService" or hosts is not None:
        assert views(mesh)[VIEWERS[0]] == before
