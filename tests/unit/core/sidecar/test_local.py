"""The local protocol: spelling, defaults, what users may write."""

import pytest
from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.sidecar.local import (
    AppPort,
    AskDrain,
    HealthCheck,
    LocalMessageError,
    LocalUpstream,
    Place,
    Placed,
    Stop,
    WorkloadDrained,
    WorkloadSpec,
    app_environment,
    decode_from_agent,
    decode_from_client,
    encode_line,
    find_workload,
    parse_port,
    parse_upstream,
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
    again = Place(spec=spec, again=placed)
    assert decode_from_client(encode_line(again)) == again
    ask = AskDrain(workload="a", deadline_ms=5)
    assert decode_from_client(encode_line(ask)) == ask
    told = WorkloadDrained(id=A, open_requests=1)
    assert decode_from_agent(encode_line(told)) == told


def test_an_owner_of_an_earlier_version_names_no_place_and_waits_for_its_sidecar() -> None:
    place = decode_from_client(b'{"type":"place","spec":{"name":"a"}}')
    assert place == Place(spec=WorkloadSpec(name="a", waits_for_sidecar=True), again=None)


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[]", b'{"type":"placed"}', b'{"type":"place","spec":{}}', b"\xff"]
)
def test_what_is_no_message_of_a_client_is_refused(line: bytes) -> None:
    with pytest.raises(LocalMessageError):
        decode_from_client(line)


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
    assert "SPIFFE_ENDPOINT_SOCKET" not in env
    served = app_environment(A, None, None, (), "/run/a.spiffe")
    assert served["SPIFFE_ENDPOINT_SOCKET"] == "unix:///run/a.spiffe"


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
