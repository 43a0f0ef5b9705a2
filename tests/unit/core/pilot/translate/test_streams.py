"""What rules for streams mean for one port; the ways they take are tested beside `gateway` and `outbound`."""

from immutables import Map

from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.model.names import ObjectRef
from proa.core.model.service import ServicePort
from proa.core.pilot.scope.policies import Policy
from proa.core.pilot.scope.views import Destination, Rules
from proa.core.pilot.translate.streams import tcp_rules, tls_rules
from proa.testing.builders import configs

LINES = "lines.default.svc.cluster.local"
PORT = ServicePort(number=9000, name="tcp", protocol="TCP")
MESH = frozenset(("mesh",))


def rules(spec: str) -> Rules:
    text = f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: a}}
spec: {spec}
"""
    (config,) = configs(text)
    assert isinstance(config.spec, VirtualService)
    return Rules(ref=config.ref, spec=config.spec)


def lines(policy: str = "") -> Map[str, Destination]:
    joined = None
    if policy:
        text = f"""
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: a}}
spec: {{host: lines, subsets: [{{name: v1}}], trafficPolicy: {policy}}}
"""
        (config,) = configs(text)
        assert isinstance(config.spec, DestinationRule)
        joined = Policy(refs=(), traffic=config.spec.traffic_policy, subsets=config.spec.subsets)
    return Map({LINES: Destination(ports=(PORT,), policy=joined)})


def test_conditions_choose_ports_and_gateways() -> None:
    spec = """
  hosts: [lines]
  tls:
  - match: [{sniHosts: [Lines], port: 1}, {sniHosts: [lines], gateways: [edge]}]
    route: [{destination: {host: lines}}]
  - {match: [{sniHosts: [lines]}], route: [{destination: {host: lines}}]}
"""
    found = tls_rules(rules(spec), lines(), port=1, gateways=MESH)
    assert [(rule.sni, rule.rule) for rule in found.rules] == [(("lines",), "tls[0]"), (("lines",), "tls[1]")]
    edge = tls_rules(rules(spec), lines(), port=2, gateways=frozenset(("default/edge",)))
    assert [rule.rule for rule in edge.rules] == ["tls[0]"]


def test_what_stands_behind_a_rule_for_everything_is_never_reached() -> None:
    spec = "{hosts: [lines], tcp: [{route: [{destination: {host: lines}}]}, {route: [{destination: {host: lines}}]}]}"
    found = tcp_rules(rules(spec), lines(), port=1, gateways=MESH)
    assert [rule.rule for rule in found.rules] == ["tcp[0]"]


def test_the_first_destination_says_how_long_a_stream_lives() -> None:
    policy = (
        "{connectionPool: {tcp: {idleTimeout: 0s, maxConnectionDuration: 3s}},"
        " loadBalancer: {consistentHash: {useSourceIp: true}}}"
    )
    spec = "{hosts: [lines], tcp: [{route: [{destination: {host: lines, subset: v1}}]}]}"
    (rule,) = tcp_rules(rules(spec), lines(policy), port=1, gateways=MESH).rules
    assert (rule.stream.idle_timeout_ms, rule.stream.max_duration_ms) == (0, 3000)
    assert rule.stream.by_client_address
    (plain,) = tcp_rules(rules(spec.replace(", subset: v1", "")), lines(), port=1, gateways=MESH).rules
    assert plain.stream.idle_timeout_ms is None


def test_a_destination_that_is_not_there_ends_in_nothing_and_is_told() -> None:
    spec = "{hosts: [a], tcp: [{route: [{destination: {host: gone}}]}]}"
    found = tcp_rules(rules(spec), lines(), port=1, gateways=MESH)
    assert found.rules[0].stream.targets[0].cluster == "BlackHoleCluster"
    assert [note.code for note in found.notes] == ["destination-missing"]
    assert found.notes[0].about == ObjectRef("VirtualService", "default", "a")


def test_a_stream_cannot_go_to_a_host_without_addresses() -> None:
    nowhere = Map({LINES: Destination(ports=(PORT,), by_passthrough=True)})
    spec = "{hosts: [a], tcp: [{route: [{destination: {host: lines}}]}]}"
    found = tcp_rules(rules(spec), nowhere, port=1, gateways=MESH)
    assert found.rules[0].stream.targets[0].cluster == "BlackHoleCluster"


def test_rules_that_are_for_others_are_passed_over() -> None:
    spec = "{hosts: [a], tcp: [{match: [{port: 1}], route: [{destination: {host: lines}}]}]}"
    skipping = Rules(ref=rules(spec).ref, spec=rules(spec).spec, skipped_tcp=frozenset((0,)))
    assert tcp_rules(skipping, lines(), port=1, gateways=MESH).rules == ()
