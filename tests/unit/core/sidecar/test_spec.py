"""What users may write, and what is meant when they do not."""

import pytest

from proa.core.sidecar.spec import (
    HealthCheck,
    InvalidSpec,
    PortSpec,
    UpstreamSpec,
    WorkloadSpec,
    parse_port,
    parse_upstream,
    spec_problems,
)


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


def test_a_workload_without_a_sidecar_is_a_client_only() -> None:
    assert spec_problems(WorkloadSpec(name="caller", kind="proxyless")) == ()
    assert spec_problems(WorkloadSpec(name="caller", workload_api=True)) == ()
    (problem,) = spec_problems(WorkloadSpec(name="caller", kind="proxyless", workload_api=True))
    assert "for programs with a sidecar" in problem
    served = (parse_port("50051/grpc", "caller"),)
    for spec in (
        WorkloadSpec(name="caller", kind="proxyless", ports=served),
        WorkloadSpec(name="caller", kind="proxyless", waits_for_sidecar=False),
        WorkloadSpec(name="caller", kind="proxyless", upstreams=(parse_upstream("redis:6379"),)),
    ):
        (problem,) = spec_problems(spec)
        assert "without a sidecar" in problem
