"""The mesh that both sides of B15 decide about: one server, callers of three versions, rules, and a proxy's questions.

Rule of the task of 2018: version v3 may not call ratings. With more rules the others are for other services.
"""

from collections.abc import Sequence
from urllib.parse import quote

import msgspec
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from immutables import Map

from benchmarks.workshop import Certificates
from proa.core.auth.spiffe import workload_id
from proa.core.config.config import Config
from proa.core.mixer.context import written_context
from proa.core.model.names import WorkloadId
from proa.core.sidecar.session import RegisteredPort, Registration
from proa.testing.mixer import mixer_config, rule

PORT = 9080
SERVER, CLIENT = WorkloadId("default", "server"), WorkloadId("default", "client")
"""As the pairs of Envoys have them too."""
CALLERS = tuple(WorkloadId("default", f"reviews-v{number % 3 + 1}-{number}") for number in range(12))
PATHS = tuple(f"/ratings/{number}" for number in range(10))
DENIED = 7
MATCH = 'destination.labels["app"] == "ratings" && source.labels["version"] == "v3"'


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """What a server is told. `rules`: how many there are in all; 0: one that asks a handler of the benchmark's, whose
    answers serve `uses` requests besides the one that asked."""

    address: str
    key_pem: str
    chain_pem: str
    root_pem: str
    rules: int
    uses: int = 0


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver is told. `bodies` are files of questions, `codes` the status that each must be answered with.
    `rate` 0: `in_flight` calls at any time; else so many calls a second, whatever becomes of them."""

    address: str
    key_pem: str
    chain_pem: str
    root_pem: str
    bodies: tuple[str, ...]
    codes: tuple[int, ...]
    seconds: float
    in_flight: int = 32
    connections: int = 4
    rate: float = 0.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the driver saw. Milliseconds, of every call."""

    calls: int
    seconds: float
    own_cpu: float
    latencies: tuple[float, ...]


def labels_of(workload: WorkloadId) -> dict[str, str]:
    if workload == SERVER:
        return {"app": "ratings", "version": "v1"}
    return {"app": "reviews", "version": workload.name.split("-")[1] if "-" in workload.name else "v1"}


def registrations() -> list[Registration]:
    port = RegisteredPort(
        service="ratings",
        service_port=PORT,
        name="http",
        protocol="HTTP",
        app_port=PORT,
        sidecar_port=20_000,
        health="HEALTHY",
    )
    ports = {SERVER: (port,)}
    return [
        Registration(
            id=each,
            node="bench",
            account=each.name,
            address="127.0.0.1",
            labels=Map(labels_of(each)),
            ports=ports.get(each, ()),
        )
        for each in (SERVER, CLIENT, *CALLERS)
    ]


def matches(rules: int) -> list[str]:
    others = (
        f'destination.service.host == "s{number}.default.svc.cluster.local" && {MATCH}'
        for number in range(rules - 1)
    )
    return [*others, MATCH]


def configs(rules: int) -> list[Config]:
    if not rules:
        return [
            mixer_config("noop", "yes", {}),
            mixer_config("checknothing", "any", {}),
            rule("ask", "yes", "any", match='request.method == "GET" && source.labels["version"] == "v1"'),
        ]
    return [
        mixer_config("denier", "no", {"status": {"code": DENIED, "message": "not v3"}}),
        mixer_config("checknothing", "any", {}),
        *(rule(f"r{number}", "no", "any", match=match) for number, match in enumerate(matches(rules))),
    ]


def questions(certificates: Certificates) -> list[tuple[bytes, int]]:
    """As an Envoy asks, with the status that each must get."""
    found: list[tuple[bytes, int]] = []
    for number, caller in enumerate(CALLERS):
        _, chain = certificates.workload(caller, caller.name)
        leaf = chain[: chain.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")]
        identity = str(workload_id(certificates.trust_domain, "default", caller.name))
        for path in PATHS:
            request = _question(path, number, identity, quote(leaf))
            code = DENIED if labels_of(caller)["version"] == "v3" else 0
            found.append((request.SerializeToString(), code))
    return found


def context() -> Sequence[tuple[str, str]]:
    """The metadata of a call."""
    return written_context(PORT, "closed", has_peer=True)


def _question(path: str, number: int, identity: str, certificate: str) -> CheckRequest:
    request = CheckRequest()
    attributes = request.attributes
    source = attributes.source
    source.address.socket_address.address = f"10.0.0.{number + 1}"
    source.address.socket_address.port_value = 40_000 + number
    source.principal, source.certificate = identity, certificate
    attributes.destination.address.socket_address.address = "10.0.1.1"
    attributes.destination.address.socket_address.port_value = PORT
    attributes.tls_session.sni = f"outbound_.{PORT}_._.ratings.default.svc.cluster.local"
    http = attributes.request.http
    http.id, http.method, http.path, http.host, http.scheme = str(number), "GET", path, "ratings:9080", "http"
    http.protocol = "HTTP/1.1"
    attributes.request.time.GetCurrentTime()
    http.headers.update(
        {
            ":path": path,
            ":method": "GET",
            ":authority": "ratings:9080",
            ":scheme": "http",
            "user-agent": "python-httpx/0.28.1",
            "accept": "*/*",
            "accept-encoding": "gzip, deflate",
            "x-request-id": f"8a3f2f2e-0000-4000-8000-00000000{number:04d}",
            "x-forwarded-proto": "http",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        }
    )
    return request
