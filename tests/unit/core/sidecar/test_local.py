"""The local protocol: spelling, defaults, what users may write."""

import pytest
from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import (
    AppPort,
    HealthCheck,
    InvalidSpec,
    LocalMessageError,
    LocalUpstream,
    Place,
    Placed,
    PortSpec,
    Stop,
    UpstreamSpec,
    WorkloadSpec,
    app_environment,
    decode_from_agent,
    decode_from_client,
    encode_line,
    find_workload,
    parse_port,
    parse_upstream,
    spec_problems,
)

A, B, C = (
    WorkloadId("default", "reviews-v1"),
    WorkloadId("default", "reviews-v2"),
    WorkloadId("other", "ratings"),
)
KNOWN = ((A, ("reviews",)), (B, ("reviews",)), (C, ("ratings",)))


def test_messages_come_back_as_they_went() -> None:
    spec = WorkloadSpec(
        name="a",
        labels=Map({"app": "a"}),
        ports=(parse_port("9080:auto/http", "a"),),
        upstreams=(parse_upstream("redis:6379"),),
        health=(HealthCheck(kind="http", path="/health"),),
    )
    assert decode_from_client(encode_line(Place(spec=spec))) == Place(spec=spec)
    placed = Placed(
        id=A,
        env=Map({"PORT": "1"}),
        ports=(AppPort(service="a", service_port=1, sidecar_port=2, app_port=3),),
        outbound_port=4,
    )
    assert decode_from_agent(encode_line(placed)) == placed
    assert encode_line(Stop()) == b'{"type":"stop"}\n'


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"type":"placed"}', b'{"type":"place","spec":{}}', b"\xff"]
)
def test_what_is_no_message_of_a_client_is_refused(line: bytes) -> None:
    with pytest.raises(LocalMessageError):
        decode_from_client(line)


@pytest.mark.parametrize(
    ("text", "service_port", "app_port", "protocol"),
    [
        ("9080", 9080, 9080, "AUTO"),
        ("9080:8000", 9080, 8000, "AUTO"),
        ("9080:auto", 9080, None, "AUTO"),
        ("9080:auto/grpc", 9080, None, "GRPC"),
        ("6379/tcp", 6379, 6379, "TCP"),
    ],
)
def test_ports(text: str, service_port: int, app_port: int | None, protocol: str) -> None:
    port = parse_port(text, "s")
    assert (port.service_port, port.app_port, port.protocol) == (service_port, app_port, protocol)


@pytest.mark.parametrize(
    "text", ["", "x", "0", "65536", "9080:", "9080:0", "9080:x", "-1", "9080/smtp", "９０８０"]
)
def test_what_is_no_port(text: str) -> None:
    with pytest.raises(InvalidSpec):
        parse_port(text, "s")


def test_upstreams() -> None:
    assert parse_upstream("redis:6379") == UpstreamSpec(host="redis", port=6379)
    assert parse_upstream("redis.prod:6379@16379") == UpstreamSpec(
        host="redis.prod", port=6379, local_port=16379
    )
    for text in ("redis", ":1", "redis:", "redis:1@", "redis:1@x"):
        with pytest.raises(InvalidSpec):
            parse_upstream(text)


def test_an_app_finds_its_proxy_port_and_upstreams() -> None:
    upstreams = (
        LocalUpstream(host="my-db.prod", port=5432, local_port=20003),
        LocalUpstream(host="my-db.prod", port=5433, local_port=20004),
    )
    env = app_environment(A, 8000, 20001, upstreams)
    assert env["HTTP_PROXY"] == env["https_proxy"] == "http://127.0.0.1:20001"
    assert env["no_proxy"] == "localhost,127.0.0.1,::1"
    assert env["PORT"] == "8000"
    assert env["PROA_WORKLOAD"] == "default/reviews-v1"
    assert env["PROA_UPSTREAM_MY_DB_PROD"] == "127.0.0.1:20003"
    assert env["PROA_UPSTREAM_MY_DB_PROD_5433"] == "127.0.0.1:20004"
    assert "HTTP_PROXY" not in app_environment(A, None, None, ())


def test_the_account_is_the_services_unless_told() -> None:
    port = PortSpec(service="reviews", service_port=9080, app_port=None)
    assert WorkloadSpec(name="reviews-v1", ports=(port,)).chosen_account == "reviews"
    assert WorkloadSpec(name="caller").chosen_account == "caller"
    assert WorkloadSpec(name="caller", account="x").chosen_account == "x"


def test_a_good_spec_has_no_problems() -> None:
    spec = WorkloadSpec(name="a.b", ports=(parse_port("1", "a"),), health=(HealthCheck(service_port=1),))
    assert spec_problems(spec) == ()


def test_every_problem_is_told() -> None:
    spec = WorkloadSpec(
        name="A/b",
        namespace="",
        ports=(parse_port("1", "a"), parse_port("1", "a"), parse_port("2", "a.b")),
        health=(HealthCheck(service_port=9), HealthCheck(kind="exec")),
        weight=0,
        kind="gateway",
    )
    text = "\n".join(spec_problems(spec))
    for word in (
        "'A/b'",
        "namespace ''",
        "given twice",
        "'a.b'",
        "port 9",
        "needs a command",
        "weight 0",
        "gateway",
    ):
        assert word in text


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("reviews-v1", (A,)),
        ("default/reviews-v2", (B,)),
        ("reviews", (A,)),
        ("rat", (C,)),
        ("reviews-", (A, B)),
        ("other/reviews", ()),
        ("nobody", ()),
        ("", ()),
    ],
)
def test_which_workload_a_name_means(wanted: str, found: tuple[WorkloadId, ...]) -> None:
    assert find_workload(wanted, KNOWN) == found
