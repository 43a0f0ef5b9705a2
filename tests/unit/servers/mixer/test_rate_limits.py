"""A proxy's question about quotas over a real gRPC connection with the certificates of a mesh."""

import asyncio

import grpc
import grpc.aio
import pytest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest, RateLimitResponse

from proa.core.mixer.rate_limits.answers import Spent
from proa.core.model.names import WorkloadId
from proa.servers.asgi import bind_tcp
from proa.servers.grpc_edge import serving_grpc
from proa.servers.mixer.rate_limits import MOST_DESCRIPTORS, MOST_HITS, Expense, rate_limits_service
from tests.unit.servers.grpc_edge.edges import PATIENCE_S, TRUST_DOMAIN, authority, channel
from tests.unit.servers.mixer.test_checks import CART, WEB, of_workload


class Remembering:
    """Refuses what `hits` more than once."""

    def __init__(self) -> None:
        self.expenses: list[Expense] = []

    async def charge(self, expense: Expense) -> tuple[Spent, ...]:
        self.expenses.append(expense)
        return (Spent(quota="requests", asked=expense.hits, granted=1),)


def ask(
    request: RateLimitRequest | bytes, who: WorkloadId = WEB
) -> tuple[list[Expense], RateLimitResponse | str]:
    """With what was answered, or why it was not."""
    charges = Remembering()
    body = request if isinstance(request, bytes) else request.SerializeToString()

    async def scene() -> bytes | str:
        with bind_tcp("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
            services = [rate_limits_service(charges, TRUST_DOMAIN)]
            async with (
                serving_grpc(services, [listener], authority().server(), 0.2),
                channel(port, of_workload(who)) as connection,
            ):
                method = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit"
                try:
                    return bytes(await connection.unary_unary(method, bytes, bytes)(body, timeout=PATIENCE_S))
                except grpc.aio.AioRpcError as error:
                    return f"{error.code().name}: {error.details()}"

    found = asyncio.run(scene())
    return charges.expenses, found if isinstance(found, str) else RateLimitResponse.FromString(found)


def request_of(
    *descriptors: dict[str, str], domain: str = "proa.mixer/80/requests", hits: int = 0
) -> RateLimitRequest:
    request = RateLimitRequest(domain=domain, hits_addend=hits)
    for entries in descriptors:
        added = request.descriptors.add()
        for key, value in entries.items():
            added.entries.add(key=key, value=value)
    return request


def test_a_proxy_asks_for_its_own_port_and_quotas() -> None:
    told = {
        "i": "7",
        "m": "2026-11-23T03:44:40.97+00:00",
        "u": "spiffe://cluster.local/ns/shop/sa/cart",
        "w": "cart.v2.shop.workload.cluster.local",
        "h:x": "1",
    }
    expenses, answered = ask(request_of(told))
    (found,) = expenses
    assert (found.server, found.port, found.quotas, found.hits) == (WEB, 80, ("requests",), 1)
    assert found.id == "7@2026-11-23T03:44:40.97+00:00/0"
    assert found.asked.headers == {"x": "1"}
    assert found.caller == CART
    assert isinstance(answered, RateLimitResponse)
    assert answered.overall_code == RateLimitResponse.OK


def test_a_partner_s_workload_is_nobody_of_ours_whatever_its_name() -> None:
    told = {"u": "spiffe://partner.example/ns/shop/sa/cart", "w": "cart.v2.shop.workload.cluster.local"}
    (found,), _ = ask(request_of(told))
    assert found.caller is None


def test_what_exceeds_a_quota_is_over_the_limit_as_a_whole() -> None:
    request = request_of({"h:x": "1"}, {"h:x": "2"})
    request.descriptors[1].hits_addend.value = 2
    expenses, answered = ask(request)
    assert [each.hits for each in expenses] == [1, 2]
    assert isinstance(answered, RateLimitResponse)
    assert answered.overall_code == RateLimitResponse.OVER_LIMIT
    assert [each.code for each in answered.statuses] == [RateLimitResponse.OK, RateLimitResponse.OVER_LIMIT]
    assert answered.raw_body == b"RESOURCE_EXHAUSTED:Quota is exhausted for: requests"


def test_hits_are_bounded() -> None:
    expenses, _ = ask(request_of({}, hits=2**32 - 1))
    assert [each.hits for each in expenses] == [MOST_HITS]


def test_a_header_that_is_no_text_is_charged_all_the_same() -> None:
    message = request_of({"h:x": "a__b"}).SerializeToString().replace(b"a__b", b"a\xff\xc3b")
    expenses, answered = ask(message)
    assert [each.asked.headers for each in expenses] == [{"x": "a!!b"}]
    assert isinstance(answered, RateLimitResponse)


@pytest.mark.parametrize(
    "request_",
    [
        b"\xff\xff",
        request_of({}, domain="somebody"),
        request_of(*[{}] * (MOST_DESCRIPTORS + 1)),
    ],
)
def test_what_makes_no_sense_charges_nobody(request_: RateLimitRequest | bytes) -> None:
    expenses, answered = ask(request_)
    assert expenses == []
    assert isinstance(answered, str)
    assert answered.startswith("INVALID_ARGUMENT")
