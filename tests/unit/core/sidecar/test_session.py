import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.auth.grants import BROAD, Grant, refusals
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import (
    GatewayPort,
    JoinReply,
    JoinRequest,
    Message,
    MessageError,
    NodeState,
    OwnListener,
    Refusal,
    RegisteredPort,
    Registration,
    SessionState,
    SignReply,
    SignRequest,
    Upstream,
    WantedPorts,
    decode,
    encode,
)

REVIEWS = Registration(
    id=WorkloadId("default", "reviews-v1"),
    node="a",
    account="bookinfo-reviews",
    labels=Map({"version": "v1", "app": "reviews"}),
    address="10.0.0.5",
    ports=(
        RegisteredPort(
            service="reviews",
            service_port=9080,
            name="http",
            protocol="http",
            app_port=9080,
            sidecar_port=41000,
        ),
    ),
    upstreams=(Upstream(host="redis", port=6379, local_port=6379),),
    outbound_port=41001,
    capture="explicit",
    gateway_ports=(GatewayPort(server_port=80, bound_port=8080),),
)
MESSAGES = (
    NodeState(version=3, workloads=(REVIEWS,)),
    SessionState(
        version=3,
        accepted=(REVIEWS.id,),
        refused=(Refusal(id=WorkloadId("default", "x"), reason="no"),),
        gateway_ports=(WantedPorts(id=WorkloadId("default", "gateway"), ports=(80, 443)),),
    ),
    SignRequest(csr_pem="pem"),
    SignRequest(workload=REVIEWS.id, csr_pem="pem"),
    SignReply(chain_pem="pem", root_bundles=Map({"cluster.local": "pem"}), not_after=5),
    JoinRequest(token="proa1.x", csr_pem="pem"),
    JoinReply(chain_pem="pem", bundles=Map({"cluster.local": "pem"}), node="a", servers=("10.0.0.1:15012",)),
)


@pytest.mark.parametrize("message", MESSAGES)
def test_messages_read_back(message: Message) -> None:
    assert decode(encode(message), type(message)) == message


@pytest.mark.parametrize("message", MESSAGES)
def test_fields_of_a_later_version_are_ignored(message: Message) -> None:
    body = json.loads(encode(message))
    body["of_tomorrow"] = {"a": [1]}
    assert decode(json.dumps(body).encode(), type(message)) == message


def test_fields_that_came_later_have_defaults() -> None:
    body = b'{"type":"node_state","version":1,"workloads":[{"id":{"namespace":"n","name":"w"},"node":"a",'
    state = decode(body + b'"account":"x","address":"10.0.0.1"}]}', NodeState)
    assert state.workloads[0].weight == 1
    assert state.workloads[0].kind == "sidecar"
    assert not state.workloads[0].knows_partners, "an agent of before federation"
    assert decode(b'{"type":"session_state","version":1}', SessionState).federated == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"type":"session_state","version":1}',
        b'{"type":"node_state","version":"1"}',
        b'{"type":"node_state","version":1,"workloads":[{}]}',
        b"\xff",
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(MessageError, match="not a NodeState"):
        decode(body, NodeState)


def test_labels_are_text() -> None:
    body = encode(NodeState(version=1, workloads=(REVIEWS,))).replace(b'"v1"', b"1")
    with pytest.raises(MessageError):
        decode(body, NodeState)


@given(st.binary(max_size=100))
def test_no_bytes_break_the_reader(body: bytes) -> None:
    with pytest.raises(MessageError):
        decode(body, SignRequest)


@given(st.dictionaries(st.text(max_size=5), st.text(max_size=5)))
def test_equal_messages_have_equal_bytes(labels: dict[str, str]) -> None:
    turned = dict(reversed(labels.items()))
    one, other = (msgspec.structs.replace(REVIEWS, labels=Map(each)) for each in (labels, turned))
    assert encode(NodeState(version=1, workloads=(one,))) == encode(NodeState(version=1, workloads=(other,)))


def test_answers_about_one_workload() -> None:
    answer = MESSAGES[1]
    assert isinstance(answer, SessionState)
    assert answer.refusal_of(WorkloadId("default", "x")) == "no"
    assert answer.refusal_of(REVIEWS.id) is None
    assert answer.ports_wanted_of(WorkloadId("default", "gateway")) == (80, 443)
    assert answer.ports_wanted_of(REVIEWS.id) == ()


def test_a_registration_is_a_claim() -> None:
    assert REVIEWS.services == ("reviews",)
    assert refusals(Grant(node="a", placements=BROAD), REVIEWS) == ()
    assert refusals(Grant(node="b", placements=BROAD), REVIEWS)


def test_what_a_workload_is_to_listen_at() -> None:
    edge, page = WorkloadId("default", "edge"), WorkloadId("default", "page")
    own = OwnListener("127.0.0.1", 9080)
    wanted = (WantedPorts(id=edge, ports=(80,)), WantedPorts(id=page, ports=(), listeners=(own,)))
    answer = SessionState(version=1, gateway_ports=wanted)
    assert decode(encode(answer), SessionState) == answer
    assert answer.listeners_wanted_of(edge) == (OwnListener("", 80),)
    assert answer.listeners_wanted_of(page) == (own,)
    assert answer.listeners_wanted_of(WorkloadId("default", "nobody")) == ()
