"""ServiceEntries and WorkloadEntries in the terms of the model."""

from immutables import Map

from proa.core.model.snapshot import Contribution
from proa.testing.builders import change


def contributed(spec: str, kind: str = "ServiceEntry") -> Contribution:
    (found,) = change(f"""
apiVersion: networking.istio.io/v1
kind: {kind}
metadata: {{name: e}}
spec: {{{spec}}}
""").contributions
    return found


PORTS = "ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]"


def test_each_host_is_a_service() -> None:
    found = contributed(f"hosts: [A.example.com, b.example.com], resolution: DNS, {PORTS}")
    assert [claim.service.hostname for claim in found.claims] == ["a.example.com", "b.example.com"]
    assert [[each.address for each in claim.endpoints] for claim in found.claims] == [
        ["A.example.com"],
        ["b.example.com"],
    ]
    assert {claim.service.mesh_external for claim in found.claims} == {True}
    assert found.claims[0].endpoints[0].port == 8080


def test_accounts_come_from_alternative_names_and_entries() -> None:
    spec = (
        f"hosts: [x], location: MESH_INTERNAL, resolution: STATIC, {PORTS}, subjectAltNames: ['spiffe://t/x'],"
        " endpoints: [{address: 192.0.2.1, serviceAccount: vm, labels: {security.istio.io/tlsMode: istio}}]"
    )
    (claim,) = contributed(spec).claims
    assert claim.service.accounts == ("spiffe://cluster.local/ns/default/sa/vm", "spiffe://t/x")
    (found,) = claim.endpoints
    assert (found.tls, found.account) == ("mutual", "spiffe://cluster.local/ns/default/sa/vm")


def test_no_sidecar_carries_udp() -> None:
    ports = "ports: [{number: 53, name: d, protocol: UDP}, {number: 80, name: h, protocol: HTTP_PROXY}]"
    spec = f"hosts: [x], resolution: STATIC, endpoints: [{{address: 192.0.2.1}}], {ports}"
    (claim,) = contributed(spec).claims
    assert [(port.number, port.protocol) for port in claim.service.ports] == [(80, "HTTP")]
    assert [each.service_port for each in claim.endpoints] == [80]


def test_an_entry_behind_another_networks_gateway_is_no_endpoint() -> None:
    (claim,) = contributed(f"hosts: [x], resolution: STATIC, {PORTS}, endpoints: [{{network: other}}]").claims
    assert claim.endpoints == ()
    assert contributed("network: other", "WorkloadEntry").instances == ()


def test_a_selector_instead_of_endpoints() -> None:
    (claim,) = contributed(
        f"hosts: [x], resolution: STATIC, {PORTS}, workloadSelector: {{labels: {{a: b}}}}"
    ).claims
    assert claim.selector is not None
    assert claim.selector.labels == Map(a="b")
    assert [each.target for each in claim.selected_ports] == [8080]


def test_export_to() -> None:
    for said, seen in (("['*']", ("*",)), ("[.]", ("default",)), ("[]", ("*",)), ("['~']", ())):
        (claim,) = contributed(f"hosts: [x], resolution: NONE, {PORTS}, exportTo: {said}").claims
        assert claim.service.visible_in == seen


def test_a_workload_entry_is_an_instance() -> None:
    (found,) = contributed(
        "address: 192.0.2.1, labels: {app: a}, ports: {http: 81}, weight: 0", "WorkloadEntry"
    ).instances
    assert (found.labels, found.ports, found.template.weight) == (Map(app="a"), Map(http=81), 1)
