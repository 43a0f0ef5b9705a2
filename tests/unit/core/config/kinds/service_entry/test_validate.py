import pytest

from proa.core.config import Json
from tests.unit.core.config.judged import judge

HTTP: list[Json] = [{"number": 80, "name": "http", "protocol": "HTTP"}]


def entry(**fields: Json) -> list[str]:
    spec: dict[str, Json] = {"hosts": ["a.com"], **fields}
    return [place.removeprefix("spec.") for place in judge("se", spec)]


def test_hosts() -> None:
    assert judge("se", {}) == ["spec.hosts required"]
    assert entry(hosts=[]) == ["hosts required"]
    assert entry(hosts=["*x", "*.a.com"]) == []
    assert entry(hosts=["*"]) == ["hosts[0] bad-value"]
    assert entry(hosts=["a.com", "a.com"]) == ["hosts[1] duplicate"]


def test_several_hosts_need_a_protocol_that_tells_them_apart() -> None:
    tcp: Json = [{"number": 1, "name": "a", "protocol": "TCP"}]
    assert entry(hosts=["a.com", "b.com"], resolution="STATIC", ports=tcp) == ["hosts conflict"]
    assert entry(hosts=["a.com", "b.com"], resolution="STATIC", ports=HTTP) == []
    assert entry(hosts=["a.com", "b.com"], ports=tcp) == []


@pytest.mark.parametrize(("resolution", "is_fine"), [("NONE", True), ("STATIC", True), ("DNS", False)])
def test_blocks_of_addresses(resolution: str, is_fine: bool) -> None:
    assert entry(addresses=["10.0.0.0/8"], resolution=resolution) == (
        [] if is_fine else ["addresses conflict"]
    )


def test_ports() -> None:
    ports: Json = [*HTTP, {"number": 80, "name": "http"}, {"number": 81, "name": "a_b", "protocol": "x"}]
    assert entry(ports=ports) == [
        "ports[1].name duplicate",
        "ports[1].number duplicate",
        "ports[2].name bad-value",
        "ports[2].protocol bad-value",
    ]


def test_endpoints_fit_the_resolution() -> None:
    address: Json = [{"address": "10.0.0.1"}]
    name: Json = [{"address": "b.com"}]
    socket: Json = [{"address": "unix:///a"}]
    assert entry(endpoints=address) == ["spec conflict"]
    assert entry(resolution="STATIC", endpoints=address) == entry(resolution="DNS", endpoints=name) == []
    assert entry(resolution="STATIC", endpoints=name) == ["endpoints[0].address bad-value"]
    assert entry(resolution="DNS", endpoints=socket) == ["endpoints[0].address conflict"]
    assert entry(resolution="STATIC", endpoints=socket, ports=HTTP) == []
    assert entry(resolution="STATIC", endpoints=socket) == ["ports conflict"]
    assert entry(hosts=["*.a.com"], resolution="DNS") == ["hosts[0] conflict"]
    assert entry(hosts=["*.a.com"], resolution="DNS", endpoints=name) == []


def test_endpoints_name_ports_of_the_entry() -> None:
    endpoints: Json = [{"address": "10.0.0.1", "ports": {"http": 1, "x": 2}}]
    assert entry(resolution="STATIC", ports=HTTP, endpoints=endpoints) == ["endpoints[0].ports.x bad-value"]


def test_selectors() -> None:
    assert entry(workloadSelector={}) == []
    assert entry(workloadSelector={}, resolution="STATIC", endpoints=[{"address": "10.0.0.1"}]) == [
        "spec conflict"
    ]
    assert entry(workloadSelector={"labels": {"a": "*"}}) == ["workloadSelector.labels.a bad-value"]


def test_names_of_certificates() -> None:
    assert entry(subjectAltNames=["a", ""]) == ["subjectAltNames[1] bad-value"]


def test_one_name_at_a_time() -> None:
    names: Json = [{"address": "b.com"}, {"address": "c.com"}]
    assert entry(resolution="DNS_ROUND_ROBIN") == []
    assert entry(resolution="DNS_ROUND_ROBIN", endpoints=names) == ["endpoints conflict"]
    assert entry(hosts=["*.a.com"], resolution="DNS_ROUND_ROBIN") == ["hosts[0] conflict"]


def dynamic(hosts: Json = None, ports: Json = HTTP, **more: Json) -> list[str]:
    return entry(hosts=hosts or ["*.a.com"], resolution="DYNAMIC_DNS", ports=ports, **more)


def test_names_that_are_asked_for() -> None:
    assert dynamic() == []
    assert dynamic(hosts=["a.com"]) == ["hosts[0] conflict"]
    assert dynamic(endpoints=[{"address": "b.com"}]) == ["endpoints conflict"]
    assert dynamic(workloadSelector={"labels": {"a": "b"}}) == ["workloadSelector conflict"]
    ports: Json = [
        {"number": 1, "name": "a", "protocol": "TCP"},
        {"number": 2, "name": "b", "protocol": "TLS", "targetPort": 3},
    ]
    assert dynamic(ports=ports) == ["ports[0].protocol conflict", "ports[1].targetPort conflict"]
