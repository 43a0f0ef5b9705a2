"""`envoy.service.ratelimit.v3.RateLimitService`: a proxy asks whether a request is within its quotas.

Who asks is the workload whose certificate the connection shows. The domain says at which of its ports, and which quotas
are meant: `proa.mixer/9080/requestcount,other`; without names all that QuotaSpecs charge there. Entries of descriptors
are the parts of `core.mixer.rate_limits`. Any Envoy of the mesh that says these words can ask; it asks for itself.
"""

from typing import Final, Protocol

import msgspec
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitResponse

from proa.core.mixer.asked import Asked
from proa.core.mixer.rate_limits.answers import Spent, answer
from proa.core.mixer.rate_limits.domains import Domain, read_domain
from proa.core.mixer.rate_limits.reading import read_entries
from proa.core.mixer.rate_limits.request_message import Descriptor, LimitRequest, Unreadable, read_request
from proa.core.model.names import WorkloadId
from proa.servers.grpc_edge import BadRequest, ByteStream, Service, service
from proa.servers.mixer.checks import caller_of, server_of

SERVICE: Final = "envoy.service.ratelimit.v3.RateLimitService"
MOST_DESCRIPTORS: Final = 16
MOST_HITS: Final = 1_000_000


class Expense(msgspec.Struct, frozen=True, kw_only=True):
    """A request to a `port` of `server` that is charged `hits` times what it owes of `quotas` (empty: of all). `id`
    tells it from all others of the server's proxy, "" when the proxy did not say. `caller`: None for a stranger."""

    server: WorkloadId
    port: int
    quotas: tuple[str, ...]
    asked: Asked
    caller: WorkloadId | None
    hits: int = 1
    id: str = ""


class Charges(Protocol):
    async def charge(self, expense: Expense) -> tuple[Spent, ...]:
        """Never fails: a quota that cannot be charged is decided by its failure policy."""


def rate_limits_service(charges: Charges, trust_domain: str) -> Service:
    async def should_limit(wire: ByteStream) -> None:
        server = server_of(wire.certificate, trust_domain)
        try:
            request = read_request(await wire.read() or b"")
        except Unreadable as error:
            raise BadRequest(str(error)) from None
        domain = read_domain(request.domain)
        if domain is None:
            raise BadRequest(f"no domain of quotas: {request.domain[:80]!r}")
        if len(request.descriptors) > MOST_DESCRIPTORS:
            raise BadRequest(f"more than {MOST_DESCRIPTORS} descriptors")
        spent: list[Spent] = []
        codes: list[RateLimitResponse.Code.ValueType] = []
        for number, descriptor in enumerate(request.descriptors):
            found = await charges.charge(_expense(server, domain, request, descriptor, number, trust_domain))
            spent += found
            codes.append(answer(found).overall_code)
        response = answer(spent)
        for code in codes:
            response.statuses.add(code=code)
        await wire.write(response.SerializeToString())

    return service(SERVICE, {"ShouldRateLimit": should_limit})


def _expense(
    server: WorkloadId,
    domain: Domain,
    request: LimitRequest,
    descriptor: Descriptor,
    number: int,
    trust_domain: str,
) -> Expense:
    asked, name = read_entries(descriptor.entries)
    hits = request.hits if descriptor.hits is None else descriptor.hits
    return Expense(
        server=server,
        port=domain.port,
        quotas=domain.quotas,
        asked=asked,
        caller=caller_of(asked, trust_domain),
        hits=min(hits, MOST_HITS),
        id=f"{name}/{number}" if name else "",
    )
