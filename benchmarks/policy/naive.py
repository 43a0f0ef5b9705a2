"""The peer of B15: the policy server one writes first, run as a program with a file of its Spec. grpcio, protobuf
objects; all attributes are made for every question, every rule is walked through, and the answer says yes or no.

It knows callers by their SPIFFE ids alone, keeps no handlers apart, and tells nothing by which a proxy could keep the
answer: it does less than ours.
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import grpc
import msgspec
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from benchmarks.expressions import compiled, walker
from benchmarks.policy.scene import CALLERS, CLIENT, DENIED, PORT, SERVER, Spec, labels_of, matches
from proa.core.attributes.value_types import Value
from proa.core.auth.spiffe import workload_id
from proa.core.expression.semantics import EvaluationError
from proa.core.model.names import DEFAULT_TRUST_DOMAIN

LABELS = {
    str(workload_id(DEFAULT_TRUST_DOMAIN, "default", each.name)): (each, labels_of(each))
    for each in (CLIENT, *CALLERS)
}
Bag = dict[str, Value]


def attributes_of(request: CheckRequest) -> Bag:
    told = request.attributes
    http = told.request.http
    bag: Bag = {
        "request.headers": dict(http.headers),
        "request.path": http.path,
        "request.method": http.method,
        "request.host": http.host,
        "request.scheme": http.scheme,
        "request.useragent": http.headers["user-agent"],
        "source.principal": told.source.principal.removeprefix("spiffe://"),
        "source.user": told.source.principal.removeprefix("spiffe://"),
        "connection.mtls": bool(told.source.principal),
        "connection.requested_server_name": told.tls_session.sni,
        "context.protocol": "http",
        "destination.name": SERVER.name,
        "destination.namespace": SERVER.namespace,
        "destination.labels": labels_of(SERVER),
        "destination.port": PORT,
        "destination.service": "ratings.default.svc.cluster.local",
        "destination.service.host": "ratings.default.svc.cluster.local",
        "destination.service.name": "ratings",
    }
    if told.source.principal in LABELS:
        caller, labels = LABELS[told.source.principal]
        bag["source.name"], bag["source.namespace"] = caller.name, caller.namespace
        bag["source.labels"] = dict(labels)
    return bag


class NaiveServer:
    def __init__(self, rules: int) -> None:
        self._rules: list[Callable[[Mapping[str, Value]], Value]] = [
            walker(compiled(match)) for match in matches(max(rules, 1))
        ]

    async def check(self, request: CheckRequest, context: object) -> CheckResponse:
        bag = attributes_of(request)
        response = CheckResponse()
        if any(_holds(rule, bag) for rule in self._rules):
            response.status.code = DENIED
            response.denied_response.status.code = 403  # type: ignore[assignment]
            response.denied_response.body = "not v3"
        else:
            response.ok_response.SetInParent()
        return response


def _holds(rule: Callable[[Mapping[str, Value]], Value], bag: Bag) -> bool:
    try:
        return rule(bag) is True
    except EvaluationError:
        return False


async def main(spec: Spec) -> None:
    naive, server = NaiveServer(spec.rules), grpc.aio.server()
    check = grpc.unary_unary_rpc_method_handler(
        naive.check,
        request_deserializer=CheckRequest.FromString,
        response_serializer=CheckResponse.SerializeToString,
    )
    service = grpc.method_handlers_generic_handler("envoy.service.auth.v3.Authorization", {"Check": check})
    server.add_generic_rpc_handlers((service,))
    credentials = grpc.ssl_server_credentials(
        [(spec.key_pem.encode(), spec.chain_pem.encode())], spec.root_pem.encode(), require_client_auth=True
    )
    server.add_secure_port(spec.address, credentials)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Spec)))
