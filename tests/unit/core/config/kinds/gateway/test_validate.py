from proa.core.config import Json
from tests.unit.core.config.judged import judge


def server(name: str = "http", protocol: str = "HTTP", number: int = 80, **more: Json) -> dict[str, Json]:
    return {"port": {"name": name, "protocol": protocol, "number": number}, "hosts": ["*"], **more}


def servers(*items: Json) -> list[str]:
    return [place.removeprefix("spec.servers") for place in judge("gw", {"servers": list(items)})]


def test_servers_are_required() -> None:
    assert judge("gw", {}) == ["spec.servers required"]
    assert servers() == [" required"]
    assert servers(server()) == []


def test_names_are_unique() -> None:
    assert servers(server(), server(number=81)) == ["[1].port.name duplicate"]
    assert servers(server(name="a1", hosts=["a.com"]), server(name="a2", number=81)) == []
    both = [server("a", number=1), server("b", number=2)]
    assert servers(*({**one, "name": "x"} for one in both)) == ["[1].name duplicate"]


def test_the_same_host_and_port_twice_is_warned_about() -> None:
    assert servers(server("a"), server("b")) == ["[1].hosts[0] no-effect"]


def test_protocols() -> None:
    assert servers(server(protocol="grpc")) == []
    assert servers(server(protocol="HTTPS", tls={"mode": "PASSTHROUGH"})) == []
    assert servers(server("a", "MONGO", 1), server("b", "grpc-web", 2), server("c", "TCP", 3)) == []
    for protocol in ("QUIC", "UDP", "REDIS"):
        assert servers(server(protocol=protocol)) == ["[0].port.protocol bad-value"]


def test_where_a_server_is_bound() -> None:
    assert servers(server(bind="127.0.0.1"), server("b", bind="::1")) == []
    assert servers(server(bind="unix:///run/x")) == ["[0].bind bad-value"]
    assert servers(server(defaultEndpoint="127.0.0.1:80")) == ["[0].defaultEndpoint no-effect"]


def test_hosts() -> None:
    assert servers(server(hosts=[])) == ["[0].hosts required"]
    assert servers(server(hosts=["short", "ns/*.a.com"])) == ["[0].hosts[0] bad-value"]


def test_ports() -> None:
    assert servers(server(name="")) == ["[0].port.name required"]
    assert servers(server(number=0)) == ["[0].port.number out-of-range"]
    assert servers(
        {"port": {"name": "a", "protocol": "HTTP", "number": 1, "targetPort": 2}, "hosts": ["*"]}
    ) == ["[0].port.targetPort no-effect"]
