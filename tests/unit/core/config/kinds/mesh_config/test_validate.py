from proa.core.config import Config, Document, Json, examine
from proa.core.config.yaml_reader import NO_MARKS


def judge(spec: Json, name: str = "istio", namespace: str = "istio-system") -> list[str]:
    value: dict[str, Json] = {
        "apiVersion": "mesh.istio.io/v1alpha1",
        "kind": "MeshConfig",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    found = examine(Document(file="f", line=1, value=value, marks=NO_MARKS))
    assert (found.config is None) == any(each.severity == "error" for each in found.problems)
    assert found.config is None or isinstance(found.config, Config)
    return [f"{each.path} {each.code}" for each in found.problems]


def test_a_mesh_has_one() -> None:
    assert judge({}) == []
    assert judge({}, name="other") == ["metadata.name bad-value"]
    assert judge({}, namespace="default") == ["metadata.name bad-value"]


def test_what_makes_sense() -> None:
    exports: Json = ["*", "a"]
    assert judge({"defaultServiceExportTo": exports, "dnsRefreshRate": "5s"}) == [
        "spec.defaultServiceExportTo conflict"
    ]
    assert judge({"defaultVirtualServiceExportTo": [".", "a"], "rootNamespace": "A b"}) == [
        "spec.rootNamespace bad-value"
    ]
    assert judge({"trustDomainAliases": ["old.example", "Old", "spiffe://a"]}) == [
        "spec.trustDomainAliases[1] bad-value",
        "spec.trustDomainAliases[2] bad-value",
    ]
    assert judge({"defaultHttpRetryPolicy": {"retryOn": "5xx"}}) == [
        "spec.defaultHttpRetryPolicy.attempts conflict"
    ]
    assert judge({"tcpKeepalive": {"time": "1.5s"}}) == ["spec.tcpKeepalive.time no-effect"]
    assert judge({"localityLbSetting": {"failover": [{"from": "eu", "to": "us"}]}}) == []
    assert judge({"localityLbSetting": {"failover": [{"from": "eu", "to": "eu"}]}}) == [
        "spec.localityLbSetting.failover[0] bad-value"
    ]
    assert judge({"trustDomain": "a"}) == ["spec.trustDomain not-supported-yet"]


def test_access_logs() -> None:
    assert judge({"accessLogFile": ""}) == []
    assert judge({"accessLogFile": "x"}) == ["spec.accessLogFile bad-value"]
    assert judge({"accessLogEncoding": "JSON", "accessLogFormat": "[%PROTOCOL%]"}) == [
        "spec.accessLogFormat bad-value"
    ]
    assert judge({"accessLogEncoding": "JSON", "accessLogFormat": '{"a": "%PROTOCOL%"}'}) == []


def test_servers_of_names() -> None:
    good: Json = ["192.0.2.1:53", "[2001:db8::1]:53"]
    assert judge({"dnsResolvers": good}) == []
    bad: Json = ["192.0.2.1", "2001:db8::1:53", "names.example:53", "192.0.2.1:0"]
    assert judge({"dnsResolvers": bad}) == [f"spec.dnsResolvers[{number}] bad-value" for number in range(4)]


def test_names_are_not_looked_up_more_often_than_an_envoy_does() -> None:
    assert judge({"dnsRefreshRate": "2ms"}) == []
    assert judge({"dnsRefreshRate": "1ms"}) == ["spec.dnsRefreshRate out-of-range"]
