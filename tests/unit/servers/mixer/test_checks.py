"""A proxy's question over a real gRPC connection with the certificates of a mesh."""

import asyncio
from urllib.parse import quote

import grpc
import grpc.aio
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from google.protobuf.json_format import MessageToDict, ParseDict

from proa.core.auth.ca import Ca, issue, private_pem
from proa.core.auth.template import CertificateTemplate, node_leaf, serial_from, workload_leaf
from proa.core.expression.tracing import Reference
from proa.core.mixer.context import written_context
from proa.core.mixer.plan.verdict import Verdict
from proa.core.model.names import WorkloadId
from proa.servers.asgi import bind_tcp
from proa.servers.grpc_edge import serving_grpc
from proa.servers.mixer.checks import Question, checks_service, workload_name
from tests.unit.servers.grpc_edge.edges import PATIENCE_S, TRUST_DOMAIN, authority, channel

WEB = WorkloadId("shop", "web-1")
CART = WorkloadId("shop", "cart.v2")


class Remembering:
    def __init__(self) -> None:
        self.questions: list[Question] = []

    async def check(self, question: Question) -> Verdict:
        self.questions.append(question)
        return Verdict(code=7, message="deny:no", references=(Reference("request.path", None, "exact"),))


def certified(template: CertificateTemplate) -> tuple[str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = issue(template, key.public_key(), authority().root)
    return private_pem(key), Ca(key=key, certificate=leaf).pem


def of_workload(workload: WorkloadId, trust_domain: str = TRUST_DOMAIN) -> tuple[str, str]:
    validity = authority().root.validity(0, 2**31)
    return certified(workload_leaf(trust_domain, workload, "web", serial_from(b"1" * 20), validity))


def ask(
    identity: tuple[str, str], body: bytes, *metadata: tuple[str, str]
) -> tuple[list[Question], CheckResponse | str]:
    """With what was answered, or why it was not."""
    checks = Remembering()

    async def scene() -> bytes | str:
        with bind_tcp("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
            services = [checks_service(checks, TRUST_DOMAIN)]
            async with (
                serving_grpc(services, [listener], authority().server(), 0.2),
                channel(port, identity) as connection,
            ):
                call = connection.unary_unary("/envoy.service.auth.v3.Authorization/Check", bytes, bytes)
                try:
                    return bytes(await call(body, timeout=PATIENCE_S, metadata=metadata))
                except grpc.aio.AioRpcError as error:
                    return str(error.details())

    answer = asyncio.run(scene())
    if isinstance(answer, str):
        return checks.questions, answer
    return checks.questions, CheckResponse.FromString(answer)


def request(certificate: str) -> bytes:
    fields = {
        "attributes": {
            "source": {"certificate": certificate, "principal": "spiffe://cluster.local/ns/shop/sa/web"},
            "context_extensions": {"port": "8080", "on_failure": "open"},
            "request": {"http": {"headers": {":path": "/a"}}},
        }
    }
    return ParseDict(fields, CheckRequest()).SerializeToString()


def test_the_server_is_known_by_its_connection_and_the_caller_by_what_it_showed() -> None:
    questions, response = ask(of_workload(CART), request(quote(of_workload(WEB)[1])))
    (question,) = questions
    assert (question.server, question.port, question.caller) == (CART, 8080, WEB)
    assert question.context["on_failure"] == "open"
    assert isinstance(response, CheckResponse)
    assert response.denied_response.status.code == 403
    assert MessageToDict(response.dynamic_metadata)["open"]["key"] == "2:/a"


def test_metadata_of_the_call_says_where_and_which_rules() -> None:
    said = written_context(9090, "closed", has_peer=True)
    questions, response = ask(of_workload(CART), request(quote(of_workload(WEB)[1])), *said)
    assert (questions[0].port, questions[0].context["on_failure"]) == (9090, "closed")
    assert questions[0].caller == WEB
    assert isinstance(response, CheckResponse)
    assert "closed" in response.dynamic_metadata


def test_a_certificate_where_mesh_tls_does_not_end_is_nobodys() -> None:
    said = written_context(9090, "closed", has_peer=False)
    questions, _ = ask(of_workload(CART), request(quote(of_workload(WEB)[1])), *said)
    assert (questions[0].caller, questions[0].asked.identity) == (None, "")


@pytest.mark.parametrize("certificate", ["", "nonsense", quote(of_workload(WEB, "partner.example")[1])])
def test_whoever_shows_no_certificate_of_the_mesh_is_a_stranger(certificate: str) -> None:
    questions, _ = ask(of_workload(CART), request(certificate))
    assert questions[0].caller is None


def test_a_node_asks_nothing() -> None:
    validity = authority().root.validity(0, 2**31)
    node = certified(node_leaf(TRUST_DOMAIN, "here", serial_from(b"2" * 20), validity))
    assert ask(node, request("")) == ([], "only workloads of cluster.local ask Mixer")


def test_what_is_no_question_is_refused() -> None:
    assert ask(of_workload(CART), b"\xff\xff") == ([], "that is no CheckRequest")


def test_a_certificate_without_names_names_nobody() -> None:
    assert workload_name("-----BEGIN CERTIFICATE-----") == ""
