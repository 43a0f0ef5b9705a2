"""What is said of two peers, from files: what is spoken, who decides, in which line."""

from collections.abc import Callable

import pytest

from proa.control_plane.paper_mesh import PaperMesh
from proa.core.auth.peer_policy import PortTls
from proa.core.config import read_batch
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.model.names import WorkloadId
from proa.core.pilot.explain.asking import BadQuestion
from proa.core.pilot.explain.peers import Around, PeerQuestion, PeerReport, check_peers, tls_path
from proa.testing.builders import Mesh, configs, registered_port, registration
from tests.unit.core.pilot.explain.conftest import SERVICES

STRICT = """
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: mine}
spec:
  selector: {matchLabels: {app: reviews}}
  mtls: {mode: PERMISSIVE}
  portLevelMtls:
    9081: {mode: STRICT}
"""
OF_2018 = """
---
apiVersion: authentication.istio.io/v1alpha1
kind: Policy
metadata: {name: old}
spec: {targets: [{name: reviews}], peers: [{mtls: {mode: PERMISSIVE}}]}
"""
RULE = """
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy: {tls: {mode: DISABLE}}
"""


def asked(text: str, destination: str = "reviews", port: int = 0, *, source: str = "page") -> PeerReport:
    batch = read_batch([("m.yaml", text)])
    assert batch.is_valid, batch.problems
    mesh = PaperMesh(batch.objects)
    who = mesh.workload(source, "default")[0] if source else None
    return mesh.check_peers(PeerQuestion(destination=destination, port=port, source=who))


def summary(report: PeerReport) -> list[tuple[int, tuple[str, ...], str | None, str, str]]:
    return [(row.port, row.servers, row.wire, row.mode, row.result) for row in report.rows]


ENTRY = "default/reviews-v1"


def test_half_of_a_service_has_sidecars() -> None:
    report = asked(SERVICES)
    assert summary(report)[:2] == [
        (9080, (ENTRY,), "mesh TLS", "STRICT", "mutual TLS"),
        (9080, ("10.0.0.2:9080",), "plaintext", "NONE", "plaintext"),
    ]
    assert report.rows[0].server_by == "no policy says anything: the mesh's default"
    assert report.rows[1].server_by == "there is no sidecar"
    assert report.rows[0].refused == ("plaintext", "TLS")
    assert report.is_fine


def test_a_port_has_its_own_word_and_its_line() -> None:
    report = asked(SERVICES + STRICT)
    modes = {(row.port, row.mode): row for row in report.rows if row.mode != "NONE"}
    text = (SERVICES + STRICT).splitlines()
    assert set(modes) == {(9080, "PERMISSIVE"), (9081, "STRICT")}
    (cause,) = modes[(9081, "STRICT")].server
    assert (cause.object, cause.file) == ("PeerAuthentication/default/mine", "m.yaml")
    assert text[cause.line - 1].strip() == "9081: {mode: STRICT}"


def test_a_contradiction_names_both_ends() -> None:
    report = asked(SERVICES + STRICT + RULE, port=9081)
    row = next(row for row in report.rows if row.mode == "STRICT")
    assert (row.wire, row.result) == ("plaintext", "refused")
    assert [cause.object for cause in (*row.client, *row.server)] == [
        "DestinationRule/default/reviews",
        "PeerAuthentication/default/mine",
    ]
    assert not report.is_fine


def test_what_a_policy_of_2018_became_is_told_with_it() -> None:
    row = asked(OF_2018, port=80).rows[0]
    assert [cause.object for cause in row.server] == [
        "PeerAuthentication/default/reviews-peers",
        "Policy/default/old",
    ]
    assert row.mode == "PERMISSIVE"


def test_who_has_no_proxy() -> None:
    row = asked(SERVICES + STRICT, port=9081, source="").rows[0]
    assert (row.wire, row.result) == ("plaintext", "refused")
    assert row.client_by == "it has no certificate of the mesh"


def test_a_service_that_no_file_tells_of_is_assumed_and_its_ports_are_not() -> None:
    report = asked(RULE, "reviews.default.svc.cluster.local")
    assert summary(report) == [(0, ("app=reviews",), "plaintext", "STRICT", "refused")]
    assert "no file tells of reviews.default.svc.cluster.local" in report.remarks[0]
    with pytest.raises(BadQuestion, match="has no port 1; it has 9080, 9081"):
        asked(SERVICES, port=1)


def around(mesh: Mesh, port_tls: Callable[[WorkloadId, int], PortTls | None], behind: str = "") -> Around:
    return Around(
        snapshot=mesh.world.snapshot,
        index=mesh.world.index,
        policies=(),
        cause=lambda ref, path: (),
        port_tls=port_tls,
        behind=lambda workload: behind if workload.name == "web" else "",
    )


def test_a_mode_on_its_way_and_a_proxy_that_is_behind() -> None:
    moving = PortTls(serving="PERMISSIVE", advertised="mutual", target="DISABLE")
    mesh = Mesh()
    mesh.place(registration("web", registered_port("web")), port_tls={9080: moving})
    question = PeerQuestion(destination="web", source=WorkloadId("default", "client"))
    (row,) = check_peers(around(mesh, lambda workload, port: moving, "web is behind"), question).rows
    assert (row.wire, row.mode, row.result) == ("mesh TLS", "PERMISSIVE", "mutual TLS")
    assert row.standing == (
        "on its way to DISABLE: it takes PERMISSIVE now, and clients are told mutual TLS",
        "web is behind",
    )
    with pytest.raises(BadQuestion, match="no service nobody"):
        check_peers(around(mesh, lambda workload, port: None), PeerQuestion(destination="nobody"))


def test_equal_servers_are_one_row_and_no_server_is_said() -> None:
    mesh = Mesh(
        registration("a", registered_port("web")),
        registration("b", registered_port("web"), address="10.0.0.2"),
    )
    known = around(mesh, lambda workload, port: None)
    question = PeerQuestion(destination="default/web", source=WorkloadId("default", "client"))
    assert [row.servers for row in check_peers(known, question).rows] == [("default/a", "default/b")]
    mesh.place(registration("c", registered_port("web", health="STARTING")))
    mesh.displace("a", "b")
    report = check_peers(around(mesh, lambda workload, port: None), question)
    assert report.rows == ()
    assert report.remarks == ("nobody serves port 9080 of web.default.svc.cluster.local now",)


def test_where_a_rule_says_it() -> None:
    text = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: a}
spec:
  host: a
  trafficPolicy:
    tls: {mode: DISABLE}
    portLevelSettings:
    - {port: {number: 1}, tls: {mode: ISTIO_MUTUAL}}
    - {port: {number: 2}, connectionPool: {tcp: {maxConnections: 1}}}
  subsets:
  - {name: v1, labels: {v: "1"}, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
"""
    (config,) = configs(text)
    rule = config.spec
    assert isinstance(rule, DestinationRule)
    top = ("spec", "trafficPolicy")
    assert tls_path(rule, "", 1) == (*top, "portLevelSettings", 0, "tls")
    assert tls_path(rule, "", 2) is None
    assert tls_path(rule, "", 3) == (*top, "tls")
    assert tls_path(rule, "v1", 3) == ("spec", "subsets", 0, "trafficPolicy", "tls")
